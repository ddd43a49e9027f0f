package kafka

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// Back-off of joining, and of OnAssigned.
const (
	joinFirst = 100 * time.Millisecond
	joinMost  = 5 * time.Second
)

// A membership is the receiver's time in the group over one connection to its
// coordinator, which is of its own: the coordinator answers who joins when all
// have come, and nothing else on that connection before.
type membership struct {
	*receiver
	broker  *sarama.Broker
	seen    map[string]*topic      // what was there when the group was joined
	settled map[string]bool        // topics whose group had its start settled
	reborn  map[string]bool        // topics that were made anew: positions are of the old one
	begun   map[oms.Partition]bool // partitions of these that have begun since
	target  map[oms.Partition]bool
	leader  bool
	again   time.Time     // when to ask OnAssigned once more
	backoff time.Duration // until then
}

// run keeps the receiver in its group.
func (r *receiver) run() {
	defer close(r.finished)
	m := &membership{receiver: r, settled: make(map[string]bool), reborn: make(map[string]bool), begun: make(map[oms.Partition]bool)}
	wait := joinFirst
	for r.ctx.Err() == nil {
		begin := time.Now()
		err := m.belong(r.ctx)
		r.loseAll()
		if r.ctx.Err() != nil {
			break
		}
		m.tellLost(r.ctx)
		if errors.Is(err, sarama.ErrFencedInstancedId) {
			r.fence()
			break
		}
		err = classify("join the group", r.cfg.Group, err)
		slog.Debug("a member of a group has lost its session, or did not get one", "group", r.cfg.Group, "err", err)
		r.complain(err)
		if time.Since(begin) > joinMost {
			wait = joinFirst
		}
		if sleep.For(r.ctx, wait) != nil {
			break
		}
		wait = min(2*wait, joinMost)
	}
	m.leaveGroup()
	r.flows.Wait()
	_ = r.consumer.Close()
}

// belong joins the group and stays in it until something is lost.
func (m *membership) belong(ctx context.Context) error {
	for _, t := range m.cfg.Topics {
		if m.settled[t] {
			continue
		}
		there, err := m.conn.topics(ctx, t)
		if err == nil && there[t] != nil {
			if err = m.conn.settleStart(ctx, m.cfg.Group, []string{t}, m.cfg.Start); err == nil {
				m.settled[t] = true
			}
		}
		if err != nil {
			return err
		}
	}
	if err := m.connect(ctx); err != nil {
		return err
	}
	defer func() { _ = m.broker.Close() }()
	for {
		if err := m.join(ctx); err != nil {
			return err
		}
		if err := m.generate(ctx); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

func (m *membership) connect(ctx context.Context) error {
	c, err := m.conn.coordinator(ctx, m.cfg.Group, true)
	if err != nil {
		return err
	}
	cfg := *m.client.Config() // with its dialer: no connection comes behind its end
	cfg.Net.ReadTimeout = m.conn.options.rebalance + m.conn.options.requestTimeout
	m.broker = sarama.NewBroker(c.Addr())
	return run(ctx, func() error {
		if err := m.broker.Open(&cfg); err != nil {
			return err
		}
		_, err := m.broker.Connected()
		return err
	})
}

// generate lives through one generation of the group, and returns when there
// is to be another.
func (m *membership) generate(ctx context.Context) error {
	ctx, h := m.beat(ctx)
	defer h.stop()
	commits := time.NewTicker(commitEvery)
	defer commits.Stop()
	for {
		m.tellLost(ctx)
		if m.revokeGone(ctx) && !m.conn.options.eager {
			return h.err()
		}
		m.tellGaps() //nolint:contextcheck // what flows outlives the generation
		m.assignComing(ctx)
		var retry <-chan time.Time
		if !m.again.IsZero() {
			retry = time.After(time.Until(m.again))
		}
		select {
		case <-ctx.Done():
			return h.err()
		case <-h.rejoin:
			if m.conn.options.eager {
				m.target = nil
				m.revokeGone(ctx)
			}
			return nil
		case <-commits.C:
			quick, cancel := context.WithTimeout(ctx, m.conn.options.heartbeat)
			_ = m.commitQuietly(quick) // who needs to know flushes
			cancel()
		case <-m.work:
		case <-retry:
		}
	}
}

// commitQuietly is flush that leaves lost acknowledgements for a Flush to
// tell.
func (m *membership) commitQuietly(ctx context.Context) error {
	m.mu.Lock()
	lost := m.lostAcks
	m.mu.Unlock()
	if lost {
		return nil
	}
	return m.flush(ctx)
}

// revokeGone lets the receiver settle what is not its own any more, and
// releases it: when OnRevoked returns, or when the group waits no longer.
func (m *membership) revokeGone(ctx context.Context) bool {
	m.mu.Lock()
	var gone []*claim
	for _, c := range m.order {
		if !m.target[c.id] {
			c.active = false
			c.stop()
			gone = append(gone, c)
		}
	}
	m.mu.Unlock()
	if len(gone) == 0 {
		return false
	}
	release := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, c := range gone {
			c.release()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, m.conn.options.rebalance)
	defer cancel()
	stop := context.AfterFunc(ctx, release)
	defer stop()
	m.tellRevoked(ctx, partitionsOf(gone))
	_ = m.commitQuietly(ctx) // what did not get through is told by a Flush
	release()
	return true
}

func (m *membership) tellRevoked(ctx context.Context, ps []oms.Partition) {
	if m.cfg.OnRevoked != nil && len(ps) > 0 {
		m.cfg.OnRevoked(ctx, ps)
	}
}

// tellLost tells of partitions that were lost without warning.
func (m *membership) tellLost(ctx context.Context) {
	m.mu.Lock()
	lost := m.lost
	m.lost = nil
	m.mu.Unlock()
	m.tellRevoked(ctx, lost)
}

// loseAll ends all claims at once.
func (r *receiver) loseAll() { r.lose(func(*claim) bool { return true }) }

func (r *receiver) lose(which func(*claim) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range slices.Clone(r.order) {
		if which(c) {
			r.lost = append(r.lost, c.id)
			c.release()
		}
	}
	signal(r.work)
}

// tellGaps tells of messages that are gone, and goes on behind them.
func (m *membership) tellGaps() {
	m.mu.Lock()
	var with []*claim
	for _, c := range m.order {
		if c.gap != nil && c.active {
			with = append(with, c)
		}
	}
	m.mu.Unlock()
	for _, c := range with {
		m.mu.Lock()
		gap := c.gap
		m.mu.Unlock()
		if gap == nil {
			continue
		}
		if m.cfg.OnGap != nil {
			m.cfg.OnGap(*gap)
		}
		m.mu.Lock()
		if c.live && c.gap == gap {
			c.gap, c.next = nil, gap.To
			c.start()
		}
		m.mu.Unlock()
	}
}
