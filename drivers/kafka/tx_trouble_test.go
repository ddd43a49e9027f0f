package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// acrossPartitions returns one message for each of n partitions, whose bodies
// begin with the same text.
func acrossPartitions(topic, text string, n int) []*oms.Message {
	var msgs []*oms.Message
	for i := range n {
		m := &oms.Message{Topic: topic, Body: fmt.Appendf(nil, "%s/%d", text, i)}
		m.ToPartition = new(i)
		msgs = append(msgs, m)
	}
	return msgs
}

func TestTransactionsOnBadConnectionsAreAsTheyAreTold(t *testing.T) {
	t.Parallel()
	t.Run("in this process", func(t *testing.T) {
		t.Parallel()
		c := startCluster(t)
		trouble(t, c.open(t, "&delivery.timeout.ms=3000"), c.topic(t, inTrouble), c.proxy, 20*time.Millisecond)
	})
	t.Run("on a real broker", func(t *testing.T) {
		t.Parallel()
		b := realBroker(t)
		proxy, err := omstest.NewProxy(b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := proxy.Close(); err != nil {
				t.Errorf("close the proxy: %v", err)
			}
		})
		conn := openWith(t, b.by(proxy.Addr()), b.point("&delivery.timeout.ms=5000&request.timeout.ms=3000"))
		trouble(t, conn, b.topic(t, inTrouble), proxy, 100*time.Millisecond)
	})
}

// inTrouble is how many partitions a topic has in the test above.
const inTrouble = 3

// trouble loses all connections now and then, at every moment of transactions,
// also between a commit and its answer. Whatever the sender is told has to be
// so.
func trouble(t *testing.T, conn oms.Conn, topic string, proxy *omstest.Proxy, each time.Duration) {
	t.Helper()
	const rounds, enough = 100, 10 // of what is done and of what is not
	s := transactions(t, conn, "trouble."+topic)
	ctx, cancel := context.WithCancel(t.Context())
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		every := time.NewTicker(each)
		defer every.Stop()
		for ctx.Err() == nil {
			select {
			case <-every.C:
				proxy.KillConnections()
			case <-ctx.Done():
			}
		}
	}()
	told := make(map[string]error)
	done, failed := 0, 0
	for n := 0; n < rounds && (done < enough || failed < enough); n++ {
		text := fmt.Sprint(n)
		limit, stop := context.WithTimeout(t.Context(), each/2*time.Duration(1+n%9))
		err := s.SendAll(limit, acrossPartitions(topic, text, inTrouble))
		stop()
		told[text] = err
		if err == nil {
			done++
		} else {
			failed++
		}
		if errors.Is(err, oms.ErrFenced) {
			t.Fatalf("transaction %d: %v, and there is no other owner", n, err)
		}
	}
	cancel()
	<-killed
	end, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for err := errors.New("not yet"); err != nil; {
		if err = s.SendAll(end, acrossPartitions(topic, "end", inTrouble)); err != nil && !oms.IsTemporary(err) {
			t.Fatal(err)
		}
	}
	judge(t, received(t, conn, topic, inTrouble), told, inTrouble)
}

// received returns how many messages of each text are in a topic, up to those
// of the end.
func received(t *testing.T, conn oms.Conn, topic string, partitions int) map[string]int {
	t.Helper()
	r := receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, ends := make(map[string]int), make(map[string]bool) // the end may have come twice
	for len(ends) < partitions {
		msgs, err := r.Receive(ctx, 100)
		if err == nil {
			err = r.Ack(ctx, msgs)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			text, _, _ := strings.Cut(string(m.Body), "/")
			got[text]++
			if text == "end" {
				ends[string(m.Body)] = true
			}
		}
	}
	return got
}

func judge(t *testing.T, got map[string]int, told map[string]error, whole int) {
	t.Helper()
	kinds := make(map[string]int)
	for text, err := range told {
		n := got[text]
		switch {
		case err == nil:
			kinds["done"]++
			if n != whole {
				t.Errorf("transaction %s is done, and %d of its %d messages are there", text, n, whole)
			}
		case errors.Is(err, oms.ErrUnknown):
			kinds["unknown"]++
			if n != 0 && n != whole {
				t.Errorf("of transaction %s, whose outcome is unknown, %d of %d messages are there", text, n, whole)
			}
		default:
			kinds["failed"]++
			if n != 0 {
				t.Errorf("transaction %s has failed (%v), and %d of its messages are there", text, err, n)
			}
		}
	}
	t.Logf("outcomes: %v", kinds)
}
