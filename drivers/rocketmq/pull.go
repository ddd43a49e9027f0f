package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

const (
	pullRecords = 32 // brokers give no more
	// pullWait is how long a broker keeps a request for what is not there. It
	// looks every holdTick at the requests that it keeps, and so answers later.
	pullWait  = 15 * time.Second
	holdTick  = 5 * time.Second
	pullAgain = time.Second // after an error
	// The flags of that request: wait when there is nothing, and the subscription is
	// in the request. The broker's own position is left alone.
	pullFlags = 2 | 4
)

// pull takes messages of a partition from the broker until ctx is done or the
// partition is held no longer. What there is no room for is left there, and asked for
// again: nothing is kept beyond MaxUnacked.
func (r *receiver) pull(ctx context.Context, p *part) {
	for ctx.Err() == nil {
		offset, generation, waiting, ok := r.pullFrom(ctx, p)
		if !ok {
			select {
			case <-p.kick:
			case <-p.over:
				return
			case <-ctx.Done():
			}
			continue
		}
		again, err := r.pullOnce(waiting, p, offset, generation)
		if waiting.Err() != nil {
			again = 0
		} else if err != nil {
			again = pullAgain
			r.trouble(p, err)
		}
		if !p.peer.alive() {
			signal(r.work) // run notices
			return
		}
		if again > 0 {
			wait := time.NewTimer(again)
			select {
			case <-wait.C:
			case <-ctx.Done():
			}
			wait.Stop()
		}
	}
}

// pullOnce waits until there is something and takes it, or comes back when
// there was nothing for a while. The client library takes messages; it cannot
// be told to stop waiting for some, so that is the driver's own request, on the
// session's connection.
func (r *receiver) pullOnce(ctx context.Context, p *part, offset, generation int64) (again time.Duration, err error) {
	if offset >= p.end {
		if again, err = r.await(ctx, p, offset, generation); offset >= p.end {
			return again, err
		}
	}
	from := primitive.MessageQueue{Topic: p.native, BrokerName: p.queue.broker, QueueId: p.queue.id}
	result, err := r.conn.library.readers.pull(ctx, from, offset, min(pullRecords, r.cfg.MaxUnacked))
	if err != nil {
		if answer := answerOf("broker "+p.queue.broker, err); answer != nil {
			err = answer
		}
		return 0, err
	}
	switch result.Status {
	case primitive.PullFound:
		msgs, err := storedOf(result.GetMessageExts())
		if err != nil {
			return 0, err
		}
		p.end = result.MaxOffset
		r.admit(p, msgs, offset, result.NextBeginOffset, generation)
		return 0, nil
	case primitive.PullNoMsgMatched:
		if result.NextBeginOffset > offset {
			r.admit(p, nil, offset, result.NextBeginOffset, generation)
			return 0, nil
		}
	case primitive.PullNoNewMsg:
		p.end = offset
		return 0, nil
	default:
		// Illegal, it says; a replica that is behind would say so, too, so the
		// master is asked.
	}
	p.end = offset
	if again, err = r.await(ctx, p, offset, generation); p.end > offset {
		again = pullAgain // a broker that asks for patience
	}
	return again, err
}

// await asks the master to answer once the queue has something at the offset.
// The answer brings the first message along, which is not taken: p.end says
// that it is there.
func (r *receiver) await(ctx context.Context, p *part, offset, generation int64) (again time.Duration, _ error) {
	a, err := p.peer.ask(ctx, r.peers.command(reqPull, r.awaitFields(p, offset), nil), r.conn.pullWait+holdTick+r.conn.options.timeout)
	answer, answered := errors.AsType[*answerError](err)
	switch {
	case err == nil:
		end, err := fieldOffset(a, "maxOffset")
		p.end = max(end, offset+1)
		return 0, err
	case answered && answer.code == resPullNotFound:
		return 0, nil
	case answered && answer.code == resPullRetry:
		next, err := fieldOffset(a, "nextBeginOffset")
		if err != nil {
			return 0, err
		}
		if next <= offset {
			return pullAgain, nil
		}
		r.admit(p, nil, offset, next, generation)
		return 0, nil
	case answered && answer.code == resPullMoved:
		return 0, r.moved(p, a, offset, generation)
	}
	return 0, err
}

// pullFrom returns where to pull next, if there is room for what comes.
func (r *receiver) pullFrom(ctx context.Context, p *part) (offset, generation int64, waiting context.Context, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !p.active || p.paused || p.full || p.gap != nil || !r.hasRoom(0) {
		return 0, 0, nil, false
	}
	if p.abort != nil {
		p.abort()
	}
	waiting, p.abort = context.WithCancel(ctx)
	return p.next, p.generation, waiting, true
}

// hasRoom reports whether a message of that size may be taken in. One may be
// out always.
func (r *receiver) hasRoom(size int) bool {
	return r.unacked == 0 || r.unacked < r.cfg.MaxUnacked && r.unackedBytes+size <= r.cfg.MaxUnackedBytes
}

func (r *receiver) awaitFields(p *part, offset int64) map[string]string {
	return map[string]string{
		"consumerGroup": r.conn.options.native(r.cfg.Group), "topic": p.native, "queueId": strconv.Itoa(p.queue.id), "bname": p.queue.broker,
		"queueOffset": strconv.FormatInt(offset, 10), "maxMsgNums": "1",
		"sysFlag": strconv.Itoa(pullFlags), "commitOffset": "0", "suspendTimeoutMillis": strconv.FormatInt(r.conn.pullWait.Milliseconds(), 10),
		"subscription": "*", "subVersion": "0", "expressionType": "TAG",
	}
}

// moved notes that the broker does not have the offset: retention has removed
// it, or it is behind the end. Reading goes on where the log begins or ends,
// once OnGap was told.
func (r *receiver) moved(p *part, a *command, offset, generation int64) error {
	lowest, err := fieldOffset(a, "minOffset")
	if err != nil {
		return err
	}
	next, err := fieldOffset(a, "maxOffset")
	if err != nil {
		return err
	}
	to := min(max(offset, lowest, 0), max(next, 0))
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.generation != generation || p.next != offset {
		return nil
	}
	if to == offset {
		return &oms.Error{Code: oms.ErrUnavailable, Err: errors.New("the broker refuses an offset that it has")}
	}
	p.gap = &oms.Gap{Partition: p.id, From: offset, To: to}
	p.next = to
	signal(r.work)
	return nil
}

// admit takes in the messages that there is room for. Those behind, and where
// the next would be, only count when all were taken.
func (r *receiver) admit(p *part, msgs []stored, offset, next, generation int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.generation != generation || p.next != offset || !p.active {
		return
	}
	tagHeader := r.conn.options.tagHeader
	for _, s := range msgs {
		if s.offset < p.next {
			continue
		}
		m := &oms.Message{Topic: p.id.Topic, Partition: p.id.Number, Offset: s.offset}
		if err := unwrap(m, s.properties, s.body, s.born, tagHeader); err != nil {
			// Somebody else's property of that name: nothing is lost of it.
			*m = oms.Message{
				Topic: p.id.Topic, Partition: p.id.Number, Offset: s.offset,
				Body: s.body, Headers: foreignHeaders(s.properties, tagHeader), BornAt: s.born,
			}
		}
		size := m.Size()
		if !r.hasRoom(size) {
			p.full = true
			signal(r.data)
			return
		}
		p.add(m)
		r.unacked++
		r.unackedBytes += size
	}
	p.next = max(p.next, next)
	if len(msgs) > 0 {
		signal(r.data)
	}
}

// trouble tells of an error that a pull came back with: the next Receive
// returns those that waiting does not mend.
func (r *receiver) trouble(p *part, err error) {
	r.conn.routes.renew(p.id.Topic)
	if answer, ok := errors.AsType[*answerError](err); ok && answer.code == resNoGroup {
		r.fail(classify("receive", r.cfg.Group, fmt.Errorf("the broker does not know the group and makes none by itself; have an administrator make it: %w", err)))
		return
	}
	err = classify("receive", p.id.String(), err)
	r.conn.log.Debug("pull", "partition", p.id.String(), "error", err)
	if !oms.IsTemporary(err) && codeOf(err) != oms.ErrNotFound && codeOf(err) != oms.ErrAborted {
		r.fail(err)
	}
}

// fail has the next Receive return an error.
func (r *receiver) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = err
	signal(r.data)
}
