package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/sleep"
)

// A heart tells the coordinator that the member lives, and notices what
// becomes of its generation. Its goroutine ends with stop.
type heart struct {
	membership *membership
	ctx        context.Context //nolint:containedctx // ends when the generation is lost
	lose       context.CancelCauseFunc
	rejoin     chan struct{} // closed: there is to be another generation
	ended      chan struct{}
}

var errStopped = errors.New("the generation is over")

func (m *membership) beat(ctx context.Context) (context.Context, *heart) {
	h := &heart{membership: m, rejoin: make(chan struct{}), ended: make(chan struct{})}
	h.ctx, h.lose = context.WithCancelCause(ctx)
	go h.run()
	return h.ctx, h
}

func (h *heart) stop() {
	h.lose(errStopped)
	<-h.ended
}

// err is why the generation was lost, nil if it was not.
func (h *heart) err() error {
	if cause := context.Cause(h.ctx); cause != nil && !errors.Is(cause, errStopped) {
		return cause
	}
	return nil
}

func (h *heart) run() {
	defer close(h.ended)
	m := h.membership
	o := m.conn.options
	last := time.Now()
	rejoining := false
	for sleep.For(h.ctx, o.heartbeat) == nil {
		sent := time.Now()
		err := h.send()
		switch {
		case h.ctx.Err() != nil:
			return
		case err == nil:
			last = sent
		case errors.Is(err, sarama.ErrRebalanceInProgress):
			last = sent
			if !rejoining {
				rejoining = true
				close(h.rejoin)
			}
		case staleSession(err):
			_ = m.forgotten(err)
			m.loseAll()
			h.lose(err)
			return
		case time.Since(last) > o.session:
			// Others may have the partitions by now.
			m.loseAll()
			h.lose(err)
			return
		}
		if !rejoining && err == nil && h.changed() {
			rejoining = true
			close(h.rejoin)
		}
	}
}

// send makes one attempt, within the time that is left to make another.
func (h *heart) send() error {
	m := h.membership
	ctx, cancel := context.WithTimeout(h.ctx, max(m.conn.options.session/3, m.conn.options.heartbeat))
	defer cancel()
	m.mu.Lock()
	s := m.sessionNow()
	m.mu.Unlock()
	request := &sarama.HeartbeatRequest{Version: 3, GroupId: s.group, GenerationId: s.generation, MemberId: s.member, GroupInstanceId: s.instance}
	_, err := coordinated(ctx, m.conn, s.group, func(b *sarama.Broker) (struct{}, error) {
		answer, err := b.Heartbeat(request)
		if err == nil {
			err = kerror(answer.Err)
		}
		return struct{}{}, err
	})
	return err
}

// changed reports whether topics have come, gone, grown, or been made anew
// since the group was joined. Partitions of those that are gone are lost.
func (h *heart) changed() bool {
	m := h.membership
	names := make(map[string]bool)
	for _, t := range m.cfg.Topics {
		names[t] = true
	}
	for t := range m.seen {
		names[t] = true
	}
	list := make([]string, 0, len(names))
	for t := range names {
		list = append(list, t)
	}
	there, err := m.conn.topics(h.ctx, list...)
	if err != nil {
		return false
	}
	changed := false
	for t := range names {
		before, now := m.seen[t], there[t]
		if before != nil && (now == nil || now.id != before.id) {
			m.mu.Lock()
			m.renewed = append(m.renewed, t)
			m.mu.Unlock()
			m.lose(func(c *claim) bool {
				if c.id.Topic == t {
					c.committed = c.position() // nothing of the old topic comes again
				}
				return c.id.Topic == t
			})
			changed = true
		}
		if now != nil && (before == nil || now.partitions != before.partitions) {
			changed = true
		}
	}
	return changed
}
