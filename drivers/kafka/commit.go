package kafka

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// commitEvery is how often positions are committed that nobody flushes, for
// those who watch the lag.
const commitEvery = time.Second

// Flush implements oms.Receiver. Acknowledgements that were lost with a
// partition are ErrStaleDelivery, once.
func (r *receiver) Flush(ctx context.Context) error {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return fail("flush", r.cfg.Group, oms.ErrClosed, nil)
	}
	return classify("flush", r.cfg.Group, r.flush(ctx))
}

// flush commits positions until the broker has all of them, or the partitions
// are lost.
func (r *receiver) flush(ctx context.Context) error {
	select {
	case r.flushing <- struct{}{}:
		defer func() { <-r.flushing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		s, claims, positions, lost := r.uncommitted()
		if lost {
			return fail("flush", r.cfg.Group, oms.ErrStaleDelivery, errors.New("acknowledgements were lost with the partitions; their messages come again"))
		}
		if len(positions) == 0 {
			return nil
		}
		err := r.conn.commit(ctx, s, positions)
		if err == nil {
			r.mu.Lock()
			for _, c := range claims {
				if c.live && c.committed != positions[c.id] {
					c.committed = positions[c.id]
				}
			}
			r.mu.Unlock()
			return nil
		}
		if !staleSession(err) && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return err
		}
		// A rebalance is on its way: the group has a new generation, or had
		// one without us. Or a topic is gone, or not known yet everywhere.
		// All of that shows soon.
		if err := sleep.For(ctx, retryFirst); err != nil {
			return err
		}
	}
}

// staleSession reports whether a commit was refused because the group has
// moved on.
func staleSession(err error) bool {
	return errors.Is(err, sarama.ErrRebalanceInProgress) || errors.Is(err, sarama.ErrIllegalGeneration) ||
		errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrFencedInstancedId)
}

// uncommitted returns what is to be committed, and as whom.
func (r *receiver) uncommitted() (s session, claims []*claim, positions map[oms.Partition]int64, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lost, r.lostAcks = r.lostAcks, false; lost {
		return s, nil, nil, true
	}
	positions = make(map[oms.Partition]int64)
	for _, c := range r.order {
		if at := c.position(); at != c.committed {
			positions[c.id] = at
			claims = append(claims, c)
		}
	}
	return r.sessionNow(), claims, positions, false
}

// sessionNow is as whom the receiver acts. The caller holds mu.
func (r *receiver) sessionNow() session {
	return session{group: r.cfg.Group, generation: r.generation, member: r.member, instance: r.instanceID()}
}

func (r *receiver) instanceID() *string {
	if r.instance == "" {
		return nil
	}
	return &r.instance
}

func comparePartitions(a, b oms.Partition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
}
