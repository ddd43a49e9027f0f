package broker_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/broker"
	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

// otherName is what the configurations of the kit call the other broker. Its
// password must not come out.
const otherName = "oms:other://bridge:kB8-zq.pass@host/"

// A pair is two brokers for a connector alone: its own, and the other one.
type pair struct {
	t          *testing.T
	own, other *mem.Driver
	clients    map[string]*oms.Client
}

func newPair(t *testing.T, options mem.Options) *pair {
	t.Helper()
	p := &pair{t: t, own: mem.New(), other: mem.New(options), clients: make(map[string]*oms.Client)}
	registry := new(oms.Registry)
	registry.Register("own", p.own)
	registry.Register("other", p.other)
	for name, key := range map[string]string{"own": connect.DefaultBroker, "other": otherName} {
		c, err := registry.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		p.clients[key] = c
	}
	return p
}

func (p *pair) close() {
	for _, c := range p.clients {
		if err := c.Close(context.Background()); err != nil {
			p.t.Error(err)
		}
	}
}

// plug has a plugin's connectors find the brokers. The kit's own Env.Broker is
// asked too: it notices who does so too late.
func (p *pair) plug(plugin connect.Plugin) connect.Plugin {
	made := plugin.New
	plugin.New = func(env connect.Env) (connect.Connector, error) {
		asked := env.Broker
		env.Broker = func(ctx context.Context, name string) (*oms.Client, error) {
			_, err := asked(ctx, name)
			if c := p.clients[name]; c != nil {
				return c, nil
			}
			return nil, err
		}
		return made(env)
	}
	return plugin
}

// send puts messages into one of the brokers.
func (p *pair) send(name string, msgs ...*oms.Message) {
	p.t.Helper()
	ctx := context.Background()
	producer, err := p.clients[name].NewProducer(ctx, oms.SenderConfig{})
	if err == nil {
		err = producer.Send(ctx, msgs...)
	}
	if err == nil {
		err = producer.Close(ctx)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) makeTopic(name, topic string) {
	p.t.Helper()
	if err := p.clients[name].EnsureTopic(context.Background(), oms.TopicSpec{Name: topic}); err != nil {
		p.t.Fatal(err)
	}
}

// checked runs all rules of the kit in a bubble, each with a harness that
// newHarness makes; what it leaves open is closed at the end.
func checked[H any](t *testing.T, options mem.Options, check func(*testing.T, func(*testing.T) H) map[string]error, harness func(*pair) H) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		var pairs []*pair
		failures := check(t, func(t *testing.T) H {
			t.Helper()
			p := newPair(t, options)
			pairs = append(pairs, p)
			return harness(p)
		})
		for _, p := range pairs {
			p.close()
		}
		for rule, err := range failures {
			t.Errorf("rule %s is broken: %v", rule, err)
		}
	})
}

func TestSourceKeepsTheContractOfConnectors(t *testing.T) {
	for name, c := range map[string]struct {
		options mem.Options
		config  oms.KeyValue
	}{
		"one partition":     {mem.Options{}, oms.KeyValue{"source.topics": "t"}},
		"many partitions":   {mem.Options{Partitions: 9}, oms.KeyValue{"source.topics": "t"}},
		"topics that match": {mem.Options{Partitions: 9}, oms.KeyValue{"source.topics.regex": "t.*", "topic": "x.${topic}"}},
		"envelopes":         {mem.Options{Partitions: 9}, oms.KeyValue{"source.topics": "t", "fidelity": "envelope"}},
		"small polls":       {mem.Options{}, oms.KeyValue{"source.topics": "t", "source.max.poll.records": "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checked(t, c.options, connecttest.CheckSource, func(p *pair) connecttest.Source {
				config := oms.KeyValue{"source.broker": otherName}
				unstartable := oms.KeyValue{"source.broker": "nowhere", "source.topics": "t"}
				maps.Copy(config, c.config)
				p.makeTopic(otherName, "t")
				return connecttest.Source{
					Plugin: p.plug(broker.SourcePlugin()), Config: config, Unstartable: unstartable,
					Write: func(first, n int) {
						for i := first; i < first+n; i++ {
							p.send(otherName, &oms.Message{Topic: "t", Key: fmt.Append(nil, i), Body: fmt.Append(nil, i), CorrelationID: strconv.Itoa(i)})
						}
					},
					Number: func(m *oms.Message) (int, error) { return strconv.Atoi(m.CorrelationID) },
				}
			})
		})
	}
}

func TestSinkKeepsTheContractOfConnectors(t *testing.T) {
	for name, c := range map[string]struct {
		options mem.Options
		config  oms.KeyValue
	}{
		"at once":         {mem.Options{}, nil},
		"confirmed later": {mem.Options{ConfirmAfter: 50 * time.Millisecond, DurableAfter: 200 * time.Millisecond}, nil},
		"envelopes":       {mem.Options{}, oms.KeyValue{"fidelity": "envelope"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checked(t, c.options, connecttest.CheckSink, func(p *pair) connecttest.Sink {
				config := oms.KeyValue{"sink.broker": otherName}
				maps.Copy(config, c.config)
				message := func(i int) *oms.Message {
					return &oms.Message{Topic: "t", Body: fmt.Append(nil, i), CorrelationID: strconv.Itoa(i)}
				}
				return connecttest.Sink{
					Plugin: p.plug(broker.SinkPlugin()), Config: config, Unstartable: oms.KeyValue{"sink.broker": "nowhere"},
					Message: message,
					Stored:  func() []int { return p.stored("t") },
					Refused: func(i int) *oms.Message {
						m := message(i)
						m.Topic = "__reserved"
						return m
					},
					Block: func() func() {
						p.other.SetDown(&oms.Error{Op: "call", Code: oms.ErrUnavailable})
						return func() { p.other.SetDown(nil) }
					},
				}
			})
		})
	}
}

// stored returns the numbers of the messages that a topic of the other broker
// has.
func (p *pair) stored(topic string) (found []int) {
	ctx := context.Background()
	p.makeTopic(otherName, topic)
	r, err := p.clients[otherName].NewPullConsumer(ctx, oms.ReceiverConfig{Topics: []string{topic}, Group: "look"})
	if err != nil {
		p.t.Fatal(err)
	}
	for {
		msgs, err := r.Receive(ctx, 1000, 10*time.Millisecond)
		if err != nil {
			p.t.Fatal(err)
		}
		if len(msgs) == 0 {
			break
		}
		for _, m := range msgs {
			n, err := strconv.Atoi(m.CorrelationID)
			if err != nil {
				p.t.Fatal(err)
			}
			found = append(found, n)
		}
	}
	if err := r.Close(ctx); err != nil {
		p.t.Fatal(err)
	}
	return slices.Clip(found)
}
