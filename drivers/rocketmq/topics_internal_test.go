package rocketmq

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What brokers make by themselves when they start, and clients in the course
// of time.
var ownTopics = []string{
	"TBW102", "SELF_TEST_TOPIC", "BenchmarkTest", "SCHEDULE_TOPIC_XXXX", "OFFSET_MOVED_EVENT", "TRANS_CHECK_MAX_TIME_TOPIC", "CHECKPOINT_TOPIC",
	"RMQ_SYS_TRACE_TOPIC", "RMQ_SYS_TRANS_HALF_TOPIC", "RMQ_SYS_TRANS_OP_HALF_TOPIC", "DefaultHeartBeatSyncerTopic",
	"rmq_sys_wheel_timer", "rmq_sys_REVIVE_LOG_fake-cluster", "rmq_sys_SYNC_BROKER_MEMBER_fake-broker",
	"fake-broker", "fake-cluster", "fake-cluster_REPLY_TOPIC", "%RETRY%readers", "%DLQ%readers", "%RETRY%readers_orders",
}

func TestTopicsOfBrokersAreNotListed(t *testing.T) {
	t.Parallel()
	for namespace, want := range map[string][]string{
		"":      {"orders", "orders.eu", "orders_REPLY_TOPIC", "t"},
		"space": {"fake-cluster_REPLY_TOPIC", "own"}, // theirs have no namespace: this is somebody's own
	} {
		f := startFake(t)
		var there []string
		for _, name := range append([]string{"orders", "orders|2Eeu", "orders_REPLY_TOPIC", "t", "space%own", "space%fake-cluster_REPLY_TOPIC"}, ownTopics...) {
			f.add(name)
			there = append(there, name)
		}
		f.refuseWith(func(cmd *command) *command {
			if cmd.Code == reqTopicList {
				return okBody(map[string]any{"topicList": there})
			}
			return nil
		})
		c := connTo(t, f)
		c.options.namespace = namespace
		infos, err := c.Topics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, info := range infos {
			names = append(names, info.Name)
		}
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("namespace %q (-want +got):\n%s", namespace, diff)
		}
	}
}

// add makes a topic with one queue.
func (f *fake) add(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.topics[name] = &fakeTopic{queues: make([][]fakeMessage, 1), first: make([]int64, 1)}
}

func TestTopicsOfBrokersThatHaveFixedNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range ownTopics {
		named := (&clusterData{
			BrokerAddrTable: map[string]brokerData{"fake-broker": {}}, ClusterAddrTable: map[string][]string{"fake-cluster": nil},
		}).keeps(name)
		err := options{}.checkTopic(name)
		if named == (err != nil) {
			t.Errorf("%s: named after a broker or cluster: %v, refused: %v; want one of them", name, named, err)
		}
	}
	if err := (options{}).checkTopic("fake-cluster_REPLY_TOPIC"); err != nil {
		t.Errorf("a name that another cluster might have: %v", err)
	}
}
