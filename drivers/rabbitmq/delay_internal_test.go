package rabbitmq

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// wait is how long the queues of a delay hold a message back together.
func wait(delay time.Duration) (sum time.Duration) {
	for _, s := range steps(delay) {
		sum += s.lasts()
	}
	return sum
}

func TestADelayIsTheSumOfItsSteps(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	delays := []time.Duration{1, time.Millisecond, delayUnit, delayUnit + 1, time.Second, time.Minute, time.Hour, 24 * time.Hour, longestDelay - 1, longestDelay}
	for range 10_000 {
		delays = append(delays, time.Duration(1+r.Int64N(1<<(1+r.IntN(51)))))
	}
	for _, d := range delays {
		if d > longestDelay {
			continue
		}
		all := steps(d)
		if len(all) == 0 || len(all) > delayDigits {
			t.Fatalf("a delay of %v has %d steps, want 1 to %d", d, len(all), delayDigits)
		}
		for i, s := range all {
			if s.digit < 1 || s.digit >= delayBase || s.level < 0 || s.level >= delayLevels {
				t.Fatalf("a delay of %v has the step %v", d, s)
			}
			if i > 0 && s.level >= all[i-1].level {
				t.Fatalf("a delay of %v goes up from %v to %v", d, all[i-1], s)
			}
		}
		if sum := wait(d); sum < d || sum > d+d/256+delayUnit {
			t.Fatalf("a delay of %v takes %v", d, sum)
		}
	}
}

func TestTheLongestDelayIsOneThatQueuesCanHave(t *testing.T) {
	t.Parallel()
	if sum := wait(longestDelay); sum != longestDelay {
		t.Errorf("the longest delay, %v, takes %v", longestDelay, sum)
	}
	if longest := (step{delayLevels - 1, delayBase - 1}).lasts().Milliseconds(); longest > math.MaxUint32 {
		t.Errorf("a queue has a time to live of %d ms, RabbitMQ takes %d", longest, uint32(math.MaxUint32))
	}
	o := options{declare: declareFull}
	if err := o.checkDelay(longestDelay); err != nil {
		t.Errorf("the longest delay: %v", err)
	}
	if err := o.checkDelay(longestDelay + 1); oms.CodeOf(err) != oms.ErrInvalid {
		t.Errorf("one that is longer: %v, want %v", err, oms.ErrInvalid)
	}
}

func TestADelayedMessageHasTheDigitsOfItsWay(t *testing.T) {
	t.Parallel()
	m := &oms.Message{Topic: "t", Delay: 5 * delayUnit, ExpiresAt: time.Now().Add(time.Hour)} // 11 in digits
	p, err := encode(m, 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if exchange := entrance(m, &p); exchange != "oms.delay:t:1" {
		t.Errorf("it is published to %q", exchange)
	}
	if p.Expiration != "" {
		t.Errorf("it has the expiration %q, which would end its delay", p.Expiration)
	}
	digits := amqp.Table{headerDelay: int64(80), "oms-delay-1": int32(1), "oms-delay-0": int32(1), "oms-delay-2": nil}
	for name, want := range digits {
		if p.Headers[name] != want {
			t.Errorf("its header %s is %v, want %v", name, p.Headers[name], want)
		}
	}
	d := &amqp.Delivery{Headers: p.Headers}
	d.Headers["x-death"] = []any{amqp.Table{"count": int64(1)}}
	d.Headers["x-first-death-queue"], d.Headers["x-last-death-reason"] = "q", "expired"
	got := decode(d, "t")
	if len(got.Headers) != 0 || got.Delay != 0 || got.ExpiresAt.UnixMilli() != m.ExpiresAt.UnixMilli() {
		t.Errorf("it arrives with headers %q, a delay of %v and the expiry %v", got.Headers, got.Delay, got.ExpiresAt)
	}
	prompt := &oms.Message{Topic: "t"}
	if exchange := entrance(prompt, &p); exchange != "t" {
		t.Errorf("a message without a delay is published to %q", exchange)
	}
}

func TestBindingsTakeRoutingKeysAsTheirExchangesDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, pattern, key string
		want               bool
	}{
		{"topic", "#", "0", true},
		{"topic", "*", "0", true},
		{"topic", "0", "0", true},
		{"topic", "#.0", "0", true},
		{"topic", "#.#", "7", true},
		{"topic", "1", "0", false},
		{"topic", "*.*", "0", false},
		{"topic", "0.#.*", "0", false},
		{"topic", "", "0", false},
		{"topic", "orders.#", "0", false},
		{"direct", "0", "0", true},
		{"direct", "#", "0", false},
		{"fanout", "whatever", "0", true},
		{"headers", "", "0", true},
	} {
		if got := takes(c.kind, c.pattern, c.key); got != c.want {
			t.Errorf("a binding of a %s exchange by %q takes %q: %t, want %t", c.kind, c.pattern, c.key, got, c.want)
		}
	}
}
