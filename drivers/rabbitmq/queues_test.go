package rabbitmq_test

import (
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// flow fails unless a message goes through a topic to a group.
func flow(t *testing.T, c oms.Conn, topic, group string) {
	t.Helper()
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 3)...)))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	msgs := receive(t, r, 3)
	equal(t, "bodies", bodies(msgs), []string{"0", "1", "2"})
	must(t, r.Ack(within(t), msgs))
	must(t, r.Close(within(t)))
}

func TestQueuesAreMadeAsTheOptionSays(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	for rest, want := range map[string]map[string]any{
		"":                              {"x-queue-type": "quorum", "x-single-active-consumer": true},
		"?ordering=none":                {"x-queue-type": "quorum"},
		"?declare=minimal":              {"x-queue-type": "quorum"},
		"?declare=full&declare=minimal": nil,
	} {
		ap, err := oms.ParseAccessPoint(b.point(t, "").Reveal() + rest)
		if want == nil {
			if err == nil {
				t.Errorf("%s: an option that is given twice is taken", rest)
			}
			continue
		}
		must(t, err)
		c := openAt(t, ap)
		topic := "made." + strings.NewReplacer("?", "", "=", "-").Replace(rest)
		ensure(t, c, "makers", topic)
		queue := "makers:" + topic + ":0"
		if strings.Contains(rest, "none") {
			queue = "makers:" + topic + ":*"
		}
		equal(t, "arguments with "+rest, b.arguments(t, queue), want)
		flow(t, c, topic, "makers")
		ensure(t, b.open(t, ""), "makers", topic) // with other options nothing is declared again
		equal(t, "arguments later", b.arguments(t, queue), want)
	}
}

// Exchanges and queues that others have made are used as they are.
func TestWhatOthersHaveMadeIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	ch := b.native(t)
	for kind, key := range map[string]string{amqp.ExchangeFanout: "", amqp.ExchangeTopic: "#", amqp.ExchangeDirect: "0", amqp.ExchangeHeaders: ""} {
		for _, declare := range []string{"full", "minimal", "none"} {
			topic, args := "others."+kind+"."+declare, amqp.Table{"x-max-length": int32(1000)}
			queue := "owners:" + topic + ":0"
			must(t, ch.ExchangeDeclare(topic, kind, true, false, false, false, nil))
			_, err := ch.QueueDeclare(queue, true, false, false, false, args)
			must(t, err)
			must(t, ch.QueueBind(queue, key, topic, false, nil))
			c := b.open(t, "?declare="+declare)
			ensure(t, c, "owners", topic)
			flow(t, c, topic, "owners")
			_, err = ch.QueueDeclare(queue, true, false, false, false, args) // fails if it is not what it was
			must(t, err)
			must(t, ch.ExchangeDeclare(topic, kind, true, false, false, false, nil))
		}
	}
}

func TestNothingIsMadeWhereThatIsLeftToOthers(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	ch, c := b.native(t), b.open(t, "?declare=none")
	groups, admin := c.(oms.GroupAdmin), c.(oms.TopicAdmin)
	const topic, group, queue = "left.to.others", "guests", "guests:left.to.others:0"
	names := func(what string, err error, code oms.Code, name string) {
		t.Helper()
		want(t, what, err, code)
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %q does not name %s", what, err, name)
		}
	}
	names("a group of a missing topic", groups.EnsureGroup(within(t), group, []string{topic}, oms.Start{}), oms.ErrNotFound, "exchange")
	names("making a topic", admin.CreateTopic(within(t), oms.TopicSpec{Name: topic}), oms.ErrUnsupported, "declare=none")
	must(t, ch.ExchangeDeclare(topic, amqp.ExchangeFanout, true, false, false, false, nil))
	names("a group without its queue", groups.EnsureGroup(within(t), group, []string{topic}, oms.Start{}), oms.ErrNotFound, queue)
	_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
	must(t, err)
	must(t, ch.QueueBind(queue, "", topic, false, nil))
	ensure(t, c, group, topic)
	flow(t, c, topic, group)
	members := func(want ...oms.Member) func() bool {
		return func() bool { // the queue notices a moment later who has gone
			got, err := groups.Members(within(t), group, []string{topic})
			must(t, err)
			return slices.Equal(got, want)
		}
	}
	until(t, "having no members", members())
	_, err = ch.Consume(queue, "", true, false, false, false, nil)
	must(t, err)
	until(t, "taking a foreign consumer for a member", members(oms.Member{Name: "guests#0"}))
	names("deleting a group with members", groups.DeleteGroup(within(t), group, []string{topic}), oms.ErrBusy, "guests#0")
	names("deleting a topic", admin.DeleteTopic(within(t), topic), oms.ErrUnsupported, "declare=none")
}

// The patterns are those of the page on RabbitMQ.
func TestPermissionsThatThePageListsAreEnough(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	ch := b.native(t)
	must(t, ch.ExchangeDeclare("allowed.by.others", amqp.ExchangeTopic, true, false, false, false, nil))
	_, err := ch.QueueDeclare("reader:allowed.by.others:0", true, false, false, false, nil)
	must(t, err)
	must(t, ch.QueueBind("reader:allowed.by.others:0", "#", "allowed.by.others", false, nil))
	must(t, b.admit(within(t), "maker", "secret", permission{`^(oms\..*|allowed\..*|reader:.*)$`, `^(amq\.default|oms\..*|allowed\..*|reader:.*)$`, `^(oms\..*|allowed\..*|reader:.*)$`}))
	must(t, b.admit(within(t), "user", "secret", permission{`^$`, `^allowed\..*$`, `^reader:.*$`}))
	as := func(user, options string) oms.Conn {
		ap := b.point(t, options)
		ap.User, ap.Password = user, "secret"
		return openAt(t, ap)
	}
	maker := as("maker", "")
	makeTopic(t, maker, "allowed.partitions", 3)
	ensure(t, maker, "reader", "allowed.partitions")
	makeTopic(t, maker, "allowed.topic", 1)
	ensure(t, maker, "reader", "allowed.topic")
	flow(t, maker, "allowed.topic", "reader")
	must(t, maker.(oms.GroupAdmin).DeleteGroup(within(t), "reader", []string{"allowed.topic", "allowed.partitions"}))
	must(t, maker.(oms.TopicAdmin).DeleteTopic(within(t), "allowed.partitions"))
	want(t, "making what is not allowed", maker.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: "forbidden"}), oms.ErrDenied)

	user := as("user", "?declare=none")
	ensure(t, user, "reader", "allowed.by.others")
	flow(t, user, "allowed.by.others", "reader")
	ensure(t, b.open(t, ""), "reader", "forbidden.topic")
	err = outcome(t, start(t, sender(t, user), numbered("forbidden.topic", 0, 1)...))
	want(t, "sending where it is not allowed", err, oms.ErrDenied)
	ensure(t, b.open(t, ""), "stranger", "allowed.topic")
	_, err = receiver(t, user, oms.ReceiverConfig{Topics: []string{"allowed.topic"}, Group: "stranger"}).Receive(within(t), 1)
	want(t, "receiving where it is not allowed", err, oms.ErrDenied)
}

// The broker closes the channel over such a message, which leaves the outcome
// of others on their way unknown.
func TestABodyThatIsTooLargeForTheBrokerIsToldOf(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := b.open(t, "")
	ensure(t, c, "small", "large.bodies")
	s := sender(t, c)
	msgs := numbered("large.bodies", 0, 3)
	msgs[1].Body = make([]byte, brokersLargest+1)
	must(t, outcome(t, start(t, s, msgs[0])))
	err := outcome(t, start(t, s, msgs...))
	want(t, "the large one", oms.FailureOf(err, 1), oms.ErrTooLarge)
	if code := oms.CodeOf(oms.FailureOf(err, 2)); code != oms.ErrAborted && code != oms.ErrUnknown {
		t.Errorf("what is behind it: %v", err)
	}
	until(t, "sending behind it", func() bool { return follow(t, s, msgs[2]) == nil })
}
