package oms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Message is one message, on its way to a broker or back. Body, Key and
// Headers are immutable once it is sent or received.
type Message struct {
	// ID identifies the message to whoever reads it. A producer gives an empty
	// one a value. It is not the broker's: two messages may carry the same.
	ID string
	// Topic is where the message goes to or came from.
	Topic string
	// Key groups messages that stay in order; nil means none, and differs from
	// an empty one.
	Key []byte
	// Body is the payload. Nil is a tombstone (the deletion of what Key
	// names) and differs from an empty body.
	Body []byte
	// Headers travel with the message, in order.
	Headers Headers
	// BornAt is when the message was made; a producer fills in a zero one.
	// Brokers keep milliseconds.
	BornAt time.Time
	// CorrelationID ties an answer to its question; "" for none.
	CorrelationID string
	// TraceParent and TraceState are the W3C trace context; "" for none.
	TraceParent, TraceState string
	// Delay holds the message back for that long after it was sent. It needs
	// the Delay capability.
	Delay time.Duration
	// ExpiresAt is when nobody wants the message any more; zero for never.
	ExpiresAt time.Time
	// Priority is 1 (lowest) to 10; 0 means none was given.
	Priority int
	// ToPartition sends to that partition, whatever the key; nil leaves it to
	// the driver. It needs the ExplicitPartition capability.
	ToPartition *int

	// Partition and Offset say where a received message is kept, if the driver
	// claims Partitioned. Senders ignore them.
	Partition int
	Offset    int64
	// Deliveries counts how often the message was handed out, this time
	// included, where the driver claims DeliveryCount; else it is 0.
	Deliveries int
	// Receipt is the driver's handle of this delivery. Nothing but the driver
	// looks into it. Nil on a message that was not received.
	Receipt Receipt

	// Origin says where in its source the message came from. It stays in this
	// process: no driver sends it.
	Origin *Origin

	era int // the number of its partition's era when it was received
}

// A Receipt names one delivery to the driver that made it: its partition,
// offset or tag, and the generation of the session, so that one from before a
// reconnect or rebalance is refused with ErrStaleDelivery.
type Receipt any

// A Partition is one ordering domain of a topic. A driver without partitions
// presents one, number 0.
type Partition struct {
	Topic  string
	Number int
}

// String returns topic/number.
func (p Partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Number) }

// An Origin is a place in a source: which part of it (a file, a table, a
// partition), and where there. Both are canonical JSON objects: keys sorted,
// no white space. An empty Position cannot be resumed at; its message is
// committed together with the next one of the partition that has a position.
type Origin struct {
	Partition string
	Position  string
}

// NewOrigin returns the origin of a partition and position given as maps or
// structs. A nil position is one that cannot be resumed at.
func NewOrigin(partition, position any) (*Origin, error) {
	p, err := CanonicalObject(partition)
	if err != nil {
		return nil, fmt.Errorf("partition: %w", err)
	}
	o := &Origin{Partition: p}
	if position == nil {
		return o, nil
	}
	if o.Position, err = CanonicalObject(position); err != nil {
		return nil, fmt.Errorf("position: %w", err)
	}
	return o, nil
}

// Decode reads the position into the struct or map that v points to: the
// inverse of NewOrigin. A position with other fields or types, as another
// version of the source may have stored it, is ErrFormat.
func (o *Origin) Decode(v any) error {
	dec := json.NewDecoder(strings.NewReader(o.Position))
	dec.UseNumber() // in maps
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return &Error{Op: "go on at the stored position of", Target: o.Partition, Code: ErrFormat, Err: fmt.Errorf("%.200q: %w", o.Position, err)}
	}
	return nil
}

// CanonicalObject encodes v as a JSON object with sorted keys and no white
// space. It fails with ErrFormat when v is not an object.
func CanonicalObject(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", &Error{Op: "encode", Code: ErrFormat, Err: err}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // keeps integers over 2^53
	var object map[string]any
	if err := dec.Decode(&object); err != nil || object == nil {
		return "", &Error{Op: "encode", Code: ErrFormat, Err: fmt.Errorf("%s is not a JSON object", b)}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return "", &Error{Op: "encode", Code: ErrFormat, Err: err}
	}
	return string(bytes.TrimSuffix(out.Bytes(), []byte("\n"))), nil
}

// A Header is a name and a value. A nil Value differs from an empty one.
type Header struct {
	Name  string
	Value []byte
}

// Headers is a list of headers. Names may repeat and keep their order; upper
// and lower case differ.
type Headers []Header

// Get returns the value of the last header of that name, and whether there is
// one.
func (hs Headers) Get(name string) ([]byte, bool) {
	for _, h := range slices.Backward(hs) {
		if h.Name == name {
			return h.Value, true
		}
	}
	return nil, false
}

// Text is Get for a value that is text: "" when there is no such header.
func (hs Headers) Text(name string) string {
	v, _ := hs.Get(name)
	return string(v)
}

// With returns the headers with one more at the end. The receiver is not
// changed.
func (hs Headers) With(name, value string) Headers {
	return append(slices.Clip(hs), Header{Name: name, Value: []byte(value)})
}

// Without returns the headers except those of that name. The receiver is not
// changed.
func (hs Headers) Without(name string) Headers {
	out := make(Headers, 0, len(hs))
	for _, h := range hs {
		if h.Name != name {
			out = append(out, h)
		}
	}
	return out
}

// Size returns about how many bytes the message takes: key, body, headers and
// a constant for the rest. Windows and rates in bytes count it.
func (m *Message) Size() int {
	const overhead = 64
	n := overhead + len(m.ID) + len(m.Key) + len(m.Body)
	for _, h := range m.Headers {
		n += len(h.Name) + len(h.Value) + 8
	}
	return n
}

// At returns the partition that a received message came from.
func (m *Message) At() Partition { return Partition{Topic: m.Topic, Number: m.Partition} }

// Expired reports whether the message had an expiry and it has passed.
func (m *Message) Expired(now time.Time) bool {
	return !m.ExpiresAt.IsZero() && !now.Before(m.ExpiresAt)
}

// Clone returns a copy of the message that shares its immutable bytes.
func (m *Message) Clone() *Message {
	c := *m
	return &c
}
