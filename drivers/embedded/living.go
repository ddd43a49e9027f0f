package embedded

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/internal/sleep"
)

// present reports whether a member is still there.
func (r *roster) present(ctx context.Context, id, inbox string) bool {
	if inbox == r.session.inbox {
		return r.here(id)
	}
	return !r.former(id) && r.answers(ctx, inbox, id)
}

// here reports whether a member is one of the roster's own receivers.
func (r *roster) here(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ear := range r.ears {
		if ear.id == id {
			return true
		}
	}
	return false
}

// gone is what a session answers about a member that it does not have. A
// receiver that was closed while it joined, or while the server did not
// answer, may have left an entry or a lease behind.
const gone = "gone"

// vouch answers for the receivers of the session.
func (r *roster) vouch(_ string, m *nats.Msg) {
	var answer []byte
	if !r.here(string(m.Data)) {
		answer = []byte(gone)
	}
	_ = m.Respond(answer)
}

// former reports whether a member of another session was one of this very
// connection. Its session is over, which after a network cut the server may
// take minutes to notice.
func (r *roster) former(id string) bool {
	return strings.HasPrefix(id, memberName(r.conn, ""))
}

// answers asks a session whether a member is there. Only its word that it does
// not have it counts as no, and the server's that nobody listens there, which
// only twice in a row: in a cluster it may not have got about yet.
func (r *roster) answers(ctx context.Context, inbox, id string) bool {
	for range 2 {
		m, err := r.session.nc.RequestWithContext(ctx, inbox+"."+answerAlive, []byte(id))
		if err == nil {
			return string(m.Data) != gone
		}
		if !errors.Is(err, nats.ErrNoResponders) {
			return true
		}
		if sleep.For(ctx, 100*time.Millisecond) != nil {
			return true
		}
	}
	return false
}

// sweep removes members of a group that are not there any more, and reports
// whether there are members of other sessions left to watch.
func (r *roster) sweep(ctx context.Context, group string) (others bool) {
	ctx, cancel := r.session.within(ctx)
	defer cancel()
	r.mu.Lock()
	list := maps.Clone(r.members[encode(group)])
	revisions := make(map[string]uint64, len(list))
	for id := range list {
		revisions[id] = r.seen[memberKey(group, id)]
	}
	r.mu.Unlock()
	for id, m := range list {
		if r.present(ctx, id, m.Session) {
			others = others || m.Session != r.session.inbox
			continue
		}
		r.strike(ctx, group, id, revisions[id])
	}
	return others
}

// strike removes a member's entry, unless it has changed: the member may be
// back with another session. What fails is tried again next time.
func (r *roster) strike(ctx context.Context, group, id string, revision uint64) {
	key := memberKey(group, id)
	if r.kv.Delete(ctx, key, jetstream.LastRevision(revision)) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[key] == revision { // the word of it may take a moment to come back
		delete(r.seen, key)
		delete(r.members[encode(group)], id)
	}
}

// names lists the living members of a group that receive from any of the
// topics.
func (r *roster) names(ctx context.Context, group string, topics []string) []string {
	r.sweep(ctx, group)
	r.mu.Lock()
	defer r.mu.Unlock()
	names := []string{}
	for id, m := range r.members[encode(group)] {
		if slices.ContainsFunc(m.Topics, func(t string) bool { return slices.Contains(topics, t) }) {
			names = append(names, id)
		}
	}
	slices.Sort(names)
	return names
}
