package rocketmq

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Brokers have locks for queues: each belongs to one client of a group, and
// ends a minute after it was last asked for. Whoever has the lock reads.
type (
	lockedQueue struct {
		Topic      string `json:"topic"`
		BrokerName string `json:"brokerName"`
		QueueID    int    `json:"queueId"`
	}
	lockRequest struct {
		ConsumerGroup string        `json:"consumerGroup"`
		ClientID      string        `json:"clientId"`
		MQSet         []lockedQueue `json:"mqSet"`
	}
	lockAnswer struct {
		LockOKMQSet []lockedQueue `json:"lockOKMQSet"`
	}
)

func (p *part) locked() lockedQueue {
	return lockedQueue{Topic: p.native, BrokerName: p.queue.broker, QueueID: p.queue.id}
}

// lock asks for the locks of parts that share a session, and returns those
// that it got.
func (r *receiver) lock(ctx context.Context, session *peer, ps []*part) ([]*part, error) {
	body, err := r.lockBody(r.name, ps)
	if err != nil {
		return nil, err
	}
	// To the end: one that is given up might be granted after leave has given
	// everything back.
	a, err := session.ask(context.WithoutCancel(ctx), r.peers.command(reqLock, nil, body), r.conn.options.timeout)
	if err != nil {
		return nil, err
	}
	var got lockAnswer
	if err := decodeJSON(a.body, &got); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(ps), func(p *part) bool { return !slices.Contains(got.LockOKMQSet, p.locked()) }), nil
}

func (r *receiver) lockBody(client string, ps []*part) ([]byte, error) {
	request := lockRequest{ConsumerGroup: r.conn.options.native(r.cfg.Group), ClientID: client}
	for _, p := range ps {
		request.MQSet = append(request.MQSet, p.locked())
	}
	return json.Marshal(request)
}

// bySession groups parts by the connection that they stand on.
func bySession(ps []*part) map[*peer][]*part {
	groups := make(map[*peer][]*part)
	for _, p := range ps {
		groups[p.peer] = append(groups[p.peer], p)
	}
	return groups
}

// unlock gives locks back. Without an answer they end by themselves.
func (r *receiver) unlock(ctx context.Context, ps []*part) {
	r.locking.Lock()
	defer r.locking.Unlock()
	for session, some := range bySession(ps) {
		body, err := r.lockBody(r.name, some)
		if err == nil {
			_, err = session.ask(ctx, r.peers.command(reqUnlock, nil, body), r.conn.options.timeout)
		}
		if err != nil {
			r.conn.log.Debug("unlock; the lock ends by itself in a minute", "group", r.cfg.Group, "error", err)
		}
	}
}

// unlockAs gives back the locks of a member that is gone.
func (r *receiver) unlockAs(ctx context.Context, name string, routes []*route) {
	for _, found := range routes {
		byAddress := make(map[string][]*part)
		for _, q := range found.queues {
			if address, err := found.address(q); err == nil {
				byAddress[address] = append(byAddress[address], &part{native: found.native, queue: q})
			}
		}
		for address, ps := range byAddress {
			body, err := r.lockBody(name, ps)
			if err == nil {
				_, err = r.peers.ask(ctx, address, reqUnlock, nil, body)
			}
			if err != nil {
				r.conn.log.Debug("unlock for a member that is gone", "group", r.cfg.Group, "error", err)
			}
		}
	}
}

// keep renews heartbeats and locks, whatever a callback does meanwhile. A lock
// that is refused is somebody else's; a session that does not answer is gone
// with all of its partitions, which is long before the broker gives their
// locks to another. A member without partitions has to be heard of, too: brokers
// forget one after two minutes, and all others would share anew.
func (r *receiver) keep(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		r.renew(ctx)
		signal(r.work)
	}
}

// renew asks for all locks again. None is given back meanwhile: it would be
// asked for after that, and kept from others for a minute.
func (r *receiver) renew(ctx context.Context) {
	r.locking.Lock()
	defer r.locking.Unlock()
	r.mu.Lock()
	all := r.sorted()
	r.mu.Unlock()
	for session, ps := range bySession(all) {
		got, err := r.lock(ctx, session, ps)
		if err != nil {
			if _, answered := errors.AsType[*answerError](err); answered {
				session.drop(err) // it answers, and will not have us
			}
			continue
		}
		r.rob(ps, got)
	}
	for _, session := range r.peers.living() {
		if err := r.beat(ctx, session); err != nil {
			r.conn.log.Debug("heartbeat", "group", r.cfg.Group, "error", err)
		}
	}
}

// rob notes which locks were not got again.
func (r *receiver) rob(asked, got []*part) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range asked {
		if !slices.Contains(got, p) {
			p.robbed = true
		}
	}
}

// greet makes the receiver known to the brokers of its topics, once for each
// connection: brokers forget a member with its connection.
func (r *receiver) greet(ctx context.Context, routes []*route) error {
	for _, address := range addresses(routes) {
		session, err := r.peers.to(ctx, address)
		if err != nil {
			return advertised(address, err)
		}
		if r.greeted[address] == session {
			continue
		}
		for _, found := range routes {
			for _, group := range []string{r.cfg.Group, readerGroup} {
				if err := r.conn.makeGroup(ctx, r.peers, group, found.topic); err != nil {
					return err
				}
			}
		}
		if err := r.beat(ctx, session); err != nil {
			return advertised(address, err)
		}
		r.greeted[address] = session
	}
	return nil
}

// beat sends a heartbeat. The subscription is that of the whole group, as the
// brokers' tools show it; all members have the same.
func (r *receiver) beat(ctx context.Context, session *peer) error {
	type subscription struct {
		Topic          string   `json:"topic"`
		SubString      string   `json:"subString"`
		TagsSet        []string `json:"tagsSet"`
		CodeSet        []int    `json:"codeSet"`
		SubVersion     int64    `json:"subVersion"`
		ExpressionType string   `json:"expressionType"`
	}
	var subscriptions []subscription
	for _, topic := range r.cfg.Topics {
		subscriptions = append(subscriptions, subscription{
			Topic: r.conn.options.native(topic), SubString: "*", TagsSet: []string{}, CodeSet: []int{}, SubVersion: 1, ExpressionType: "TAG",
		})
	}
	body, err := json.Marshal(map[string]any{
		"clientID": r.name, "producerDataSet": []any{},
		"consumerDataSet": []any{map[string]any{
			"groupName": r.conn.options.native(r.cfg.Group), "consumeType": "CONSUME_ACTIVELY", "messageModel": "CLUSTERING",
			"consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "subscriptionDataSet": subscriptions, "unitMode": false,
		}},
	})
	if err != nil {
		return err
	}
	_, err = session.ask(ctx, r.peers.command(reqHeartbeat, nil, body), r.conn.options.timeout)
	return err
}

// leave gives everything back. The connections end next: a broker that does
// not answer forgets the member with its connection.
func (r *receiver) leave(ctx context.Context, held []*part) {
	haunt(r.name)
	r.remove(held)
	// All of the topics: a lock may have been given while we stopped asking.
	var routes []*route
	for _, topic := range r.cfg.Topics {
		if found, err := r.conn.routes.of(ctx, topic); err == nil {
			routes = append(routes, found)
		}
	}
	r.unlockAs(ctx, r.name, routes)
	for _, session := range r.greeted {
		if !session.alive() {
			continue
		}
		fields := map[string]string{"clientID": r.name, "consumerGroup": r.conn.options.native(r.cfg.Group)}
		if _, err := session.ask(ctx, r.peers.command(reqUnregister, fields, nil), r.conn.options.timeout); err != nil {
			r.conn.log.Debug("leave", "group", r.cfg.Group, "error", err)
		}
	}
}
