package rocketmq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A queue is what the broker calls a partition.
type queue struct {
	broker string
	id     int
}

// A route is where the queues of a topic are. The number of a partition is its
// place in queues.
type route struct {
	topic   string
	native  string
	queues  []queue
	masters map[string]string // address by name of broker
	asked   time.Time
}

// address returns where the master of a queue is.
func (r *route) address(q queue) (string, error) {
	if a := r.masters[q.broker]; a != "" {
		return a, nil
	}
	return "", &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("the name server knows no master of broker %s", q.broker)}
}

// brokers returns the addresses of all masters, sorted by the broker's name.
func (r *route) brokers() []string {
	var as []string
	for _, name := range slices.Sorted(maps.Keys(r.masters)) {
		as = append(as, r.masters[name])
	}
	return as
}

// routes are what the name servers have said.
type routes struct {
	conn *conn

	mu   sync.Mutex
	by   map[string]*route
	seen map[string]bool // brokers that were there once
}

const (
	routeAge   = 30 * time.Second
	routeAgain = 2 * time.Second // where no name server answers
)

// of returns the route of a topic. A missing topic is ErrNotFound. While no
// name server answers, what was known last holds.
func (rs *routes) of(ctx context.Context, topic string) (*route, error) {
	r, isFresh := rs.known(topic)
	if isFresh {
		return r, nil
	}
	fresh, err := rs.now(ctx, topic)
	if r == nil || err == nil || codeOf(err) == oms.ErrNotFound {
		return fresh, err
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	stale := *r
	stale.asked = time.Now().Add(routeAgain - routeAge)
	rs.by[topic] = &stale
	return &stale, nil
}

// known returns what was said last, and whether that is recent.
func (rs *routes) known(topic string) (r *route, isFresh bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r = rs.by[topic]
	return r, r != nil && time.Since(r.asked) < routeAge
}

// now asks for the route of a topic. One without queues is as good as deleted:
// that is how it is left while it is being deleted.
func (rs *routes) now(ctx context.Context, topic string) (*route, error) {
	fresh, err := rs.found(ctx, topic)
	switch {
	case err != nil:
		return nil, err
	case len(fresh.masters) == 0:
		return nil, errNoMaster
	case len(fresh.queues) == 0:
		return nil, &oms.Error{Code: oms.ErrNotFound, Err: errors.New("the topic has no queues: it is being deleted; where that was broken off, delete it again")}
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if old := rs.by[topic]; old != nil {
		fresh.queues = merged(old.queues, fresh.queues)
	}
	rs.by[topic] = fresh
	for name := range fresh.masters {
		rs.seen[name] = true
	}
	return fresh, nil
}

var errNoMaster = &oms.Error{Code: oms.ErrUnavailable, Err: errors.New("the name server knows no master with queues of the topic")}

// found asks the name servers for the route of a topic, and makes sure that one
// that they do not have is missing.
func (rs *routes) found(ctx context.Context, topic string) (*route, error) {
	fresh, err := rs.ask(ctx, topic)
	if codeOf(err) == oms.ErrNotFound {
		if err := rs.missing(ctx, err); codeOf(err) != oms.ErrNotFound {
			return nil, err
		}
		// A broker may have come back between the two questions.
		if fresh, err = rs.ask(ctx, topic); codeOf(err) == oms.ErrNotFound {
			rs.drop(topic)
		}
	}
	return fresh, err
}

// missing tells a topic that is not there from one whose brokers are away:
// name servers forget a broker that stops, and its topics with it.
func (rs *routes) missing(ctx context.Context, err error) error {
	data, failed := rs.conn.cluster(ctx)
	if failed != nil {
		return failed
	}
	if masters := data.masters(); len(masters) > 0 {
		if denied := rs.conn.admitted(ctx, masters[0]); codeOf(denied) == oms.ErrDenied {
			return denied
		}
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for name := range data.BrokerAddrTable {
		rs.seen[name] = true
	}
	if len(data.masters()) == 0 || len(data.BrokerAddrTable) < len(rs.seen) {
		return &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("brokers are away, and perhaps the topic with them: %s", err.Error())}
	}
	return err
}

// admitted asks a broker for something that needs no permission but right
// keys: name servers know no keys, and tell everybody of topics.
func (c *conn) admitted(ctx context.Context, address string) error {
	_, err := c.askBroker(ctx, address, reqMaxOffset, map[string]string{"topic": "TBW102", "queueId": "0"})
	if answer, ok := errors.AsType[*answerError](err); ok && answerCode(answer.code, answer.remark) != oms.ErrDenied {
		return nil //nolint:nilerr // it has no such queue, and that is an answer
	}
	return err
}

// merged keeps the numbers of the partitions that were known: new queues come
// behind them, and those whose broker is away keep their place.
func merged(old, fresh []queue) []queue {
	all := slices.Clone(old)
	for _, q := range fresh {
		if !slices.Contains(all, q) {
			all = append(all, q)
		}
	}
	return all
}

// renew has the route asked for again when it is next needed.
func (rs *routes) renew(topic string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.by[topic]; r != nil {
		old := *r
		old.asked = time.Time{}
		rs.by[topic] = &old
	}
}

// drop forgets a topic with the numbers of its partitions.
func (rs *routes) drop(topic string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.by, topic)
}

// What name servers say of a topic, and of the cluster.
type (
	brokerData struct {
		Cluster     string            `json:"cluster"`
		BrokerName  string            `json:"brokerName"`
		BrokerAddrs map[string]string `json:"brokerAddrs"` // "0" is the master
	}
	routeData struct {
		QueueDatas []struct {
			BrokerName     string `json:"brokerName"`
			ReadQueueNums  int    `json:"readQueueNums"`
			WriteQueueNums int    `json:"writeQueueNums"`
		} `json:"queueDatas"`
		BrokerDatas []brokerData `json:"brokerDatas"`
	}
	clusterData struct {
		BrokerAddrTable  map[string]brokerData `json:"brokerAddrTable"`
		ClusterAddrTable map[string][]string   `json:"clusterAddrTable"`
	}
)

func (rs *routes) ask(ctx context.Context, topic string) (*route, error) {
	native := rs.conn.options.native(topic)
	a, err := rs.conn.askName(ctx, reqRoute, map[string]string{"topic": native})
	if err != nil {
		return nil, err
	}
	var data routeData
	if err := decodeJSON(a.body, &data); err != nil {
		return nil, err
	}
	return data.route(topic, native), nil
}

func (d *routeData) route(topic, native string) *route {
	r := &route{topic: topic, native: native, masters: make(map[string]string), asked: time.Now()}
	for _, b := range d.BrokerDatas {
		if master := b.BrokerAddrs["0"]; master != "" {
			r.masters[b.BrokerName] = master
		}
	}
	for _, q := range d.QueueDatas {
		for id := range max(q.ReadQueueNums, q.WriteQueueNums) {
			r.queues = append(r.queues, queue{broker: q.BrokerName, id: id})
		}
	}
	slices.SortFunc(r.queues, func(a, b queue) int {
		return cmp.Or(cmp.Compare(a.broker, b.broker), cmp.Compare(a.id, b.id))
	})
	return r
}

// cluster asks which brokers there are.
func (c *conn) cluster(ctx context.Context) (*clusterData, error) {
	a, err := c.askName(ctx, reqClusterInfo, nil)
	if err != nil {
		return nil, err
	}
	var data clusterData
	if err := decodeJSON(a.body, &data); err != nil {
		return nil, err
	}
	return &data, nil
}

// masters returns the addresses of all masters by name, sorted.
func (d *clusterData) masters() (as []string) {
	for _, name := range slices.Sorted(maps.Keys(d.BrokerAddrTable)) {
		if a := d.BrokerAddrTable[name].BrokerAddrs["0"]; a != "" {
			as = append(as, a)
		}
	}
	return as
}

// askName asks the name servers in turn, until one answers.
func (c *conn) askName(ctx context.Context, code int, fields map[string]string) (*command, error) {
	var errs []error
	for _, host := range c.options.hosts {
		a, err := c.peers.ask(ctx, host, code, fields, nil)
		answer, answered := errors.AsType[*answerError](err)
		if answered && answer.code == resNotSupported {
			return a, &oms.Error{Code: oms.ErrInvalid, Err: fmt.Errorf("%s is no name server; is it a broker? name servers listen on port %s: %w", host, defaultPort, err)}
		}
		if err == nil || answered || ctx.Err() != nil {
			return a, err
		}
		errs = append(errs, fmt.Errorf("name server %s: %w", host, err))
	}
	return nil, errors.Join(errs...)
}

// askBroker asks a broker. Its address is what the name server has given: an
// error says so, because that is what is wrong where it cannot be reached.
func (c *conn) askBroker(ctx context.Context, address string, code int, fields map[string]string) (*command, error) {
	a, err := c.peers.ask(ctx, address, code, fields, nil)
	return a, advertised(address, err)
}

func advertised(address string, err error) error {
	if _, answered := errors.AsType[*answerError](err); err == nil || answered || oms.CodeOf(err) != oms.ErrUnavailable {
		return err
	}
	return fmt.Errorf("broker at %s, the address that the name server gives (brokerIP1): %w", address, err)
}
