package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// AMQP tells nothing about an exchange but that it is there, and lists none.
// So the driver keeps two things in queues of its own: the number of a topic's
// partitions, as the number of messages in a queue, which anybody can ask for
// without taking them; and a catalogue of the topics that were made.

// trustTopics is how long a topic is taken to have the partitions that it had.
const trustTopics = 30 * time.Second

// A topicCache remembers the partitions of topics, when queues were found to be
// sound, and when those for delayed messages were made.
type topicCache struct {
	mu      sync.Mutex
	known   map[string]knownTopic
	sound   map[string]time.Time
	waiting map[string]map[step]time.Time // queues for delayed messages, by topic
}

type knownTopic struct {
	partitions int
	asked      time.Time
}

func (t *topicCache) get(topic string) (int, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.known[topic]
	return k.partitions, ok && time.Since(k.asked) < trustTopics
}

func (t *topicCache) put(topic string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = make(map[string]knownTopic)
	}
	t.known[topic] = knownTopic{partitions: n, asked: time.Now()}
}

// forget is for a topic that is not what it was, or for all ("").
func (t *topicCache) forget(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if topic == "" {
		clear(t.known)
		clear(t.waiting)
		return
	}
	delete(t.known, topic)
	delete(t.waiting, topic)
}

// partitions returns how many partitions a topic has, for somebody who uses it:
// its streams are there then. ErrNotFound is one that is not there.
func (c *conn) partitions(ctx context.Context, topic string) (int, error) {
	if n, ok := c.topics.get(topic); ok {
		return n, nil
	}
	n, err := c.counted(ctx, topic)
	if err != nil {
		return 0, err
	}
	if c.opts.isStream() {
		err := c.ensureStreams(ctx, topic, n)
		if codeOfMissing(err) {
			return 0, errNoExchange // any more
		}
		if err != nil {
			return 0, err
		}
	}
	c.topics.put(topic, n)
	return n, nil
}

// counted asks the broker how many partitions a topic has, and changes nothing.
func (c *conn) counted(ctx context.Context, topic string) (int, error) {
	ok, err := c.exchangeExists(ctx, topic)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, errNoExchange
	}
	if c.opts.ordering != orderingKey {
		return 1, nil
	}
	return c.count(ctx, topic)
}

var errNoExchange = &oms.Error{Code: oms.ErrNotFound, Err: errors.New("there is no exchange of that name")}

// count returns the number of partitions that was noted for a topic, 1 if none
// was. A quorum queue that does not tell within a quarter of a second, because
// the broker is busy or it has no leader, has no messages for the broker. It is
// asked again.
func (c *conn) count(ctx context.Context, topic string) (int, error) {
	const tries = 20
	for range tries {
		q, found, err := c.queue(ctx, countQueue(topic))
		if err != nil || !found {
			return 1, err
		}
		if q.Messages > 0 {
			return q.Messages, nil
		}
		if err := sleep.For(ctx, edgeAgain); err != nil {
			return 0, err
		}
	}
	return 0, &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("queue %s does not tell the number of partitions: it may have no leader now", countQueue(topic))}
}

// exchangeExists asks for an exchange, of whatever type.
func (c *conn) exchangeExists(ctx context.Context, name string) (bool, error) {
	err := c.ask(ctx, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclarePassive(name, amqp.ExchangeTopic, true, false, false, false, nil)
	})
	if codeOfMissing(err) {
		return false, nil
	}
	return err == nil, err
}

// queue asks for a queue, and reports whether it is there.
func (c *conn) queue(ctx context.Context, name string) (amqp.Queue, bool, error) {
	q, err := answer(ctx, c, func(ch *amqp.Channel) (amqp.Queue, error) {
		return ch.QueueDeclarePassive(name, true, false, false, false, nil)
	})
	if codeOfMissing(err) {
		return q, false, nil
	}
	return q, err == nil, err
}

// codeOfMissing reports whether the broker has no such thing. A queue that it
// cannot reach now is not missing.
func codeOfMissing(err error) bool {
	return isCode(err, amqp.NotFound) && codeOf(err) == oms.ErrNotFound
}

// CreateTopic implements oms.TopicAdmin.
func (c *conn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	return fail("create topic", spec.Name, c.createTopic(ctx, spec))
}

func (c *conn) createTopic(ctx context.Context, spec oms.TopicSpec) error {
	n := spec.Partitions
	if n == 0 {
		n = c.opts.partitions
	}
	if err := checkTopic(spec.Name); err != nil {
		return err
	}
	if n < 1 || n > mostPartitions {
		return invalid(fmt.Sprintf("%d partitions: a topic has 1 to %d", n, mostPartitions))
	}
	if c.opts.declare == declareNone {
		return &oms.Error{Code: oms.ErrUnsupported, Err: errors.New("declare=none leaves making exchanges to others")}
	}
	return c.locked(ctx, func() error {
		ok, err := c.exchangeExists(ctx, spec.Name)
		if err != nil {
			return err
		}
		if ok {
			return &oms.Error{Code: oms.ErrExists, Err: errors.New("there is an exchange of that name")}
		}
		if err := c.setCount(ctx, spec.Name, n); err != nil {
			return err
		}
		if err := c.enroll(ctx, spec.Name); err != nil {
			return err
		}
		c.topics.forget(spec.Name)
		// The exchange comes last: a topic that is there is complete, but for
		// its streams, which whoever uses it makes where they are missing.
		err = c.ask(ctx, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(spec.Name, amqp.ExchangeTopic, true, false, false, false, nil)
		})
		if err != nil || !c.opts.isStream() {
			return err
		}
		return c.ensureStreams(ctx, spec.Name, n)
	})
}

// setCount has the count queue of a topic hold n messages, or takes away what
// an unfinished attempt has left.
func (c *conn) setCount(ctx context.Context, topic string, n int) error {
	name := countQueue(topic)
	if err := c.deleteQueue(ctx, name); err != nil || n == 1 {
		return err
	}
	if err := c.declareQueue(ctx, name, false); err != nil {
		return err
	}
	return c.put(ctx, name, slices.Repeat([]string{topic}, n))
}

// DeleteTopic implements oms.TopicAdmin. Queues of groups stay until the group
// is deleted: an exchange does not tell what hangs on it.
func (c *conn) DeleteTopic(ctx context.Context, name string) error {
	return fail("delete topic", name, c.deleteTopic(ctx, name))
}

func (c *conn) deleteTopic(ctx context.Context, name string) error {
	if err := checkTopic(name); err != nil {
		return err
	}
	if c.opts.declare == declareNone {
		return &oms.Error{Code: oms.ErrUnsupported, Err: errors.New("declare=none leaves deleting exchanges to others")}
	}
	return c.locked(ctx, func() error {
		ok, err := c.exchangeExists(ctx, name)
		if err != nil {
			return err
		}
		if !ok {
			return errNoExchange
		}
		c.topics.forget(name)
		err = c.ask(ctx, func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, false, false) })
		if err != nil {
			return err
		}
		return errors.Join(c.deleteDelay(ctx, name), c.deleteStreams(ctx, name), c.deleteQueue(ctx, countQueue(name)), c.strike(ctx, name))
	})
}

// Topics implements oms.TopicAdmin. It lists the topics that were made with
// this driver; AMQP does not tell of others.
func (c *conn) Topics(ctx context.Context) ([]oms.TopicInfo, error) {
	var names []string
	err := c.locked(ctx, func() (err error) {
		names, err = c.enrolled(ctx, "")
		return err
	})
	if err != nil {
		return nil, fail("list topics", "", err)
	}
	var infos []oms.TopicInfo
	for _, name := range names {
		c.topics.forget(name)
		n, err := c.counted(ctx, name)
		if errors.Is(err, errNoExchange) {
			continue // deleted by others
		}
		if err != nil {
			return nil, fail("list topics", name, err)
		}
		infos = append(infos, oms.TopicInfo{Name: name, Partitions: n})
	}
	return infos, nil
}
