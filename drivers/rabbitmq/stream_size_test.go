package rabbitmq_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// prefetchOf returns how many messages consumers of a queue may have out, as
// the broker tells it. One whose channel has ended is listed for a while.
func (b *broker) prefetchOf(t *testing.T, queue string) (most int) {
	t.Helper()
	text, err := b.ask(within(t), http.MethodGet, nil, "consumers", "/")
	must(t, err)
	var all []struct {
		Queue    struct{ Name string }
		Channel  json.RawMessage `json:"channel_details"` // an empty array if there is none
		Prefetch int             `json:"prefetch_count"`
	}
	must(t, json.Unmarshal(text, &all))
	for _, c := range all {
		if c.Queue.Name == queue && string(c.Channel) != "[]" {
			most = max(most, c.Prefetch)
		}
	}
	return most
}

// A new consumer goes on where the former one was: nothing comes twice, and
// nothing is left out.
func TestThePrefetchOfAStreamFollowsTheSizeOfMessagesBothWays(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	c := b.open(t, asStream)
	const topic, group, queue = "streams.sizes", "of-sizes-of-streams", "oms.stream:streams.sizes:0"
	begin(t, c, group, topic)
	s := sender(t, c)
	w := &told{}
	cfg := w.config(group, topic)
	cfg.MaxUnackedBytes = 1 << 20
	r := receiver(t, c, cfg)
	prefetch := func(what string, n int) {
		t.Helper()
		until(t, what, func() bool { return b.prefetchOf(t, queue) == n })
	}
	prefetch("beginning with small messages", smallMessages)
	must(t, outcome(t, start(t, s, sized(topic, 0, 20, 10)...)))
	must(t, outcome(t, start(t, s, sized(topic, 20, 30, 300<<10)...)))
	prefetch("taking few large ones, with some in hand", 3)
	inOrder(t, r, 0, 30)
	must(t, outcome(t, start(t, s, sized(topic, 30, 1300, 10)...)))
	inOrder(t, r, 30, 1300)
	prefetch("taking as many as before", smallMessages)
	must(t, outcome(t, start(t, s, sized(topic, 1300, 1400, 10)...)))
	inOrder(t, r, 1300, 1400)
	gaps, _, revoked := w.all()
	equal(t, "the gaps", gaps, []oms.Gap(nil))
	equal(t, "what was revoked", revoked, []oms.Partition(nil))
}
