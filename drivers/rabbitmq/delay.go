package rabbitmq

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// RabbitMQ drops what is too old from the head of a queue only, so a queue for
// delayed messages can have one time to live for all of them. A topic whose
// messages are delayed has a queue for each digit of each level, and a delay
// is the sum of its digits: a message goes down the levels, and waits in one
// queue of each whose digit is not 0. It is dead-lettered from one to the next,
// and from the last to the topic's exchange, with the routing key that it was
// published with. Each level has an exchange that goes by a header, which has
// the digit. A queue is shared by one topic's messages only, because one that
// no queue takes holds up those behind it.

// A delay is rounded up to whole units and to its first delayDigits digits: it
// is at most 1 in 256 longer than it should be, and no message is
// dead-lettered more often than that.
const (
	delayUnit   = 16 * time.Millisecond
	delayBase   = 4
	delayDigits = 5
	delayLevels = 14
)

// longestDelay is what the highest digits have together: 49 days.
const longestDelay = (1<<(2*delayDigits) - 1) << (2 * (delayLevels - delayDigits)) * delayUnit

const (
	headerDelay   = "oms-delay" // how many milliseconds its sender wanted to have the message held back
	delayedPrefix = ownPrefix + "delay:"
)

// A step is a queue in which a delayed message waits.
type step struct{ level, digit int }

// lasts is the time to live of its messages.
func (s step) lasts() time.Duration { return time.Duration(s.digit) << (2 * s.level) * delayUnit }

func (s step) queue(topic string) string {
	return fmt.Sprintf("%s.%d", delayExchange(topic, s.level), s.digit)
}

// steps returns where a message waits, in order. There is one at least.
func steps(delay time.Duration) (all []step) {
	units := int64((delay + delayUnit - 1) / delayUnit)
	top := 0
	for units>>(2*top) >= delayBase {
		top++
	}
	if low := top - delayDigits + 1; low > 0 { // what is below is rounded up
		grain := int64(1) << (2 * low)
		units = (units + grain - 1) / grain * grain
		if units>>(2*top) >= delayBase {
			top++
		}
	}
	for level := top; level >= 0; level-- {
		if digit := int(units>>(2*level)) % delayBase; digit > 0 {
			all = append(all, step{level, digit})
		}
	}
	return all
}

// delayExchange hands on what has come down to a level: to one of its queues,
// or, where its digit is 0, to the next level. Below the lowest one is the
// topic. Topics with such names are refused.
func delayExchange(topic string, level int) string {
	if level < 0 {
		return topic
	}
	return delayedPrefix + topic + ":" + strconv.Itoa(level)
}

// delayHeader has the digit of a level.
func delayHeader(level int) string { return headerDelay + "-" + strconv.Itoa(level) }

// digitArguments bind what has the digit of a level to where it goes.
func digitArguments(level, digit int) amqp.Table {
	return amqp.Table{"x-match": "all", delayHeader(level): int32(digit)} //nolint:gosec // less than delayBase
}

// entrance returns the exchange that a message is published to, and has a
// delayed one find its way from there. Its expiration is left to the header:
// the broker would take it for a time to live where it waits, and let it go
// early.
func entrance(m *oms.Message, p *amqp.Publishing) (exchange string) {
	if m.Delay <= 0 {
		return m.Topic
	}
	p.Expiration = ""
	p.Headers[headerDelay] = m.Delay.Milliseconds()
	way := steps(m.Delay)
	for level := range way[0].level + 1 {
		p.Headers[delayHeader(level)] = int32(0)
	}
	for _, s := range way {
		p.Headers[delayHeader(s.level)] = int32(s.digit) //nolint:gosec // less than delayBase
	}
	return delayExchange(m.Topic, way[0].level)
}

// checkDelay refuses a delay that cannot be kept.
func (o options) checkDelay(delay time.Duration) error {
	switch {
	case delay > longestDelay:
		return invalid(fmt.Sprintf("a delay of %v is too long: RabbitMQ's queues hold a message back for %v at most", delay, longestDelay))
	case o.declare != declareFull:
		return &oms.Error{Code: oms.ErrUnsupported, Err: fmt.Errorf("a delay needs queues that the driver makes with declare=full only, declare=%s is given", o.declare)}
	default:
		return nil
	}
}

// isDeath reports whether the broker puts a header of that name into what it
// dead-letters.
func isDeath(name string) bool {
	return name == "x-death" || strings.HasPrefix(name, "x-first-death-") || strings.HasPrefix(name, "x-last-death-")
}
