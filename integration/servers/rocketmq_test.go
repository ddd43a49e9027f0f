package servers_test

import (
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
)

// Codes of RocketMQ's requests.
const (
	sendMessage  = 10
	createTopic  = 17
	maxOffset    = 30
	brokerConfig = 26
)

func TestRocketMQComesBackWithItsDataAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := servers.RocketMQ(t, servers.Config("maxMessageSize", "77777"))
	loopback(t, s, portOf(t, s.AddrOf(servers.Broker))+1) // for replicas: RocketMQ cannot bind it
	if got := askBroker(t, s, nil, brokerConfig, nil, ""); !strings.Contains(got, "maxMessageSize=77777\n") {
		t.Errorf("the broker's configuration is %s, want what Config says", got)
	}
	askBroker(t, s, nil, createTopic, keptTopic, "")
	askBroker(t, s, nil, sendMessage, map[string]string{
		"producerGroup": "g", "topic": "kept", "defaultTopic": "TBW102", "defaultTopicQueueNums": "1", "queueId": "0",
		"sysFlag": "0", "bornTimestamp": "1700000000000", "flag": "0", "properties": "", "reconsumeTimes": "0",
	}, "yes")
	lives(t, s, func() {
		t.Helper()
		// A message counts once it is indexed, which is done behind its back.
		until(t, "the topic to have its message", func() bool {
			return strings.Contains(askBroker(t, s, nil, maxOffset, map[string]string{"topic": "kept", "queueId": "0"}, ""), `"offset":"1"`)
		})
	})
}

func TestRocketMQTakesItsUserOnly(t *testing.T) {
	t.Parallel()
	s := servers.RocketMQ(t, servers.User("alice-key", "wonder-land"))
	got, err := servers.AskRocketMQ(t.Context(), s.AddrOf(servers.Broker), nil, createTopic, keptTopic, "")
	if err != nil || strings.Contains(got, `"code":0`) {
		t.Errorf("a request without a user gets %s, %v, want that it is refused", got, err)
	}
}

func TestRocketMQSpeaksTLSOnly(t *testing.T) {
	t.Parallel()
	c := certificates(t)
	s := servers.RocketMQ(t, servers.TLS(c))
	askBroker(t, s, c, createTopic, keptTopic, "")
	for _, addr := range []string{s.Addr(), s.AddrOf(servers.Broker)} {
		if got, err := servers.AskRocketMQ(t.Context(), addr, nil, createTopic, keptTopic, ""); err == nil {
			t.Errorf("a request without TLS gets %s, want that it is refused", got)
		}
	}
}

var keptTopic = map[string]string{
	"topic": "kept", "defaultTopic": "TBW102", "readQueueNums": "1", "writeQueueNums": "1",
	"perm": "6", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false",
}

// askBroker sends a request to the server's broker and returns an answer that
// says that all is well.
func askBroker(t *testing.T, s *servers.Server, c *servers.Certificates, code int, fields map[string]string, body string) string {
	t.Helper()
	answer, err := servers.AskRocketMQ(t.Context(), s.AddrOf(servers.Broker), c, code, fields, body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, `"code":0`) {
		t.Fatalf("request %d gets %s, want code 0", code, answer)
	}
	return answer
}
