package mem_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestWhatIsSentArrives(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("orders", 1)
		b.send(numbered("orders", 3)...)
		b.wantBodies(b.receive(b.reader("orders", "g")), "0", "1", "2")
	})
}

func TestConnectionsOfOneDriverShareTheBroker(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		b.send(text("t", "x"))
		r, err := b.dial().OpenReceiver(b.Context(), oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
		b.noError(err)
		b.wantBodies(b.receive(r), "x")
	})
}

func TestItWorksBehindTheFront(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		var registry oms.Registry
		registry.Register("broker", b.driver)
		client, err := registry.Open(b.Context(), "broker")
		b.noError(err)
		b.topic("t", 1)
		producer, err := client.NewProducer(b.Context(), oms.SenderConfig{})
		b.noError(err)
		b.noError(producer.Send(b.Context(), text("t", "x")))
		b.noError(producer.Close(b.Context()))
		consumer, err := client.NewPullConsumer(b.Context(), oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
		b.noError(err)
		msgs, err := consumer.Receive(b.Context(), 10, time.Second)
		b.noError(err)
		b.wantBodies(msgs, "x")
		b.noError(consumer.Close(b.Context()))
		b.noError(client.Close(b.Context()))
	})
}

func TestAnAccessPointHasNothingButAName(t *testing.T) {
	for _, text := range []string{
		"oms:mem://host/", "oms:mem://user@host/", "oms:mem:///region", "oms:mem:///?partitions=3",
	} {
		ap, err := oms.ParseAccessPoint(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mem.New().Open(t.Context(), ap); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("Open(%s): error is %v, want %v", text, err, oms.ErrInvalid)
		}
	}
	ap, err := oms.ParseAccessPoint("oms:mem://user@host/region?color=red")
	if err != nil {
		t.Fatal(err)
	}
	_, err = mem.New().Open(t.Context(), ap)
	for _, part := range []string{"user", "host", "region", "color"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not name %s", err, part)
		}
	}
}

func TestWhatIsNotClaimedSaysWhy(t *testing.T) {
	caps := mem.New(mem.Options{MaxBody: 7, DurableAfter: time.Second}).Capabilities(oms.AccessPoint{})
	for _, name := range caps.All() {
		if s := caps.Claims[name]; (!s.Claimed || s.Emulated) && s.Note == "" {
			t.Errorf("%s has no note", name)
		}
	}
	if caps.Has(oms.Priority) {
		t.Error("priority is claimed")
	}
	if caps.MaxBody != 7 || caps.DurableAfter != time.Second {
		t.Errorf("capabilities %+v do not follow the options", caps)
	}
}

func TestIdentityIsOnePerBroker(t *testing.T) {
	identity := func(b *bench, c oms.Conn) string {
		id, err := c.(oms.Identifier).Identity(b.Context())
		b.noError(err)
		return id
	}
	var first string
	bubble(t, mem.Options{}, func(b *bench) {
		first = identity(b, b.conn)
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(first) {
			b.Errorf("%q is no random UUID", first)
		}
		if again := identity(b, b.dial()); again != first {
			b.Errorf("a second connection sees %s, the first %s", again, first)
		}
	})
	bubble(t, mem.Options{}, func(b *bench) {
		if other := identity(b, b.conn); other == first {
			b.Errorf("two brokers are both %s", other)
		}
	})
	bubble(t, mem.Options{Identity: "mine"}, func(b *bench) {
		if got := identity(b, b.conn); got != "mine" {
			b.Errorf("identity is %s, want that of the options", got)
		}
	})
}

func TestNothingWorksAfterTheConnectionIsClosed(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		b.topic("t", 1)
		s, r := b.sender(oms.SenderConfig{}), b.reader("t", "g")
		b.noError(b.conn.Close(b.Context()))
		b.noError(b.conn.Close(b.Context()))

		_, err := b.conn.OpenSender(b.Context(), oms.SenderConfig{})
		b.wantError(err, oms.ErrClosed)
		_, err = b.conn.OpenReceiver(b.Context(), oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
		b.wantError(err, oms.ErrClosed)
		_, err = b.admin().Topics(b.Context())
		b.wantError(err, oms.ErrClosed)
		b.wantError(b.conn.Check(b.Context()), oms.ErrClosed)
		b.wantError(outcome(s, text("t", "x")), oms.ErrClosed)
		_, err = r.Receive(b.Context(), 1)
		b.wantError(err, oms.ErrClosed)
	})
}

func TestACallWhoseContextIsDoneDoesNothing(t *testing.T) {
	bubble(t, mem.Options{}, func(b *bench) {
		ctx, cancel := context.WithCancel(b.Context())
		cancel()
		b.wantError(b.admin().CreateTopic(ctx, oms.TopicSpec{Name: "t"}), oms.ErrAborted)
		topics, err := b.admin().Topics(b.Context())
		b.noError(err)
		if len(topics) != 0 {
			b.Errorf("topics are %v, want none", topics)
		}
		late, cancel := context.WithDeadline(b.Context(), time.Now().Add(-time.Second))
		defer cancel()
		b.wantError(b.conn.Check(late), oms.ErrTimeout)
	})
}
