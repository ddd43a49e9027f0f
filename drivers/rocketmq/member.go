package rocketmq

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

const (
	lookEvery  = 5 * time.Second        // at the members, where nothing has happened
	claimAgain = 200 * time.Millisecond // a partition that another still holds
	joinAgain  = time.Second            // after an error
	keepEvery  = 10 * time.Second       // heartbeats and locks
	callWait   = time.Minute            // how long OnAssigned and OnRevoked may take
)

// run joins the group and brings what the receiver holds to what it should
// hold. It makes every callback.
func (r *receiver) run(ctx context.Context) {
	for ctx.Err() == nil {
		r.tellLost(ctx)
		r.tellGaps()
		again := r.turnOnce(ctx)
		wait := time.NewTimer(again)
		select {
		case <-r.work:
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// turnOnce does one round, and returns when the next is due.
func (r *receiver) turnOnce(ctx context.Context) time.Duration {
	r.dropLost()
	routes, complete, err := r.join(ctx)
	if err == nil {
		err = r.look(ctx, routes)
	}
	if err != nil {
		if ctx.Err() == nil {
			err = classify("receive", r.cfg.Group, err)
			r.conn.log.Debug("join", "group", r.cfg.Group, "error", err)
			if !oms.IsTemporary(err) && codeOf(err) != oms.ErrNotFound { // join waits for a topic
				r.fail(err)
			}
		}
		return joinAgain
	}
	wanted := r.wanted(routes)
	r.revoke(ctx, func(id oms.Partition) bool { _, ok := wanted[id]; return !ok })
	claimed, err := r.claim(ctx, routes, wanted)
	switch {
	case err != nil:
		r.conn.log.Debug("claim", "group", r.cfg.Group, "error", err)
		return joinAgain
	case !complete:
		return joinAgain
	case !claimed:
		return claimAgain
	}
	return lookEvery
}

// join asks for the routes of the topics and makes the receiver known to their
// brokers. A topic that does not exist is waited for.
func (r *receiver) join(ctx context.Context) (routes []*route, complete bool, err error) {
	complete = true
	for _, topic := range r.cfg.Topics {
		found, err := r.conn.routes.of(ctx, topic)
		if codeOf(err) == oms.ErrNotFound {
			complete = false
			r.mu.Lock()
			r.late[topic] = true
			r.mu.Unlock()
			continue
		}
		if err != nil {
			return nil, false, err
		}
		routes = append(routes, found)
	}
	return routes, complete, r.greet(ctx, routes)
}

// look asks the brokers who else is a member, and releases what is left of
// those that have gone.
func (r *receiver) look(ctx context.Context, routes []*route) error {
	members := []string{r.name}
	for _, address := range addresses(routes) {
		ids, err := r.conn.membersAt(ctx, r.peers, address, r.cfg.Group)
		if err != nil {
			return advertised(address, err)
		}
		members = append(members, ids...)
	}
	slices.Sort(members)
	members = slices.Compact(members)
	for _, name := range members {
		if !sameTopics(name, r.name) {
			return &oms.Error{Code: oms.ErrInvalid, Err: fmt.Errorf("member %s of the group receives from other topics; a group has one list of topics", name)}
		}
	}
	members = slices.DeleteFunc(members, func(name string) bool { return !strings.HasPrefix(name, memberPrefix) })
	r.mu.Lock()
	before := r.roster
	r.roster = members
	r.mu.Unlock()
	for _, name := range before {
		if !slices.Contains(members, name) {
			// Its connection is gone and with it what it held; its locks would
			// last a minute.
			r.unlockAs(ctx, name, routes)
		}
	}
	return nil
}

// memberPrefix begins the names of this driver's members. Others that brokers
// know in the group take no part in the sharing.
const memberPrefix = "omconnect-"

// memberName is what brokers and other members know a receiver by. It ends
// with a sum of the topics, so that members can tell that they have the same.
func memberName(instance string, number int, topics []string) string {
	h := fnv.New32a()
	for _, topic := range topics {
		h.Write([]byte(topic + " ")) // no topic has a space
	}
	return memberPrefix + instance + "-" + strconv.Itoa(number) + "-" + fmt.Sprintf("%08x", h.Sum32())
}

// sameTopics reports whether two members have the same topics, as far as their
// names tell.
func sameTopics(a, b string) bool {
	if !strings.HasPrefix(a, memberPrefix) || !strings.HasPrefix(b, memberPrefix) {
		return true
	}
	return a[strings.LastIndexByte(a, '-'):] == b[strings.LastIndexByte(b, '-'):]
}

// wanted are the partitions that this member should hold. Every member comes
// to the same shares.
func (r *receiver) wanted(routes []*route) map[oms.Partition]queue {
	r.mu.Lock()
	members := r.roster
	r.mu.Unlock()
	mine := make(map[oms.Partition]queue)
	for _, found := range routes {
		h := fnv.New32a()
		h.Write([]byte(found.topic))
		for n, q := range found.queues {
			if members[(int(h.Sum32()>>1)+n)%len(members)] == r.name {
				mine[oms.Partition{Topic: found.topic, Number: n}] = q
			}
		}
	}
	return mine
}

// revoke gives up the partitions that are said to go: nothing more of them is
// received, OnRevoked may settle what is out, and then others may have them.
func (r *receiver) revoke(ctx context.Context, goes func(oms.Partition) bool) {
	var going []*part
	r.mu.Lock()
	for _, p := range r.sorted() {
		if goes(p.id) {
			p.active = false
			going = append(going, p)
			if p.abort != nil {
				p.abort()
			}
		}
	}
	r.mu.Unlock()
	if len(going) == 0 {
		return
	}
	r.call(ctx, func(ctx context.Context) {
		if r.cfg.OnRevoked != nil {
			r.cfg.OnRevoked(ctx, ids(going))
		}
	})
	for _, p := range going {
		if err := r.commit(context.WithoutCancel(ctx), p); err != nil {
			r.conn.log.Warn("flush before a hand-over; messages come again", "partition", p.id.String(), "error", err)
		}
	}
	r.remove(going)
	r.unlock(context.WithoutCancel(ctx), going)
}

// topicGone ends what is held of a topic that was deleted. One of that name
// that is made later counts its offsets anew, and may have come to the same
// ones before a pull notices.
func (r *receiver) topicGone(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, p := range r.parts {
		if id.Topic == topic {
			p.robbed, p.gone = true, true
		}
	}
	if slices.Contains(r.cfg.Topics, topic) {
		r.late[topic] = true
		signal(r.work)
	}
}

// remove ends partitions' sessions.
func (r *receiver) remove(ps []*part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range ps {
		if r.parts[p.id] != p {
			continue
		}
		p.active, p.gone = false, true
		if p.abort != nil {
			p.abort()
		}
		r.free(p.drain())
		delete(r.parts, p.id)
		close(p.over)
	}
}

// dropLost ends the partitions whose session is gone. OnRevoked is told of
// them afterwards.
func (r *receiver) dropLost() {
	r.mu.Lock()
	var lost []*part
	for _, p := range r.sorted() {
		if !p.peer.alive() || p.robbed {
			lost = append(lost, p)
			if p.told {
				r.lost = append(r.lost, p.id)
			}
		}
	}
	r.mu.Unlock()
	r.remove(lost)
}

func ids(ps []*part) []oms.Partition {
	all := make([]oms.Partition, len(ps))
	for i, p := range ps {
		all[i] = p.id
	}
	return all
}

func addresses(routes []*route) (all []string) {
	for _, r := range routes {
		all = append(all, r.brokers()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
