package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/broker"
	_ "github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// patience is how long a test waits on a machine that does much else.
const patience = time.Minute

// runGateway runs connectors, given as class and keys by name, until stop is
// called, on two brokers with names of which the first is the gateway's own.
func runGateway(t *testing.T, store offsets.Store, accessPoints [2]string, connectors map[string]oms.KeyValue) (brokers *connect.Brokers, stop func()) {
	t.Helper()
	plugins := new(connect.Plugins)
	plugins.Register(broker.SourcePlugin())
	plugins.Register(broker.SinkPlugin())
	brokers = connect.NewBrokers(&oms.Default, map[string]string{connect.DefaultBroker: accessPoints[0], "other": accessPoints[1]})
	catalog := connect.NewCatalog(store, plugins, brokers, slog.New(slog.DiscardHandler))
	rt := connect.NewRuntime(connect.Options{Store: store, Plugins: plugins, Brokers: brokers, Gateway: "g", Worker: "g:1", Logger: slog.New(slog.DiscardHandler)})
	for name, config := range connectors {
		if _, err := catalog.Create(t.Context(), connect.Request{Name: name, Config: config}); err != nil && !errors.Is(err, oms.ErrExists) {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- rt.Run(ctx) }()
	return brokers, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		if err := brokers.Close(context.Background()); err != nil {
			t.Errorf("close the brokers: %v", err)
		}
	}
}

// collect receives from a topic until it has messages of so many ids.
func collect(t *testing.T, c *oms.Client, topic string, ids int) map[string]*oms.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{topic}, Group: "collect"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	got := make(map[string]*oms.Message)
	for len(got) < ids {
		msgs, err := r.Receive(ctx, 1000, time.Second)
		if err != nil {
			t.Fatalf("%d of %d have come: %v", len(got), ids, err)
		}
		for _, m := range msgs {
			got[m.ID] = m
		}
		if err := r.Ack(ctx, msgs...); err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
			t.Fatal(err)
		}
	}
	return got
}

func TestTwoEmbeddedBrokersThereAndBackOverARestart(t *testing.T) {
	store := offsets.NewMemory()
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	var accessPoints [2]string
	for i := range accessPoints {
		accessPoints[i] = "oms:embedded:///?sync.interval.ms=1000&dir=" + t.TempDir()
	}
	connectors := map[string]oms.KeyValue{
		"there": {"connector.class": "broker-sink", "topics": "t", "sink.broker": "other", "fidelity": "envelope", "loop.detection": "off"},
		"back": {
			"connector.class": "broker-source", "source.broker": "other", "source.topics": "t", "topic": "${topic}.back", "tasks.max": "2",
			"fidelity": "envelope", "loop.detection": "off",
		},
	}
	const half = 1000
	var all []*oms.Message
	for round := range 2 {
		brokers, stop := runGateway(t, store, accessPoints, connectors)
		own, err := brokers.Client(t.Context(), connect.DefaultBroker)
		if err != nil {
			t.Fatal(err)
		}
		var msgs []*oms.Message
		for i := range half {
			msgs = append(msgs, &oms.Message{
				ID: fmt.Sprintf("%d-%d", round, i), Topic: "t", Key: fmt.Append(nil, i%10), Body: fmt.Append(nil, i), BornAt: time.UnixMilli(int64(i)),
				Headers: oms.Headers{{Name: "h", Value: []byte{0xff, byte(i)}}, {Name: "nil"}, {Name: "h", Value: []byte{}}},
			})
		}
		for _, m := range odd("t") {
			m.ID, m.ExpiresAt = fmt.Sprint(round, "odd", m.ID), time.Time{} // it is long past
			msgs = append(msgs, m)
		}
		if err := own.EnsureTopic(t.Context(), oms.TopicSpec{Name: "t"}); err != nil {
			t.Fatal(err)
		}
		p, err := own.NewProducer(t.Context(), oms.SenderConfig{})
		if err == nil {
			err = errors.Join(p.Send(t.Context(), msgs...), p.Close(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, msgs...)
		if round == 0 {
			stop() // while they are under way
			continue
		}
		if err := own.EnsureTopic(t.Context(), oms.TopicSpec{Name: "t.back"}); err != nil {
			t.Fatal(err)
		}
		got := collect(t, own, "t.back", len(all))
		for _, m := range all {
			m.Topic = "t.back"
			if d := diff([]*oms.Message{m}, []*oms.Message{got[m.ID]}); d != "" {
				t.Errorf("message %s:\n%s", m.ID, d)
			}
		}
		stop()
	}
}
