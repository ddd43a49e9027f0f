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
)

// present reports whether a member is still there.
func (r *roster) present(ctx context.Context, id, inbox string) bool {
	if inbox == r.session.inbox {
		r.mu.Lock()
		defer r.mu.Unlock()
		for ear := range r.ears {
			if ear.id == id {
				return true
			}
		}
		return false
	}
	return !r.former(id) && r.answers(ctx, inbox)
}

// former reports whether a member of another session was one of this very
// connection. Its session is over, which after a network cut the server may
// take minutes to notice.
func (r *roster) former(id string) bool {
	return strings.HasPrefix(id, memberName(r.conn, ""))
}

// answers asks a session whether it is alive. Only the server's word that
// nobody listens there counts as no, and only twice in a row: in a cluster it
// may not have got about yet.
func (r *roster) answers(ctx context.Context, inbox string) bool {
	for range 2 {
		_, err := r.session.nc.RequestWithContext(ctx, inbox+"."+answerAlive, nil)
		if !errors.Is(err, nats.ErrNoResponders) {
			return true
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return true
		}
	}
	return false
}

// sweep removes members of a group whose session is dead, and reports whether
// there are members of other sessions left to watch.
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
		if m.Session == r.session.inbox {
			continue
		}
		if !r.former(id) && r.answers(ctx, m.Session) {
			others = true
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
