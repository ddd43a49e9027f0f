package rocketmq_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/rocketmq"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// patience is how long a rule waits for what must happen. The client library
// finds a dead connection after 40 s, and the machine may be busy.
const patience = 2 * time.Minute

// The rules of drivers against a real broker of their own, behind proxies.
func TestConformanceOnARealBroker(t *testing.T) {
	b := startBroker(t, soonChecked...)
	omstest.Run(t, harness(t, b))
}

func harness(t *testing.T, b *broker) *omstest.Harness {
	t.Helper()
	address := b.point(accessKey+":"+secretKey, "?delay=timer")
	dead := parse(t, "oms:rocketmq://127.0.0.1:1/")
	strangers := 0
	stranger := func() oms.AccessPoint {
		strangers++
		return parse(t, b.point(fmt.Sprintf("stranger-%d:stranger-secret", strangers), ""))
	}
	denied := stranger()
	mend := func(context.Context) error { // and the next rule has another stranger
		err := b.admit(denied.User, denied.Password.Reveal(), everything)
		denied = stranger()
		return err
	}
	bare := newBare(t, b)
	return &omstest.Harness{
		Driver: rocketmq.Driver{}, AccessPoint: parse(t, address),
		Denied: &denied, Mend: mend, Dead: &dead,
		Valid:           []string{address, "oms:rocketmq://one,two:9877,[::1]/", "oms:rocketmq://ak:sk@one/space?tls=true&tls.insecure=true"},
		Invalid:         invalid,
		ReservedTopics:  reservedTopics,
		ReservedHeaders: []string{"TAGS", "KEYS", "DELAY", "TIMER_DELIVER_MS", "TIMER_DELAY_SEC", "RETRY_TOPIC", "REAL_TOPIC", "REAL_QID", "TRAN_MSG", "PGROUP", "UNIQ_KEY", "WAIT", "RECONSUME_TIME", "MAX_RECONSUME_TIMES", "__STARTDELIVERTIME", "POP_CK", "OMS", "oms-h-TAGS"},
		Foreign:         bare.foreign,
		Stranger:        b.stranger,
		Broker: omstest.Broker{
			Stop: b.Stop, Start: b.Start,
			Restart: func(ctx context.Context) error { return errors.Join(b.Stop(ctx), b.Start(ctx)) },
			Cut:     func(context.Context) error { return b.eachProxy((*omstest.Proxy).Cut) },
			Heal:    func(context.Context) error { return b.eachProxy((*omstest.Proxy).Heal) },
			KillConnections: func(context.Context) error {
				return b.eachProxy((*omstest.Proxy).KillConnections)
			},
		},
		Child:    omstest.MemberProcess(address),
		Full:     os.Getenv("OMCONNECT_TEST_FULL") != "",
		Patience: patience,
	}
}

var reservedTopics = []string{
	"TBW102", "SCHEDULE_TOPIC_XXXX", "%RETRY%group", "%DLQ%group", "RMQ_SYS_TRACE_TOPIC", "OFFSET_MOVED_EVENT", "rmq_sys_wheel_timer", "BenchmarkTest",
}

var invalid = map[string]string{
	"oms:rocketmq:///": "host", "oms:rocketmq://one/?tls=true": "tls", "oms:rocketmq://one/?durability=maybe": "durability",
	"oms:rocketmq://ak@one/": "user", "oms:rocketmq://one/a.b": "region", "oms:rocketmq://one/?topic.partitions=0": "topic.partitions",
}
