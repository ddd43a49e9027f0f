package rabbitmq

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// What a message has and AMQP has no place for stands in headers of ours, one
// each, so that programs of RabbitMQ's find what they need.
const (
	headerKey         = "oms-key"
	headerBorn        = "oms-born"           // milliseconds since 1970, of what the properties do not tell
	headerExpires     = "oms-expires"        // the same; the property has what is left of it
	headerNil         = "oms-nil"            // true for a message without a body
	headerList        = "oms-headers"        // names in order, and values that no table holds
	headerSequence    = "oms-seq"            // the number of the publishing on its channel, where the id does not tell it from others
	headerID          = "oms-id"             // an id that is no property: too long, or no text
	headerCorrelation = "oms-correlation-id" // the same
	headerTraceParent = "traceparent"
	headerTraceState  = "tracestate"
	ownHeaders        = "oms-" // no header of a user's is stored under a name that begins so
)

// headerRoom is what the properties and headers of a message may take: they
// travel in one frame, and a larger one ends the connection.
const headerRoom = 120 << 10 // of 128 KiB, less than which no broker has unless told

// encode returns a message as AMQP has it. Sequence is the number by which it
// is known when it comes back; 0 of one that is known by its id. Each header
// costs the sender, the broker and the receiver more than a property does.
func encode(m *oms.Message, sequence int64, now time.Time) (amqp.Publishing, error) {
	table := make(amqp.Table)
	p := amqp.Publishing{DeliveryMode: amqp.Persistent, Headers: table, Body: m.Body}
	if sequence != 0 {
		table[headerSequence] = sequence
	}
	if m.Key != nil {
		table[headerKey] = native(m.Key)
	}
	if m.Body == nil {
		table[headerNil] = true
	}
	switch {
	case m.BornAt.IsZero():
	case m.BornAt.Unix() > 0:
		p.Timestamp, p.AppId = m.BornAt, appID(m.BornAt)
	default: // the property has no sign
		table[headerBorn] = m.BornAt.UnixMilli()
	}
	if !m.ExpiresAt.IsZero() {
		table[headerExpires] = m.ExpiresAt.UnixMilli()
		p.Expiration = expiration(m.ExpiresAt.Sub(now))
	}
	p.MessageId = property(table, headerID, m.ID)
	p.CorrelationId = property(table, headerCorrelation, m.CorrelationID)
	if m.TraceParent != "" {
		table[headerTraceParent] = native([]byte(m.TraceParent))
	}
	if m.TraceState != "" {
		table[headerTraceState] = native([]byte(m.TraceState))
	}
	encodeHeaders(table, m.Headers)
	if n := size(p); n > headerRoom {
		return p, &oms.Error{Code: oms.ErrTooLarge, Err: fmt.Errorf("key, headers and properties take %d bytes together, RabbitMQ has room for %d", n, headerRoom)}
	}
	return p, nil
}

// appPrefix begins the app-id of what this driver sends. The milliseconds of
// the born time follow, since the timestamp has seconds: as a header they would
// cost broker and receiver as much as all other properties together.
const appPrefix = "oms/"

func appID(born time.Time) string {
	id := append(make([]byte, 0, len(appPrefix)+3), appPrefix...)
	return string(strconv.AppendInt(id, int64(born.Nanosecond())/int64(time.Millisecond), 10))
}

// behindSecond returns what an app-id adds to the timestamp: nothing if it is
// another program's.
func behindSecond(appID string) time.Duration {
	text, ours := strings.CutPrefix(appID, appPrefix)
	if !ours {
		return 0
	}
	ms, err := strconv.Atoi(text)
	if err != nil || ms < 0 || ms > 999 {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// expiration is a time to live as RabbitMQ wants it: whole milliseconds. It
// drops the message then, wherever it waits. It refuses more than 32 bits by
// closing the channel; a message that lives longer has the header only.
func expiration(left time.Duration) string {
	if left.Milliseconds() > math.MaxUint32 {
		return ""
	}
	return strconv.FormatInt(max(0, left.Milliseconds()), 10)
}

// native returns a value as text where it is text, so that programs of other
// languages read it as such.
func native(v []byte) any {
	if utf8.Valid(v) {
		return string(v)
	}
	return v
}

// property returns a text that goes into a property, and puts one that cannot
// into a header.
func property(table amqp.Table, header, text string) string {
	if fitsProperty(text) {
		return text
	}
	table[header] = []byte(text)
	return ""
}

func fitsProperty(text string) bool { return len(text) <= shortString && utf8.ValidString(text) }

// decode returns the message of a delivery, whoever published it.
func decode(d *amqp.Delivery, topic string) *oms.Message {
	m := &oms.Message{ID: d.MessageId, CorrelationID: d.CorrelationId, Topic: topic, Body: d.Body}
	if m.Body == nil {
		m.Body = []byte{}
	}
	if gone, _ := d.Headers[headerNil].(bool); gone {
		m.Body = nil
	}
	m.Deliveries = 1
	if d.Redelivered { // before that, such a header is the publisher's
		m.Deliveries += max(1, int(integer(d.Headers["x-delivery-count"]))) // classic queues do not count
	}
	if v, ok := d.Headers[headerKey]; ok {
		m.Key = value(v)
	}
	if v, ok := d.Headers[headerBorn]; ok {
		m.BornAt = time.UnixMilli(integer(v))
	} else if !d.Timestamp.IsZero() {
		m.BornAt = d.Timestamp.Add(behindSecond(d.AppId))
	}
	if at := integer(d.Headers[headerExpires]); at > 0 { // what is no number is another program's, and no reason to drop the message
		m.ExpiresAt = time.UnixMilli(at)
	}
	if v, ok := d.Headers[headerID]; ok {
		m.ID = string(value(v))
	}
	if v, ok := d.Headers[headerCorrelation]; ok {
		m.CorrelationID = string(value(v))
	}
	m.TraceParent = string(value(d.Headers[headerTraceParent]))
	m.TraceState = string(value(d.Headers[headerTraceState]))
	m.Headers = decodeHeaders(d.Headers)
	return m
}

// integer returns a number of a table; 0 of what is none.
func integer(v any) int64 {
	switch n := v.(type) {
	case int64:
		return n
	case int32:
		return int64(n)
	case int16:
		return int64(n)
	case int8:
		return int64(n)
	case int:
		return int64(n)
	case uint8:
		return int64(n)
	case uint16:
		return int64(n)
	case uint32:
		return int64(n)
	default:
		return 0
	}
}

// size returns about how many bytes properties and headers take.
func size(p amqp.Publishing) int {
	const fixed, each = 64, 8
	n := fixed + len(p.MessageId) + len(p.CorrelationId) + len(p.Expiration)
	for name, v := range p.Headers {
		n += each + len(name)
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		default:
			n += each
		}
	}
	return n
}
