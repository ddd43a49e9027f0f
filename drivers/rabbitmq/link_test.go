package rabbitmq_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// mute is an address where somebody listens and says nothing.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			all = append(all, c)
		}
		for _, c := range all {
			_ = c.Close() // nobody uses it any more
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // which ends the goroutine
		running.Wait()
	})
	return l.Addr().String()
}

func TestABrokerThatSaysNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	address := mute(t)
	c := openAt(t, parse(t, "oms:rabbitmq://"+address+"/?rpc.timeout.ms=1000"))
	err := c.Check(within(t))
	want(t, "check", err, oms.ErrUnavailable)
	if err != nil && !strings.Contains(err.Error(), address) {
		t.Errorf("%v: it does not say where", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := c.Check(ended); err == nil {
		t.Error("a check whose context is done succeeds")
	}
}

// The client library waits for ever for what it has asked.
func TestClosingEndsThoughTheBrokerSaysNothing(t *testing.T) {
	t.Parallel()
	c := openAt(t, parse(t, "oms:rabbitmq://"+mute(t)+"/?rpc.timeout.ms=1000"))
	s := sender(t, c)
	out := start(t, s, numbered("t", 0, 1)...)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	must(t, c.Close(within(t)))
	if err := outcome(t, out); err == nil {
		t.Error("a message is sent to nobody")
	}
	_, err := r.Receive(within(t), 1)
	want(t, "receive", err, oms.ErrClosed)
	want(t, "check", c.Check(within(t)), oms.ErrClosed)
	_, err = c.OpenSender(within(t), oms.SenderConfig{})
	want(t, "open a sender", err, oms.ErrClosed)
	_, err = c.OpenReceiver(within(t), oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	want(t, "open a receiver", err, oms.ErrClosed)
}

// On RabbitMQ itself: a tag of the connection that was lost means another
// message on the new one, and acknowledging it would remove that.
func TestAReceiptOutlivesNoConnection(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	proxy, err := omstest.NewProxy(b.point(t, "").Hosts[0])
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	const topic, group, n = "receipts", "holders", 6
	sane := b.open(t, "")
	ensure(t, sane, group, topic)
	must(t, outcome(t, start(t, sender(t, sane), numbered(topic, 0, n)...)))
	var assigned, revoked atomic.Int32
	r := receiver(t, openAt(t, parse(t, "oms:rabbitmq://"+proxy.Addr()+"/")), oms.ReceiverConfig{
		Topics: []string{topic}, Group: group,
		OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
			assigned.Add(1)
			return nil, nil
		},
		OnRevoked: func(context.Context, []oms.Partition) { revoked.Add(1) },
	})
	old := receive(t, r, n)
	must(t, r.Ack(within(t), old[:1]))
	must(t, r.Flush(within(t)))
	proxy.KillConnections()
	again := receive(t, r, n-1)
	equal(t, "what comes again", bodies(again), bodies(old[1:]))
	want(t, "acknowledging by receipts from before", r.Ack(within(t), old[2:4]), oms.ErrStaleDelivery)
	want(t, "giving back by such", r.(oms.Nacker).Nack(within(t), old[4:]), oms.ErrStaleDelivery)
	must(t, r.Flush(within(t)))
	must(t, r.Ack(within(t), again[:1]))
	must(t, r.Close(within(t)))
	last := receiver(t, sane, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	equal(t, "what is left", bodies(receive(t, last, n-2)), bodies(old[2:]))
	if assigned.Load() != 2 || revoked.Load() != 1 {
		t.Errorf("partitions came %d times and went %d times, want 2 and 1", assigned.Load(), revoked.Load())
	}
}

func TestReceiptsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := open(t, f, "")
	ensure(t, c, "g", "t")
	ensure(t, c, "h", "t")
	must(t, outcome(t, start(t, sender(t, c), numbered("t", 0, 2)...)))
	mine := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	other := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "h"})
	msgs := receive(t, other, 2)
	want(t, "acknowledging what another receiver got", mine.Ack(within(t), msgs), oms.ErrInvalid)
	want(t, "acknowledging what nobody got", mine.Ack(within(t), numbered("t", 0, 1)), oms.ErrInvalid)
	want(t, "giving back what another receiver got", mine.(oms.Nacker).Nack(within(t), msgs), oms.ErrInvalid)
	_, err := mine.Receive(within(t), 0)
	want(t, "receiving none", err, oms.ErrInvalid)
	must(t, other.Ack(within(t), msgs))
	must(t, other.(oms.Nacker).Nack(within(t), msgs)) // they are settled
	must(t, other.Close(within(t)))
	want(t, "acknowledging when it is closed", other.Ack(within(t), msgs), oms.ErrClosed)
	want(t, "flushing when it is closed", other.Flush(within(t)), oms.ErrClosed)
	want(t, "pausing when it is closed", other.(oms.Pauser).Pause(within(t), nil), oms.ErrClosed)
	equal(t, "what the other group still has", bodies(receive(t, mine, 2)), []string{"0", "1"})
}
