package rabbitmq_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// Crashes of consumers count as deliveries of all that they had prefetched.
// Without a limit that drops nothing.
func TestAConsumerThatIsKilledOftenLosesNothing(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	proxy, err := omstest.NewProxy(b.point(t, "").Hosts[0])
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	const topic, group, n, kills = "killed", "victims", 500, 30
	sane := b.open(t, "")
	ensure(t, sane, group, topic)
	must(t, outcome(t, start(t, sender(t, sane), numbered(topic, 0, n)...)))
	r := receiver(t, openAt(t, parse(t, "oms:rabbitmq://"+proxy.Addr()+"/")), oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnacked: n})
	for range kills {
		receive(t, r, n)
		proxy.KillConnections()
	}
	must(t, r.Close(within(t)))
	last := receiver(t, sane, oms.ReceiverConfig{Topics: []string{topic}, Group: group, MaxUnacked: n})
	msgs := receive(t, last, n)
	equal(t, "what is left", bodies(msgs), bodies(numbered(topic, 0, n)))
	if msgs[0].Deliveries <= kills {
		t.Errorf("delivery %d of a message after %d crashes", msgs[0].Deliveries, kills)
	}
	must(t, last.Ack(within(t), msgs))
	must(t, last.Close(within(t)))
	lag, err := sane.(oms.LagReporter).Lag(within(t), group, []string{topic})
	must(t, err)
	equal(t, "the lag at last", lag[oms.Partition{Topic: topic}], int64(0))
}

func TestAQueueThatDropsMessagesIsRefused(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	ch, c := b.native(t), b.open(t, "?management.url="+b.management())
	const topic, group, queue = "dropping", "losers", "losers:dropping:0"
	makeTopic(t, c, topic, 1)
	_, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int32(5)})
	must(t, err)
	refused := func(err error) {
		t.Helper()
		want(t, "a queue with a limit", err, oms.ErrInvalid)
		for _, part := range []string{queue, "after 5 deliveries", "rabbitmqctl set_policy --vhost '/'", "'^losers:dropping:0$'", "at-least-once"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v: it does not say %q", err, part)
			}
		}
	}
	refused(c.(oms.GroupAdmin).EnsureGroup(within(t), group, []string{topic}, oms.Start{}))
	r := receiver(t, c, oms.ReceiverConfig{Topics: []string{topic}, Group: group})
	_, err = r.Receive(within(t), 1)
	refused(err)
	// The policy that the error names, with an exchange and a queue behind it.
	must(t, ch.ExchangeDeclare("graveyard", amqp.ExchangeFanout, true, false, false, false, nil))
	_, err = ch.QueueDeclare("graves", true, false, false, false, nil)
	must(t, err)
	must(t, ch.QueueBind("graves", "", "graveyard", false, nil))
	must(t, b.put(within(t), map[string]any{
		"pattern": "^losers:dropping:0$", "apply-to": "queues",
		"definition": map[string]string{"dead-letter-exchange": "graveyard", "dead-letter-strategy": "at-least-once", "overflow": "reject-publish"},
	}, "policies", "/", queue))
	until(t, "a policy that saves the queue", func() bool {
		return c.(oms.GroupAdmin).EnsureGroup(within(t), group, []string{topic}, oms.Start{}) == nil
	})
	must(t, outcome(t, start(t, sender(t, c), numbered(topic, 0, 1)...)))
	until(t, "receiving from it", func() bool {
		msgs, err := r.Receive(within(t), 1)
		return err == nil && len(msgs) == 1
	})
	flow(t, b.open(t, ""), "others.unlimited", ensured(t, b, "others.unlimited"))
}

// ensured makes a group for a topic, looked at by the management API, and
// returns its name.
func ensured(t *testing.T, b *broker, topic string) string {
	t.Helper()
	ensure(t, b.open(t, "?management.url="+b.management()), "winners", topic)
	return "winners"
}

// RabbitMQ 4 has a limit where nobody has set one, and none below zero.
func TestTheLimitOfAQueueDependsOnTheVersion(t *testing.T) {
	t.Parallel()
	const dlx = `"dead-letter-exchange":"x","dead-letter-strategy":"at-least-once","overflow":"reject-publish"`
	for i, c := range []struct {
		version, queue string
		limit          int // 0: it is taken
	}{
		{"3.10.8", `{"type":"quorum","arguments":{},"effective_policy_definition":[]}`, 0},
		{"4.1.0", `{"type":"quorum","arguments":{},"effective_policy_definition":[]}`, 20},
		{"4.1.0", `{"type":"classic","arguments":{}}`, 0},
		{"3.10.8", `{"type":"quorum","arguments":{"x-delivery-limit":7}}`, 7},
		{"4.1.0", `{"type":"quorum","arguments":{"x-delivery-limit":-1}}`, 0},
		{"4.1.0", `{"type":"quorum","arguments":{"x-delivery-limit":-1},"effective_policy_definition":{"delivery-limit":9}}`, 9},
		{"3.13.0", `{"type":"quorum","arguments":{"x-delivery-limit":12},"effective_policy_definition":{"delivery-limit":9}}`, 9},
		{"4.1.0", `{"type":"quorum","effective_policy_definition":{"delivery-limit":30}}`, 30},
		{"4.1.0", `{"type":"quorum","effective_policy_definition":{` + dlx + `}}`, 0},
		{"4.1.0", `{"type":"quorum","arguments":{"x-dead-letter-exchange":"x"}}`, 20},
		{"4.1.0", `{"type":"quorum","arguments":{"x-dead-letter-exchange":"y","x-overflow":"drop-head"},"effective_policy_definition":{` + dlx + `}}`, 20},
	} {
		f := startFake(t)
		f.with(func() { f.version = c.version })
		api := manage(t, http.StatusOK, c.queue)
		err := open(t, f, "management.url="+api).(oms.GroupAdmin).EnsureGroup(within(t), "g", []string{"t"}, oms.Start{})
		if c.limit == 0 {
			must(t, err)
			continue
		}
		want(t, fmt.Sprintf("queue %d", i), err, oms.ErrInvalid)
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("after %d deliveries", c.limit)) {
			t.Errorf("queue %d: %v, want a limit of %d", i, err, c.limit)
		}
	}
}

func TestWhatTheManagementAPIRefusesIsToldOf(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	must(t, b.admit(within(t), "unmanaged", "secret", everything))
	ap := b.point(t, "?management.url="+b.management())
	ap.User, ap.Password = "unmanaged", "secret"
	err := openAt(t, ap).(oms.GroupAdmin).EnsureGroup(within(t), "unmanaged", []string{"unmanaged"}, oms.Start{})
	want(t, "a user without a tag", err, oms.ErrDenied)
	if err == nil || !strings.Contains(err.Error(), "tag management") {
		t.Errorf("%v: it does not say what is missing", err)
	}
	f := startFake(t)
	for body, status := range map[string]int{"no JSON": http.StatusOK, "{}": http.StatusNotFound, "": http.StatusInternalServerError} {
		c := open(t, f, "management.url="+manage(t, status, body))
		want(t, http.StatusText(status), c.(oms.GroupAdmin).EnsureGroup(within(t), "g", []string{"t"}, oms.Start{}), oms.ErrUnavailable)
	}
	c := open(t, f, "management.url=http://127.0.0.1:1")
	want(t, "nobody there", c.(oms.GroupAdmin).EnsureGroup(within(t), "g", []string{"t"}, oms.Start{}), oms.ErrUnavailable)
}

// manage is a management API that answers always the same to guest.
func manage(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "guest" || password != "guest" || r.URL.EscapedPath() != "/api/queues/%2F/g:t:0" {
			http.Error(w, r.URL.Path, http.StatusTeapot)
			return
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
