package rocketmq_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// A broker that indexes a message while it deletes the index dies, and all that
// is sent and received elsewhere with it.
func deletesWhatIsWritten(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	s, err := c.OpenSender(within(t), oms.SenderConfig{})
	must(t, err)
	const cycles, batches, each = 10, 100, 8
	for i := range cycles {
		topic := fmt.Sprintf("written-%d", i)
		makeTopic(t, c, topic, each)
		flowing := make(chan struct{})
		flows := sync.OnceFunc(func() { close(flowing) })
		var sending sync.WaitGroup
		sending.Go(func() {
			for range batches {
				msgs := make([]*oms.Message, each)
				for n := range msgs {
					msgs[n] = &oms.Message{Topic: topic, ToPartition: &n, Body: []byte("x")}
				}
				s.SendAsync(t.Context(), msgs, func(error) { flows() })
			}
		})
		<-flowing
		must(t, c.(oms.TopicAdmin).DeleteTopic(within(t), topic))
		sending.Wait()
	}
	must(t, s.Close(within(t)))
	makeTopic(t, c, "written-last", 1)
	must(t, sendAll(t, c, &oms.Message{Topic: "written-last", Body: []byte("the broker is there")}))
}
