package rabbitmq_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/rabbitmq"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// delayed returns a message that waits.
func delayed(topic, body string, delay time.Duration) *oms.Message {
	return &oms.Message{Topic: topic, Body: []byte(body), Delay: delay}
}

func TestShortDelaysDoNotWaitForLongOnes(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, "")
	const topic, group = "delays", "of-delays"
	ensure(t, c, group, topic)
	s := sender(t, c)
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	delays := []time.Duration{12 * time.Second, 3 * time.Second, 700 * time.Millisecond, time.Millisecond}
	var msgs []*oms.Message
	for _, d := range delays {
		msgs = append(msgs, delayed(topic, d.String(), d))
	}
	sent := time.Now()
	must(t, outcome(t, start(t, s, append(msgs, delayed(topic, "at once", 0))...)))
	var got []string
	for len(got) < len(msgs)+1 {
		m := receive(t, r, 1)[0]
		must(t, r.Ack(within(t), []*oms.Message{m}))
		if d, err := time.ParseDuration(string(m.Body)); err == nil && time.Since(sent) < d {
			t.Errorf("a message with a delay of %v comes after %v", d, time.Since(sent))
		}
		if m.Delay != 0 || len(m.Headers) != 0 || m.Deliveries != 1 {
			t.Errorf("it has a delay of %v, headers %q and %d deliveries", m.Delay, m.Headers, m.Deliveries)
		}
		got = append(got, string(m.Body))
	}
	if last := got[len(got)-1]; last != "12s" {
		t.Errorf("what comes last is %s of %q, want 12s", last, got)
	}
}

func TestADelayKeepsAllThatAMessageHas(t *testing.T) {
	t.Parallel()
	c := realBroker(t).open(t, "")
	const topic, group = "delays.of.keys", "of-delayed-keys"
	makeTopic(t, c, topic, 3)
	ensure(t, c, group, topic)
	s := sender(t, c)
	var msgs []*oms.Message
	for i := range 12 {
		m := delayed(topic, fmt.Sprint(i), 50*time.Millisecond)
		m.ID, m.Key, m.BornAt, m.ExpiresAt = fmt.Sprint("id", i), fmt.Append(nil, i), born, born.Add(time.Hour*1e6)
		m.Headers = oms.Headers{{Name: "x-death", Value: []byte("mine")}, {Name: "oms-delay-1", Value: []byte("2")}, {Name: "a", Value: []byte("b")}}
		msgs = append(msgs, m)
	}
	must(t, outcome(t, start(t, s, msgs...)))
	got := make(map[string]*oms.Message)
	for _, m := range receive(t, receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group}), len(msgs)) {
		m.Receipt, m.BornAt, m.ExpiresAt = nil, m.BornAt.UTC(), m.ExpiresAt.UTC()
		got[m.ID] = m
	}
	for _, m := range msgs {
		m.Delay, m.Deliveries, m.BornAt = 0, 1, m.BornAt.UTC()
		equal(t, "a message that was delayed", got[m.ID], m)
	}
}

// A queue for delayed messages is no topic, and goes with its topic.
func TestWhatDelaysNeedGoesWithTheTopic(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := b.open(t, "")
	const topic, group = "delays.deleted", "of-deleted-delays"
	ensure(t, c, group, topic)
	s := sender(t, c)
	must(t, outcome(t, start(t, s, delayed(topic, "never", time.Hour), delayed(topic, "never", 16*time.Millisecond))))
	made := []string{"oms.delay:" + topic + ":0.1", "oms.delay:" + topic + ":8.3"}
	there := func(queue string) bool {
		_, err := b.native(t).QueueDeclarePassive(queue, true, false, false, false, nil)
		return err == nil
	}
	for _, queue := range made {
		if !there(queue) {
			t.Errorf("queue %s is missing", queue)
		}
	}
	equal(t, "arguments of a queue for delayed messages", b.arguments(t, made[1]), map[string]any{
		"x-queue-type": "quorum", "x-message-ttl": float64(3 << 16 * 16), "x-dead-letter-exchange": "oms.delay:" + topic + ":7",
		"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	})
	infos, err := c.(oms.TopicAdmin).Topics(within(t))
	must(t, err)
	for _, info := range infos {
		if len(info.Name) > 4 && info.Name[:4] == "oms." {
			t.Errorf("%s is listed as a topic", info.Name)
		}
	}
	want(t, "send to an exchange of delays", outcome(t, start(t, s, &oms.Message{Topic: "oms.delay:" + topic + ":0"})), oms.ErrInvalid)
	must(t, c.(oms.TopicAdmin).DeleteTopic(within(t), topic))
	for _, queue := range made {
		if there(queue) {
			t.Errorf("queue %s is there without its topic", queue)
		}
	}
	if err := b.native(t).ExchangeDeclarePassive("oms.delay:"+topic+":0", "headers", true, false, false, false, nil); err == nil {
		t.Error("the exchange of the lowest level is there without its topic")
	}
	err = outcome(t, start(t, s, delayed(topic, "late", time.Hour)))
	if errors.Is(err, oms.ErrUnknown) { // the exchange that is gone ends the channel, once
		err = follow(t, s, delayed(topic, "late", time.Hour))
	}
	want(t, "send to a topic that was deleted", err, oms.ErrNotFound)
}

func TestDelaysThatCannotBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := b.open(t, "")
	const topic, group = "delays.refused", "of-refused-delays"
	ensure(t, c, group, topic)
	want(t, "a delay of a year", outcome(t, start(t, sender(t, c), delayed(topic, "late", 365*24*time.Hour))), oms.ErrInvalid)
	for _, declare := range []string{"minimal", "none"} {
		rest := "?declare=" + declare
		support := rabbitmq.Driver{}.Capabilities(b.point(t, rest)).Claims[oms.Delay]
		if support.Claimed || support.Note == "" {
			t.Errorf("with declare=%s delays have %+v, want a reason why not", declare, support)
		}
		s := sender(t, b.open(t, rest))
		want(t, "a delay with declare="+declare, outcome(t, start(t, s, delayed(topic, "late", time.Second))), oms.ErrUnsupported)
	}
}

// The broker would confirm it for the queue in which it waits.
func TestADelayedMessageThatNobodyWantsIsRefused(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := b.open(t, "?management.url="+b.management())
	const topic, group = "delays.unwanted", "of-unwanted-delays"
	makeTopic(t, c, topic, 1)
	s := sender(t, c)
	want(t, "a delayed message without a group", outcome(t, start(t, s, delayed(topic, "unwanted", time.Millisecond))), oms.ErrNoSubscription)
	ensure(t, c, group, topic)
	must(t, follow(t, s, delayed(topic, "wanted", time.Millisecond)))
	got := receive(t, receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group}), 1)
	equal(t, "what arrives", bodies(got), []string{"wanted"})
}

func TestTopicsOfOtherProgramsTakeDelays(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	ch := b.native(t)
	for _, kind := range []string{"direct", "fanout"} {
		topic, queue := "delays."+kind, "delayed-"+kind
		must(t, ch.ExchangeDeclare(topic, kind, true, false, false, false, nil))
		_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
		must(t, err)
		must(t, ch.QueueBind(queue, "0", topic, false, nil))
		c := b.open(t, "?management.url="+b.management())
		must(t, outcome(t, start(t, sender(t, c), delayed(topic, "late", 20*time.Millisecond))))
		in, err := ch.Consume(queue, queue, true, false, false, false, nil)
		must(t, err)
		select {
		case d := <-in:
			equal(t, "what arrives", string(d.Body)+" by "+d.RoutingKey, "late by 0")
		case <-within(t).Done():
			t.Fatalf("nothing arrives by a %s exchange", kind)
		}
	}
}

// The permissions are those that the page about RabbitMQ gives a gateway.
func TestPermissionsOfAGatewayAreEnoughForDelaysAndStreams(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	names := `granted\..*|granted-.*)$`
	must(t, b.admit(within(t), "granted", "secret", permission{`^(oms\..*|` + names, `^(amq\.default|oms\..*|` + names, `^(oms\..*|` + names}))
	for _, options := range []string{"", asStream} {
		ap := b.point(t, options)
		ap.User, ap.Password = "granted", "secret"
		c := openAt(t, ap)
		const topic, group = "granted.topic", "granted-group"
		begin(t, c, group, topic)
		must(t, outcome(t, start(t, sender(t, c), delayed(topic, "1", time.Millisecond))))
		equal(t, "what comes", bodies(consume(t, c, group, topic, 1)), []string{"1"})
		must(t, c.(oms.GroupAdmin).DeleteGroup(within(t), group, []string{topic}))
		must(t, c.(oms.TopicAdmin).DeleteTopic(within(t), topic))
	}
}

// What has no queue when its time has come waits on. The broker tries again
// every few minutes, and at once after a restart. Streams go on where they were.
func TestDelayedMessagesAndStreamsOutliveTheBroker(t *testing.T) {
	t.Parallel()
	b := &broker{Server: servers.RabbitMQ(t)}
	c := openAt(t, parse(t, "oms:rabbitmq://"+b.AddrOf(servers.Plain)+"/"))
	const topic, group = "delays.kept", "of-kept-delays"
	makeTopic(t, c, topic, 1)
	must(t, outcome(t, start(t, sender(t, c), delayed(topic, "due", time.Millisecond), delayed(topic, "waiting", 10*time.Second))))
	probe := b.native(t)
	until(t, "the end of a delay", func() bool { // a dead letter is not among what is ready
		q, err := probe.QueueDeclarePassive("oms.delay:"+topic+":0.1", true, false, false, false, nil)
		must(t, err)
		return q.Messages == 0
	})
	ensure(t, c, group, topic)
	streams := startReading(t, b)
	must(t, b.Stop(t.Context()))
	must(t, b.Start(t.Context()))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	got := make(map[string]bool)
	for len(got) < 2 {
		msgs := receive(t, r, 1)
		got[string(msgs[0].Body)] = true
	}
	if !got["due"] || !got["waiting"] {
		t.Errorf("what was kept is %v", got)
	}
	streams.goOn(t)
}
