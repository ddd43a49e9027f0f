package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// prepareDelay has everything be there that a delayed message needs. What was
// there lately is not looked at again.
func (c *conn) prepareDelay(ctx context.Context, p oms.Partition, delay time.Duration) error {
	if delay <= 0 {
		return nil
	}
	if err := c.opts.checkDelay(delay); err != nil {
		return err
	}
	if err := c.checkSubscribed(ctx, p); err != nil {
		return err
	}
	way := steps(delay)
	var missing []step
	for _, s := range way {
		if !c.topics.isWaiting(p.Topic, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	err := c.ask(ctx, func(ch *amqp.Channel) error { return declareDelay(ch, p.Topic, way[0].level, missing) })
	if codeOfMissing(err) {
		c.topics.forget(p.Topic)
	}
	if err == nil {
		c.topics.setWaiting(p.Topic, missing)
	}
	return err
}

// declareDelay makes the levels up to the highest one of a delay, and the
// queues of its steps. Doing it again changes nothing.
//
// A queue keeps what it cannot pass on, because there is no queue or it is
// full, and tries again: that is what at-least-once means, and it needs
// reject-publish. It never ends by itself, because it would take that along.
func declareDelay(ch *amqp.Channel, topic string, top int, missing []step) error {
	if err := ch.ExchangeDeclarePassive(topic, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return err
	}
	for level := range top + 1 {
		exchange := delayExchange(topic, level)
		if err := ch.ExchangeDeclare(exchange, amqp.ExchangeHeaders, true, false, false, false, nil); err != nil {
			return err
		}
		if err := ch.ExchangeBind(delayExchange(topic, level-1), "", exchange, false, digitArguments(level, 0)); err != nil {
			return err
		}
	}
	for _, s := range missing {
		_, err := ch.QueueDeclare(s.queue(topic), true, false, false, false, amqp.Table{
			amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.QueueMessageTTLArg: s.lasts().Milliseconds(),
			"x-dead-letter-exchange": delayExchange(topic, s.level-1), "x-dead-letter-strategy": "at-least-once",
			amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
		})
		if err != nil {
			return err
		}
		if err := ch.QueueBind(s.queue(topic), "", delayExchange(topic, s.level), false, digitArguments(s.level, s.digit)); err != nil {
			return err
		}
	}
	return nil
}

// deleteDelay removes what was made for the delayed messages of a topic, with
// those that wait.
func (c *conn) deleteDelay(ctx context.Context, topic string) error {
	made, err := c.exchangeExists(ctx, delayExchange(topic, 0))
	if err != nil || !made {
		return err
	}
	return c.ask(ctx, func(ch *amqp.Channel) error {
		for level := delayLevels - 1; level >= 0; level-- { // what is missing is no error
			for digit := 1; digit < delayBase; digit++ {
				if _, err := ch.QueueDelete(step{level, digit}.queue(topic), false, false, false); err != nil {
					return err
				}
			}
			if err := ch.ExchangeDelete(delayExchange(topic, level), false, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkSubscribed is ErrNoSubscription where no queue would get the message
// now. The broker confirms a delayed message for the queue in which it waits,
// and AMQP does not tell what hangs on an exchange: only the management API
// does. Without it, a message that nobody wants when its time has come waits
// on until somebody does.
func (c *conn) checkSubscribed(ctx context.Context, p oms.Partition) error {
	if c.opts.management == "" || c.topics.isSound(p.String()) {
		return nil
	}
	exchange := []string{"exchanges", c.opts.vhost, p.Topic}
	var kind struct {
		Type string `json:"type"`
	}
	if err := c.lookAt(ctx, &kind, exchange...); err != nil {
		return fmt.Errorf("look at the topic by management.url: %w", err)
	}
	var bound []struct {
		Key string `json:"routing_key"`
	}
	if err := c.lookAt(ctx, &bound, append(exchange, "bindings", "source")...); err != nil {
		return fmt.Errorf("look at the topic's queues by management.url: %w", err)
	}
	for _, b := range bound {
		if takes(kind.Type, b.Key, routingKey(p)) {
			c.topics.setSound(p.String())
			return nil
		}
	}
	return &oms.Error{Code: oms.ErrNoSubscription, Err: errors.New("the broker has no queue for it when its time has come")}
}

// takes reports whether a binding takes a routing key of one word. What other
// types of exchanges than these do is not known: theirs do.
func takes(kind, pattern, key string) bool {
	switch kind {
	case amqp.ExchangeDirect:
		return pattern == key
	case amqp.ExchangeTopic:
		words := 0
		for word := range strings.SplitSeq(pattern, ".") {
			switch word {
			case "#":
			case "*", key:
				words++
			default:
				return false
			}
		}
		return words == 1 || strings.Contains(pattern, "#") && words == 0
	default:
		return true
	}
}

// isWaiting reports whether a queue for delayed messages was there lately.
func (t *topicCache) isWaiting(topic string, s step) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	made, ok := t.waiting[topic][s]
	return ok && time.Since(made) < trustTopics
}

func (t *topicCache) setWaiting(topic string, made []step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = make(map[string]map[step]time.Time)
	}
	if t.waiting[topic] == nil {
		t.waiting[topic] = make(map[step]time.Time)
	}
	for _, s := range made {
		t.waiting[topic][s] = time.Now()
	}
}
