package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// defaultLimit is how often RabbitMQ 4 delivers a message of a quorum queue
// that does not say otherwise.
const defaultLimit = 20

// A found queue is one that is there, as the management API tells of it. AMQP
// tells nothing about it.
type foundQueue struct {
	Type      string          `json:"type"`
	Arguments json.RawMessage `json:"arguments"`                   // an object, or an empty array
	Policy    json.RawMessage `json:"effective_policy_definition"` // the same
}

// settings are what arguments or policies may say, under the names of
// policies; arguments have x- before them.
type settings struct {
	limit                      *float64
	exchange, strategy, excess string
}

func readSettings(text json.RawMessage, prefix string) settings {
	var all map[string]any
	if json.Unmarshal(text, &all) != nil {
		return settings{} // an empty array
	}
	word := func(name string) string {
		s, _ := all[prefix+name].(string)
		return s
	}
	s := settings{exchange: word("dead-letter-exchange"), strategy: word("dead-letter-strategy"), excess: word("overflow")}
	if n, ok := all[prefix+"delivery-limit"].(float64); ok {
		s.limit = &n
	}
	return s
}

// limit returns after how many deliveries a queue drops a message, and whether
// it does. The lower one of argument and policy counts; below zero there is no
// limit from RabbitMQ 4 on, and one that is reached at once before.
func (q foundQueue) limit(version string) (int, bool) {
	if q.Type != "quorum" {
		return 0, false
	}
	argument, policy := readSettings(q.Arguments, "x-").limit, readSettings(q.Policy, "").limit
	modern := major(version) >= 4
	var n float64
	switch {
	case argument == nil && policy == nil:
		return defaultLimit, modern
	case argument == nil:
		n = *policy
	case policy == nil:
		n = *argument
	case modern && (*argument < 0 || *policy < 0):
		n = max(*argument, *policy)
	default:
		n = min(*argument, *policy)
	}
	return max(0, int(n)), !modern || n >= 0
}

// keeps reports whether what the queue drops is dead-lettered, and safely so.
func (q foundQueue) keeps() bool {
	argument, policy := readSettings(q.Arguments, "x-"), readSettings(q.Policy, "")
	either := func(x, y string) string { // an argument goes before a policy
		if x != "" {
			return x
		}
		return y
	}
	return either(argument.exchange, policy.exchange) != "" &&
		either(argument.strategy, policy.strategy) == "at-least-once" &&
		either(argument.excess, policy.excess) == "reject-publish"
}

// refusal is the error for a queue that drops messages. Crashes of consumers
// count as deliveries of all that they had prefetched, so it would lose what
// nobody has looked at.
func (q foundQueue) refusal(name, vhost, version string) error {
	n, limited := q.limit(version)
	if !limited || q.keeps() {
		return nil
	}
	const policy = `{"dead-letter-exchange":"EXCHANGE","dead-letter-strategy":"at-least-once","overflow":"reject-publish"}`
	return invalid(fmt.Sprintf(
		"queue %s drops a message after %d deliveries, which crashes use up for messages that nobody has seen, and does not dead-letter it safely: "+
			"set a policy such as rabbitmqctl set_policy --vhost '%s' --apply-to queues '%s' '^%s$' '%s', with a queue bound to EXCHANGE; "+
			"or delete the queue, and the driver makes one without a limit",
		name, n, vhost, name, regexp.QuoteMeta(name), policy))
}

// examine refuses a queue that drops messages. It needs the management API;
// without management.url nothing is known and nothing refused.
func (c *conn) examine(ctx context.Context, name string) error {
	if c.opts.management == "" || c.topics.isSound(name) {
		return nil
	}
	s, err := c.in.session(ctx)
	if err != nil {
		return err
	}
	var q foundQueue
	if err := c.lookAt(ctx, &q, "queues", c.opts.vhost, name); err != nil {
		return fmt.Errorf("look at queue %s by management.url: %w", name, err)
	}
	version, _ := s.conn.Properties["version"].(string)
	if err := q.refusal(name, c.opts.vhost, version); err != nil {
		return err
	}
	c.topics.setSound(name)
	return nil
}

// lookAt has v be what the management API tells of something.
func (c *conn) lookAt(ctx context.Context, v any, path ...string) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.rpcTimeout)
	defer cancel()
	escaped := make([]string, len(path))
	for i, part := range path {
		escaped[i] = url.PathEscape(part)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.opts.management+"/api/"+strings.Join(escaped, "/"), http.NoBody)
	if err != nil {
		return err
	}
	request.SetBasicAuth(c.opts.user, c.opts.password.Reveal())
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	if request.URL.Scheme == "https" {
		if transport.TLSClientConfig, err = c.opts.tlsConfig(request.URL.Hostname()); err != nil {
			return err
		}
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return &oms.Error{Code: oms.ErrUnavailable, Err: err}
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return &oms.Error{Code: oms.ErrDenied, Err: errors.New("the user may not: it needs the tag management or monitoring")}
	default: // a queue that is not told yet, or a node that is ending
		return &oms.Error{Code: oms.ErrUnavailable, Err: errors.New(answer.Status)}
	}
	const most = 1 << 20
	if err = json.NewDecoder(io.LimitReader(answer.Body, most)).Decode(v); err != nil {
		return &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("the answer is none of the management API: %w", err)}
	}
	return nil
}

// isSound reports whether a queue was looked at lately.
func (t *topicCache) isSound(queue string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen, ok := t.sound[queue]
	return ok && time.Since(seen) < trustTopics
}

func (t *topicCache) setSound(queue string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sound == nil {
		t.sound = make(map[string]time.Time)
	}
	t.sound[queue] = time.Now()
}
