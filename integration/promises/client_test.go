package promises

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// A caller sends messages as a program does that uses package oms.
type caller struct {
	t *testing.T
	*oms.Client
}

// client returns a caller of a gateway's broker, which is the one of its own
// access point, or the one in its process.
func (g *gateway) client(b *broker) *caller {
	g.t.Helper()
	at := g.broker
	if b.start == nil {
		g.until("the broker in the gateway's process", func() (there bool) {
			endpoint, err := embedded.Endpoint(filepath.Join(g.data, "broker"))
			at = endpoint
			return err == nil
		})
	}
	c, err := oms.Open(g.t.Context(), at)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close(context.Background()) }) // the broker may be gone already
	return &caller{g.t, c}
}

// makes makes a topic.
func (c *caller) makes(topic string, partitions int) {
	c.t.Helper()
	if err := c.EnsureTopic(c.t.Context(), oms.TopicSpec{Name: topic, Partitions: partitions}); err != nil {
		c.t.Fatal(err)
	}
}

// sends sends bodies to a topic.
func (c *caller) sends(topic string, bodies ...string) {
	c.t.Helper()
	p, err := c.NewProducer(c.t.Context(), oms.SenderConfig{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() {
		if err := p.Close(context.WithoutCancel(c.t.Context())); err != nil {
			c.t.Error(err)
		}
	}()
	msgs := make([]*oms.Message, len(bodies))
	for i, body := range bodies {
		msgs[i] = &oms.Message{Topic: topic, Body: []byte(body)}
	}
	if err := p.Send(c.t.Context(), msgs...); err != nil {
		c.t.Fatal(err)
	}
}

// begin and end return the offsets of a topic's first partition: of the first
// message that is retained, and of the next one.
func (c *caller) begin(topic string) int64 { return c.offset(topic, oms.StartEarliest) }

func (c *caller) end(topic string) int64 { return c.offset(topic, oms.StartLatest) }

func (c *caller) offset(topic string, from oms.StartFrom) int64 {
	c.t.Helper()
	at, err := c.Offsets(c.t.Context(), []string{topic}, oms.Start{From: from})
	if err != nil {
		c.t.Fatal(err)
	}
	return at[oms.Partition{Topic: topic}]
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
