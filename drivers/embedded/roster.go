package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// A roster is who receives for which group, and who holds which partition, as
// a session sees it. It stands in a key-value bucket of the broker's, so that
// members in other processes see the same.
//
// A member belongs to a session, and is there as long as the session answers
// for it at its inbox: the server knows at once when a connection is gone, so
// no heartbeats are written. All members compute the same distribution from
// the same list. It becomes true by leases: a partition is read only by the
// member that made the partition's key, and the key is made only when there is
// none, or its holder is not there any more.
type roster struct {
	conn    *conn
	session *session
	kv      jetstream.KeyValue

	mu      sync.Mutex
	members map[string]map[string]member // by group, encoded, and id
	seen    map[string]uint64            // revision of what is known of each key
	ears    map[*receiver]string         // receivers here, with their groups, encoded
}

// A member is an entry of the bucket.
type member struct {
	Session string   `json:"session"`
	Topics  []string `json:"topics"`
}

func newRoster(c *conn, s *session, kv jetstream.KeyValue) *roster {
	r := &roster{
		conn: c, session: s, kv: kv,
		members: make(map[string]map[string]member), seen: make(map[string]uint64), ears: make(map[*receiver]string),
	}
	s.answer(answerAlive, r.vouch)
	return r
}

func memberKey(group, id string) string { return "m." + encode(group) + "." + id }

func leaseKey(group string, p oms.Partition) string {
	return "l." + encode(group) + "." + encode(p.Topic) + "." + strconv.Itoa(p.Number)
}

// follow keeps the roster up to date until the session ends.
func (r *roster) follow(w jetstream.KeyWatcher, complete chan<- struct{}) {
	defer func() { _ = w.Stop() }()
	for {
		select {
		case entry, ok := <-w.Updates():
			switch {
			case !ok:
				return
			case entry == nil:
				close(complete)
			default:
				r.see(entry)
			}
		case <-r.session.lost:
			return
		}
	}
}

// see takes a change in, and wakes the receivers of the group.
func (r *roster) see(entry jetstream.KeyValueEntry) {
	kind, rest, _ := strings.Cut(entry.Key(), ".")
	group, id, _ := strings.Cut(rest, ".")
	r.mu.Lock()
	defer r.mu.Unlock()
	if kind == "m" {
		r.note(group, id, entry)
	}
	for ear, g := range r.ears {
		if g == group {
			ear.wakeSteward()
		}
	}
}

// note changes the list of members. The lock must be held.
func (r *roster) note(group, id string, entry jetstream.KeyValueEntry) {
	if entry.Revision() < r.seen[entry.Key()] {
		return
	}
	if entry.Operation() != jetstream.KeyValuePut {
		delete(r.seen, entry.Key())
		delete(r.members[group], id)
		if len(r.members[group]) == 0 {
			delete(r.members, group)
		}
		return
	}
	var m member
	if json.Unmarshal(entry.Value(), &m) != nil {
		return // not ours
	}
	if r.members[group] == nil {
		r.members[group] = make(map[string]member)
	}
	r.seen[entry.Key()] = entry.Revision()
	r.members[group][id] = m
}

// watchTopics wakes receivers when topics come or go, so that they need not
// ask.
func (r *roster) watchTopics() error {
	_, err := r.session.nc.Subscribe("$JS.EVENT.ADVISORY.STREAM.*.*", func(m *nats.Msg) {
		i := strings.LastIndexByte(m.Subject, '.')
		topic, _, ok := topicOf(m.Subject[i+1:])
		if !ok {
			return
		}
		r.conn.topics.forget(topic)
		r.mu.Lock()
		defer r.mu.Unlock()
		for ear := range r.ears {
			if slices.Contains(ear.cfg.Topics, topic) {
				ear.hinted.Store(time.Now().UnixNano())
				ear.wakeSteward()
			}
		}
	})
	return err
}

// join enters a receiver, and returns when the roster here shows it. When that
// fails, nothing of it stays.
func (r *roster) join(ctx context.Context, m *receiver) (err error) {
	group := encode(m.cfg.Group)
	r.mu.Lock()
	r.ears[m] = group // before anybody can ask for it
	r.mu.Unlock()
	defer func() {
		if err != nil {
			r.leave(ctx, m) // the entry may have been made all the same
		}
	}()
	timed, cancel := r.session.within(ctx)
	defer cancel()
	entry := member{Session: r.session.inbox, Topics: m.cfg.Topics}
	value, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	rev, err := r.kv.Put(timed, memberKey(m.cfg.Group, m.id), value)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[group] == nil {
		r.members[group] = make(map[string]member)
	}
	r.members[group][m.id] = entry
	r.seen[memberKey(m.cfg.Group, m.id)] = rev
	return nil
}

// leave takes a receiver out, also for a caller who waits no longer: what
// stayed behind would own partitions as long as the session lives.
func (r *roster) leave(ctx context.Context, m *receiver) {
	r.mu.Lock()
	delete(r.ears, m)
	r.mu.Unlock()
	ctx, cancel := r.session.within(context.WithoutCancel(ctx))
	defer cancel()
	_ = r.kv.Delete(ctx, memberKey(m.cfg.Group, m.id)) // with the session dead, others see that
}

// owner tells whose partition it is by the list of members.
func (r *roster) owner(group string, p oms.Partition) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id, m := range r.members[encode(group)] {
		if slices.Contains(m.Topics, p.Topic) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	slices.Sort(ids)
	// Topics with few partitions do not all begin at the same member.
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.Topic)) // never fails
	return ids[(int(h.Sum32()>>1)+p.Number)%len(ids)]
}

// acquire takes the lease of a partition. It is not granted while a living
// member holds it; who waits is woken when the key goes.
func (r *roster) acquire(ctx context.Context, m *receiver, p oms.Partition) (bool, error) {
	ctx, cancel := r.session.within(ctx)
	defer cancel()
	key, value := leaseKey(m.cfg.Group, p), []byte(r.session.inbox+" "+m.id)
	_, err := r.kv.Create(ctx, key, value)
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return err == nil, err
	}
	entry, err := r.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, nil // gone just now: its deletion wakes us
	}
	if err != nil {
		return false, err
	}
	inbox, id, _ := strings.Cut(string(entry.Value()), " ")
	if id == m.id && inbox == r.session.inbox {
		return true, nil
	}
	if r.present(ctx, id, inbox) {
		return false, nil
	}
	_, err = r.kv.Update(ctx, key, value, entry.Revision())
	if errors.Is(err, jetstream.ErrKeyExists) {
		return false, nil // somebody else took it
	}
	return err == nil, err
}

// release gives a lease back, as leave does.
func (r *roster) release(ctx context.Context, m *receiver, p oms.Partition) error {
	ctx, cancel := r.session.within(context.WithoutCancel(ctx))
	defer cancel()
	return r.kv.Delete(ctx, leaseKey(m.cfg.Group, p))
}
