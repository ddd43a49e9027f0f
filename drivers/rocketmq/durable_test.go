package rocketmq_test

import (
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// All on one broker, which takes its time to start.
func TestOnARealBroker(t *testing.T) {
	b := startBroker(t, soonChecked...)
	for what, tests := range map[string]map[string]func(*testing.T, *broker){
		"receivers and topics": {
			"acknowledgements become durable without Flush": commitsWithoutFlush,
			"a topic that several make is made once":        makesATopicOnce,
			"a topic is deleted while it is written to":     deletesWhatIsWritten,
		},
		"half messages": halves,
		"limits":        limits,
	} {
		for name, test := range tests {
			t.Run(what+"/"+name, func(t *testing.T) { t.Parallel(); test(t, b) })
		}
	}
}

// What a member has acknowledged becomes the group's position without Flush:
// the lag comes to 0, and a crash repeats nothing of it.
func commitsWithoutFlush(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "durable", 4)
	topics, sent := []string{"durable"}, 1000
	r, err := c.OpenReceiver(within(t), oms.ReceiverConfig{Group: "durable", Topics: topics})
	must(t, err)
	for range 2 { // for what comes later, too
		msgs := make([]*oms.Message, sent)
		for i := range msgs {
			msgs[i] = &oms.Message{Topic: "durable", Key: []byte{byte(i)}, Body: []byte("x")}
		}
		must(t, sendAll(t, c, msgs...))
		for left := sent; left > 0; {
			msgs, err := r.Receive(within(t), left)
			must(t, err)
			must(t, r.Ack(within(t), msgs))
			left -= len(msgs)
		}
		awaitLag(t, b.open(t, ""), "durable", topics, 0)
	}
	must(t, r.Close(within(t)))
}

// The broker overwrites a topic that is there. A gateway's source and sinks
// make theirs at the same time.
func makesATopicOnce(t *testing.T, b *broker) {
	t.Helper()
	conns := []oms.Conn{b.open(t, ""), b.open(t, "")}
	for _, name := range []string{"one", "two", "three"} {
		var errs [6]error
		var making sync.WaitGroup
		for i := range errs {
			making.Go(func() {
				errs[i] = conns[i%2].(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: name, Partitions: i + 1})
			})
		}
		making.Wait()
		winner := 0
		for i, err := range errs {
			switch {
			case err == nil && winner == 0:
				winner = i + 1
			case oms.CodeOf(err) != oms.ErrExists:
				t.Errorf("making %s with %d partitions: %v, want ErrExists from all but one", name, i+1, err)
			}
		}
		infos, err := b.open(t, "").(oms.TopicAdmin).Topics(within(t))
		must(t, err)
		for _, info := range infos {
			if info.Name == name && info.Partitions != winner {
				t.Errorf("topic %s has %d partitions; %d were confirmed", name, info.Partitions, winner)
			}
		}
	}
}

// awaitLag waits until the group has so many messages before it.
func awaitLag(t *testing.T, c oms.Conn, group string, topics []string, want int64) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		byPartition, err := c.(oms.LagReporter).Lag(ctx, group, topics)
		var lag int64
		for _, n := range byPartition {
			lag += n
		}
		if err == nil && lag == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the lag is %d, %v, want %d", lag, err, want)
		}
	}
}
