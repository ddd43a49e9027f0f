package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

var _ oms.TxOpener = (*conn)(nil)

// A transaction that nobody ends is ended by the brokers: it was somebody's who
// has died. This one is given that much longer than it is worked at, and never
// longer than brokers allow unless told otherwise.
const (
	txSlack = 30 * time.Second
	txMost  = 15 * time.Minute
)

// oldestTx is the first version in which whoever opens an id anew after trouble
// says who it was: an earlier owner cannot become the owner that way.
var oldestTx = sarama.V2_5_0_0 //nolint:gochecknoglobals // a constant

// A txSender sends each call as one transaction of Kafka's. It has one
// goroutine at most, mend, after a call that failed.
type txSender struct {
	conn    *conn
	client  sarama.Client // of its own connections
	id      string
	ctx     context.Context //nolint:containedctx // ends when the sender gives up
	giveUp  context.CancelFunc
	turn    chan struct{} // held by a call, by mend after it, and by Close
	keyless map[string]int

	// What follows is of whoever has the turn.
	closed    bool
	fenced    error // why the id is somebody else's
	dirty     bool  // a transaction may be open, or what is late on its way
	renewing  bool  // the epoch may be a newer one: the answer that says so has not come
	producer  int64
	epoch     int16
	sequences map[oms.Partition]int32
}

// OpenTx implements oms.TxOpener.
func (c *conn) OpenTx(ctx context.Context, id string) (oms.TxSender, error) {
	const op = "open transactions"
	if !c.options.version.IsAtLeast(oldestTx) {
		return nil, fail(op, id, oms.ErrUnsupported, errors.New(txTooOld))
	}
	if err := c.alive(op, id); err != nil {
		return nil, err
	}
	client, err := c.newClient(nil)
	if err != nil {
		return nil, classify(op, id, err)
	}
	s := &txSender{conn: c, client: client, id: id, turn: make(chan struct{}, 1), keyless: make(map[string]int), producer: noProducer}
	s.ctx, s.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	limit, cancel := context.WithTimeout(ctx, c.options.deliveryTimeout)
	defer cancel()
	if err := s.own(limit); err != nil {
		s.giveUp()
		_ = client.Close()
		return nil, classify(op, id, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		s.giveUp()
		_ = client.Close()
		return nil, fail(op, id, oms.ErrClosed, nil)
	}
	c.open[s] = true
	return s, nil
}

// SendAll implements oms.TxSender.
func (s *txSender) SendAll(ctx context.Context, msgs []*oms.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)() //nolint:contextcheck // the sender's end ends its calls as well
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return classify("send", s.id, ctx.Err())
	}
	err := s.transact(ctx, msgs)
	if s.dirty {
		go s.mend() //nolint:contextcheck // it outlives the call that has failed
	} else {
		<-s.turn
	}
	return err
}

// transact makes one transaction. The caller has the turn.
func (s *txSender) transact(ctx context.Context, msgs []*oms.Message) error {
	if s.closed {
		return fail("send", s.id, oms.ErrClosed, nil)
	}
	limit, cancel := context.WithTimeout(ctx, s.conn.options.deliveryTimeout)
	defer cancel()
	if s.fenced == nil && s.dirty {
		if err := s.clean(limit); err != nil {
			return s.none(err)
		}
	}
	if s.fenced != nil {
		return s.fenced
	}
	loads, err := s.load(limit, msgs)
	if err != nil {
		return err
	}
	s.dirty = true
	if err = s.begin(limit, loads); err == nil {
		err = s.store(limit, loads)
	}
	if err == nil {
		return s.commit(ctx)
	}
	if !isFenced(err) {
		return s.none(err)
	}
	switch cause := s.clean(limit); { // which tells whose the id is
	case s.fenced != nil:
		return s.fenced
	case cause != nil:
		return s.none(cause)
	default: // the brokers had ended the transaction: it took too long
		return fail("send", s.id, oms.ErrTimeout, err)
	}
}

// commit ends the transaction. Where no answer comes it asks again, until the
// time for that is over and the outcome stays unknown.
func (s *txSender) commit(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, s.conn.options.deliveryTimeout)
	defer cancel()
	maybe, err := s.end(limit, true)
	switch {
	case err == nil:
		s.dirty = false
		return nil
	case maybe:
		return fail("send", s.id, oms.ErrUnknown, err)
	case isFenced(err):
		return s.lose(err)
	default:
		return s.none(err)
	}
}

// mend ends what a call has left open, so that nobody waits for it until the
// brokers do. Where that does not succeed the next call tries again.
func (s *txSender) mend() {
	defer func() { <-s.turn }()
	limit, cancel := context.WithTimeout(s.ctx, s.conn.options.deliveryTimeout)
	defer cancel()
	_ = s.clean(limit)
}

// clean aborts the transaction that may be open, and begins a new epoch: what
// is still on its way is refused from now on. Or it finds out that the id is
// somebody else's.
func (s *txSender) clean(ctx context.Context) error {
	var err error
	if !s.renewing { // which aborts as well
		_, err = s.end(ctx, false)
	}
	if err == nil || errors.Is(err, sarama.ErrInvalidTxnState) { // none is open
		err = s.own(ctx)
	}
	if isFenced(err) {
		_ = s.lose(err)
		err = nil
	}
	s.dirty = err != nil
	return err
}

// lose notes that the id is somebody else's.
func (s *txSender) lose(err error) error {
	s.dirty = false
	s.fenced = fail("send", s.id, oms.ErrFenced, err)
	return s.fenced
}

// none is the error of a transaction of which nothing is or will be stored.
func (s *txSender) none(err error) error {
	err = classify("send", s.id, err)
	if errors.Is(err, oms.ErrUnknown) { // of a batch: the transaction is not committed
		return fail("send", s.id, oms.ErrUnavailable, errors.New(err.Error()))
	}
	return err
}

// isFenced reports whether an error says that there is another owner. From the
// leader of a partition it may also say that the transaction took too long.
func isFenced(err error) bool {
	return errors.Is(err, sarama.ErrProducerFenced) || errors.Is(err, sarama.ErrInvalidProducerEpoch) ||
		errors.Is(err, sarama.ErrInvalidProducerIDMapping)
}

// Close implements oms.TxSender.
func (s *txSender) Close(ctx context.Context) error {
	var gaveUp error
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		gaveUp = fail("close transactions", s.id, oms.ErrTimeout, ctx.Err())
		s.giveUp()
		s.turn <- struct{}{}
	}
	defer func() { <-s.turn }()
	if s.closed {
		return nil
	}
	s.closed, s.dirty = true, false
	s.giveUp()
	_ = s.client.Close() // of connections that may be broken already
	s.conn.forget(s, "", "")
	return gaveUp
}
