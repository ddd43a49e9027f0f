package rabbitmq_test

import (
	"runtime"
	"testing"

	"github.com/omconnect/omconnect/drivers/rabbitmq"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// Connections, senders and receivers that come and go leave neither goroutines
// nor sockets.
func TestConnectionsThatComeAndGoLeaveNothing(t *testing.T) {
	b := realBroker(t)
	proxy, err := omstest.NewProxy(b.AddrOf(servers.Plain))
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	const topic, group = "cycles", "cycling"
	ensure(t, b.open(t, ""), group, topic)
	cycle := func() {
		t.Helper()
		c, err := rabbitmq.Driver{}.Open(t.Context(), parse(t, "oms:rabbitmq://"+proxy.Addr()+"/"))
		must(t, err)
		s := sender(t, c)
		must(t, outcome(t, start(t, s, &oms.Message{Topic: topic, Body: []byte("x")})))
		r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
		must(t, r.Ack(within(t), receive(t, r, 1)))
		must(t, s.Close(within(t)))
		must(t, r.Close(within(t)))
		must(t, c.Close(within(t)))
	}
	cycle() // what is made once is there
	goroutines := 0
	until(t, "closing the sockets of one cycle", func() bool {
		goroutines = runtime.NumGoroutine()
		return proxy.Connections() == 0
	})
	for range 100 {
		cycle()
	}
	until(t, "having no more goroutines and sockets than after one cycle", func() bool {
		return runtime.NumGoroutine() <= goroutines && proxy.Connections() == 0
	})
}
