package promises

import (
	"context"
	"sync"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/omconnect/omconnect/oms"
)

// atMembers is what others do in the group of a sink.
var atMembers = []promise{
	{"a group that other programs read is not shared", keepsGroups},
}

// keepsGroups has another program in the group of a sink, where it would take
// its share of the records. Another sink is told to let it.
func keepsGroups(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	topic, group := fresh("topic"), fresh("group")
	if caps := b.capabilities(t); !caps.Has(oms.ForeignMembers) {
		out := newTray(t, fresh("sink"))
		g.refuses(fresh("needs"), out.config(topic).with("need", string(oms.ForeignMembers)), string(oms.ForeignMembers), caps.Claims[oms.ForeignMembers].Note)
		g.create(out.name, out.config(topic).with("consumer.group", group))
		g.fills(topic, out)
		return
	}
	client := g.client(b)
	client.makes(topic, 2)
	if err := client.ensures(group, topic); err != nil {
		t.Fatal(err)
	}
	hint, leave := b.stranger(t, group, topic)
	g.until("the stranger to be a member", func() bool { return len(client.foreign(group, topic)) == 1 })

	out, shared := newTray(t, fresh("sink")), newTray(t, fresh("shared"))
	g.create(out.name, out.config(topic).with("consumer.group", group))
	g.fails(out.name, "RETRYING", b.name+" join", group, hint, "choose another consumer.group", "consumer.group.shared=true")
	g.create(shared.name, shared.config(topic).with("consumer.group", group, "consumer.group.shared", "true"))
	g.is(shared.name, "RUNNING")
	leave()
	g.is(out.name, "RUNNING")
	g.fills(topic, out, shared)
}

// fills has a source send to the topic what all of the trays get, together.
func (g *gateway) fills(topic string, trays ...*tray) {
	g.t.Helper()
	in := newFeed(g.t, fresh("feed"))
	for _, body := range numbered(0, 20) {
		in.add(&oms.Message{Key: []byte(body), Body: []byte(body)})
	}
	g.create(fresh("source"), in.config(topic))
	all := newTray(g.t, fresh("all"))
	g.until("all records", func() bool {
		all.got = nil
		for _, tr := range trays {
			all.got = append(all.got, tr.all()...)
		}
		return len(all.distinct()) == 20
	})
}

// ensures makes a group.
func (c *caller) ensures(group, topic string) error {
	c.t.Helper()
	groups, err := c.Groups()
	if err != nil {
		return err
	}
	return groups.EnsureGroup(c.t.Context(), group, []string{topic}, oms.Start{})
}

// foreign returns the members of a group that are not ours.
func (c *caller) foreign(group, topic string) []string {
	c.t.Helper()
	names, err := c.ForeignMembers(c.t.Context(), group, []string{topic})
	if err != nil && !oms.IsTemporary(err) {
		c.t.Fatal(err)
	}
	return names
}

// stranger has a program of the broker's own client library join a group, until
// leave is called or the test ends. The hint is in its name as a member.
func (b *broker) stranger(t *testing.T, group, topic string) (hint string, leave func()) {
	t.Helper()
	hint, join := "stranger", strangeRocketMQ
	switch b.name {
	case "kafka":
		join = strangeKafka
	case "rabbitmq":
		hint, join = group+":"+topic+":0", strangeAMQP
	}
	end, err := join(b.first(t).Addr(), group, topic)
	if err != nil {
		t.Fatal(err)
	}
	leave = sync.OnceFunc(func() {
		if err := end(); err != nil {
			t.Errorf("the stranger does not leave: %v", err)
		}
	})
	t.Cleanup(leave)
	return hint, leave
}

func strangeKafka(addr, group, topic string) (leave func() error, err error) {
	c, err := kgo.NewClient(
		kgo.SeedBrokers(addr), kgo.ClientID("stranger"), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
	)
	if err != nil {
		return nil, err
	}
	return func() error {
		err := c.LeaveGroupContext(context.Background())
		c.Close()
		return err
	}, nil
}

func strangeAMQP(addr, group, topic string) (leave func() error, err error) {
	conn, err := amqp.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err == nil {
		_, err = ch.Consume(group+":"+topic+":0", "", false, false, false, false, nil)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn.Close, nil
}

func strangeRocketMQ(addr, group, topic string) (leave func() error, err error) {
	c, err := consumer.NewPushConsumer(
		consumer.WithNameServer(primitive.NamesrvAddr{addr}), consumer.WithGroupName(group), consumer.WithInstance("stranger-"+group),
	)
	if err != nil {
		return nil, err
	}
	err = c.Subscribe(topic, consumer.MessageSelector{}, func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		return consumer.ConsumeSuccess, nil
	})
	if err == nil {
		err = c.Start()
	}
	return c.Shutdown, err
}
