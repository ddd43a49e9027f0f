package rocketmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"

	"github.com/omconnect/omconnect/oms"
)

// everywhere is a topic that all brokers have. By its route the library learns
// of the brokers, and tells them of itself: they ask only members of a group
// that they know.
const everywhere = "SELF_TEST_TOPIC"

// checkWait is how long the library's one goroutine for checks waits for one.
// What takes longer goes on, and counts when the broker asks again.
const checkWait = 5 * time.Second

// A halfProducer is what the driver uses of the library's producer of half
// messages.
type halfProducer interface {
	SendMessageInTransaction(ctx context.Context, m *primitive.Message) (*primitive.TransactionSendResult, error)
}

// A halfClient is the library's producer of a group's half messages. It is kept
// until the process ends, as the other clients are, and so are its answers: the
// broker may go on asking it when all senders of the group have closed here,
// and is told that nothing is decided.
type halfClient struct {
	group    string // as brokers know it
	producer halfProducer
	wait     time.Duration // see checkWait; tests are less patient
	known    atomic.Bool   // the library knows the brokers

	mu      sync.Mutex
	local   map[*primitive.Message]func() oms.Verdict // of messages on their way
	senders []*halfSender                             // that are open, the oldest first
	asked   map[string]*question
}

// A question is a check that runs, or whose answer nobody has taken yet.
type question struct {
	answered chan struct{}
	verdict  oms.Verdict
}

var _ primitive.TransactionListener = (*halfClient)(nil)

func newHalfClient(group string) *halfClient {
	return &halfClient{
		group: group, wait: checkWait, local: make(map[*primitive.Message]func() oms.Verdict), asked: make(map[string]*question),
	}
}

// half returns the producer of a group. It is made when it is first needed.
func (l *library) half(group string) (*halfClient, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.halves[group]; h != nil {
		return h, nil
	}
	h := newHalfClient(group)
	p, err := producer.NewTransactionProducer(h, l.producing("-half-"+group, group, h)...)
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	h.producer = p
	if l.halves == nil {
		l.halves = make(map[string]*halfClient)
	}
	l.halves[group] = h
	return h, nil
}

// Select gives a message the queue that it names. The one without is
// introduce's: it has done its work when it comes here, and goes nowhere.
func (h *halfClient) Select(m *primitive.Message, _ []*primitive.MessageQueue, _ string) *primitive.MessageQueue {
	if m.Queue == nil {
		h.known.Store(true)
	}
	return m.Queue
}

// introduce has the library look up the brokers, to which it then tells the
// group by itself, within a second of its start and every 30 seconds.
func (h *halfClient) introduce(ctx context.Context) error {
	if h.known.Load() {
		return nil
	}
	_, err := h.producer.SendMessageInTransaction(ctx, primitive.NewMessage(everywhere, []byte(placeholder)))
	if h.known.Load() {
		return nil
	}
	return &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("the client library does not find the brokers: %w", err)}
}

// send stores a half message, and calls local when it is stored. The library
// panics where a broker's answer does not say where that is: then nobody tells
// the verdict, and the broker asks.
func (h *halfClient) send(ctx context.Context, m *primitive.Message, local func() oms.Verdict) (status primitive.SendStatus, err error) {
	var began, returned bool
	h.mu.Lock()
	h.local[m] = func() oms.Verdict {
		began = true
		v := local()
		returned = true
		return v
	}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.local, m)
		h.mu.Unlock()
		if began && !returned {
			return // the panic is local's, and goes on
		}
		if v := recover(); v != nil && !returned {
			err = fmt.Errorf("the client library cannot read the answer: %v", v)
		}
	}()
	result, err := h.producer.SendMessageInTransaction(ctx, m)
	if err != nil {
		return 0, err
	}
	return result.Status, nil
}

// ExecuteLocalTransaction is called by the library in send, once the broker has
// the message.
func (h *halfClient) ExecuteLocalTransaction(m *primitive.Message) primitive.LocalTransactionState {
	h.mu.Lock()
	local := h.local[m]
	h.mu.Unlock()
	if local == nil {
		return primitive.UnkonwnState
	}
	return stateOf(local())
}

// CheckLocalTransaction is called by the library, on one goroutine for all
// checks.
func (h *halfClient) CheckLocalTransaction(m *primitive.MessageExt) primitive.LocalTransactionState {
	q := h.question(m)
	if q == nil {
		return primitive.UnkonwnState
	}
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case <-q.answered:
	case <-timer.C:
		return primitive.UnkonwnState
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.asked, uniqKey(m))
	return stateOf(q.verdict)
}

// question asks one of the senders about a message, if that is not being done
// already; nil where there is none that could be asked.
func (h *halfClient) question(m *primitive.MessageExt) *question {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := uniqKey(m)
	if q := h.asked[key]; q != nil {
		return q
	}
	if len(h.senders) == 0 {
		return nil
	}
	s := h.senders[0]
	q := &question{answered: make(chan struct{})}
	h.asked[key] = q
	s.checks.Go(func() {
		defer close(q.answered)
		q.verdict = s.verdict(m)
	})
	return q
}

// join and leave keep the list of the senders that may be asked. When leave has
// returned, no check of that sender begins.
func (h *halfClient) join(s *halfSender) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.senders = append(h.senders, s)
}

func (h *halfClient) leave(s *halfSender) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.senders = slices.DeleteFunc(h.senders, func(other *halfSender) bool { return other == s })
	if len(h.senders) == 0 {
		clear(h.asked)
	}
}

func uniqKey(m *primitive.MessageExt) string {
	if key := m.GetProperty(primitive.PropertyUniqueClientMessageIdKeyIndex); key != "" {
		return key
	}
	return m.OffsetMsgId
}

func stateOf(v oms.Verdict) primitive.LocalTransactionState {
	switch v {
	case oms.Commit:
		return primitive.CommitMessageState
	case oms.Rollback:
		return primitive.RollbackMessageState
	default:
		return primitive.UnkonwnState
	}
}

// errTakenBack is what became of a half message that the library has rolled back
// by itself.
var errTakenBack = errors.New("stored, and not flushed or replicated in time; the client library has rolled it back")
