package broker_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/broker"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// begin starts one instance without a runtime.
func (p *pair) begin(plugin connect.Plugin, config oms.KeyValue) connect.Connector {
	p.t.Helper()
	config = plugin.Def.Complete(config)
	conn, err := plugin.New(connect.Env{
		Connector: "x", Tasks: 1, Config: config, Logger: slog.New(slog.DiscardHandler),
		Broker:      func(_ context.Context, name string) (*oms.Client, error) { return p.clients[name], nil },
		Fail:        func(err error) { p.t.Errorf("Env.Fail: %v", err) },
		Reconfigure: func() {},
	})
	if err == nil {
		err = conn.OnStart(p.t.Context(), config)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return conn
}

func TestNothingIsSentBehindARecordThatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Options{ConfirmAfter: time.Second, OnSend: func(m *oms.Message) error {
			if string(m.Body) == "1" {
				return &oms.Error{Op: "send", Code: oms.ErrDenied}
			}
			return nil
		}})
		defer p.close()
		p.makeTopic(otherName, "t")
		sink := p.begin(broker.SinkPlugin(), oms.KeyValue{"sink.broker": otherName}).(connect.Sink)
		put := func(n int) error {
			return sink.Put(t.Context(), []*oms.Message{{Topic: "t", Body: []byte(numbers(n + 1)[n]), CorrelationID: numbers(n + 1)[n]}})
		}
		if err := put(0); err != nil {
			t.Errorf("Put: %v", err)
		}
		_ = put(1) // it may be told by the next call
		time.Sleep(5 * time.Second)
		if err := put(2); oms.CodeOf(err) != oms.ErrDenied {
			t.Errorf("Put behind a failure: %v, want the failure", err)
		}
		if err := sink.(connect.Flusher).Flush(t.Context()); oms.CodeOf(err) != oms.ErrDenied {
			t.Errorf("Flush behind a failure: %v, want the failure", err)
		}
		if got := p.stored("t"); !slices.Equal(got, []int{0}) {
			t.Errorf("the target has %v, want what is before the failure", got)
		}
		if err := sink.OnStop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Between the end of a Receive and what the source does with its messages, a
// partition may go to another member, who gets them again.
func TestWhatIsRevokedWhileItIsReceivedIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Options{Partitions: 2})
		defer p.close()
		p.makeTopic(otherName, "t")
		for i := range 10 {
			p.send(otherName, &oms.Message{Topic: "t", Body: []byte("x"), ToPartition: new(i % 2)})
		}
		var theirs *oms.PullConsumer
		registry := new(oms.Registry)
		registry.Register("other", p.other)
		join := func(next oms.ReceiveFunc) oms.ReceiveFunc {
			return func(ctx context.Context, limit int) ([]*oms.Message, error) {
				msgs, err := next(ctx, limit)
				if theirs == nil && len(msgs) > 0 {
					var jerr error
					if theirs, jerr = p.clients[otherName].NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{"t"}, Group: "connect-x"}); jerr != nil {
						t.Error(jerr)
					}
					synctest.Wait() // until it has its partition
				}
				return msgs, err
			}
		}
		intercepted, err := registry.Open(t.Context(), "other", oms.WithReceiveInterceptors(join))
		if err != nil {
			t.Fatal(err)
		}
		p.clients["intercepted"] = intercepted
		source := p.begin(broker.SourcePlugin(), oms.KeyValue{"source.broker": "intercepted", "source.topics": "t"}).(connect.Source)
		synctest.Wait()
		ours := make(map[string]int)
		for range 3 {
			msgs, err := source.Poll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range msgs {
				ours[m.Origin.Partition]++
			}
		}
		got, err := theirs.Receive(t.Context(), 100, time.Second)
		if err != nil || len(got) != 5 || len(ours) != 1 {
			t.Errorf("the other member got %d, %v; ours are %v; want the five of one partition each", len(got), err, ours)
		}
		if err := theirs.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := source.OnStop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
