package kafka

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// Nobody would end such a connection.
func TestAClientThatIsClosedMakesNoConnection(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepted atomic.Int64
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_ = c.Close()
		}
	})
	ap, err := oms.ParseAccessPoint("oms:kafka://" + ln.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Driver{}.Open(t.Context(), ap)
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*conn)
	closed, err := c.newClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	// As the library does for a request that was under way.
	b := sarama.NewBroker(ln.Addr().String())
	if err := b.Open(closed.Config()); err != nil {
		t.Fatal(err)
	}
	if connected, err := b.Connected(); connected || !errors.Is(err, sarama.ErrClosedClient) {
		t.Errorf("connected: %v, %v; want ErrClosedClient", connected, err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	_ = ln.Close()
	serving.Wait()
	if n := accepted.Load(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
}
