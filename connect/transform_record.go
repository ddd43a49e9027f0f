package connect

import (
	"errors"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A Record is a message on its way through a chain of transforms. Key and
// value are decoded when a transform asks for them first, and encoded once at
// the end of the chain. A record belongs to the goroutine that applies the
// chain, and is of no use after it.
type Record struct {
	msg        *oms.Message // a shallow copy: its bytes are the original's
	key, value data
}

// data is a part of a record: the bytes that came, and what they mean.
type data struct {
	conversion

	raw     []byte
	value   any
	decoded bool
	changed bool
}

// conversion is how a part of the records of one chain is decoded and encoded.
type conversion struct {
	in, out Converter
	always  bool // a converter was asked for: also what no transform touches is converted
}

// Topic returns the record's topic.
func (r *Record) Topic() string { return r.msg.Topic }

// SetTopic changes where the record goes to; in a sink, where it seems to come
// from.
func (r *Record) SetTopic(topic string) { r.msg.Topic = topic }

// Headers returns the record's headers. They are not to be changed.
func (r *Record) Headers() oms.Headers { return r.msg.Headers }

// SetHeaders replaces the record's headers.
func (r *Record) SetHeaders(hs oms.Headers) { r.msg.Headers = hs }

// Timestamp returns when the record was made; zero when that is not known.
func (r *Record) Timestamp() time.Time { return r.msg.BornAt }

// Partition returns the broker's partition of the record: of one that was
// received where it came from, else the one that the source has chosen. It
// returns false when there is none.
func (r *Record) Partition() (int, bool) {
	switch {
	case r.msg.Receipt != nil:
		return r.msg.Partition, true
	case r.msg.ToPartition != nil:
		return *r.msg.ToPartition, true
	}
	return 0, false
}

// Offset returns where in its partition a record was received. It returns
// false for a record of a source.
func (r *Record) Offset() (int64, bool) { return r.msg.Offset, r.msg.Receipt != nil }

// Get returns a part, decoded: nil, a *Struct, []any, or a scalar. It fails
// with ErrFormat when the bytes are not in the form of the converter that was
// asked for.
func (r *Record) Get(p Part) (any, error) {
	d := r.part(p)
	if d.decoded {
		return d.value, nil
	}
	if d.raw != nil {
		v, err := d.in.Decode(d.raw)
		if err != nil {
			return nil, &convertError{part: p, err: err}
		}
		d.value = v
	}
	d.decoded = true
	return d.value, nil
}

// Set replaces a part by a value of the kinds that Get returns. A nil value is
// a tombstone, a nil key no key.
func (r *Record) Set(p Part, v any) {
	d := r.part(p)
	d.value, d.decoded, d.changed = v, true, true
}

// Struct returns a part that is a structure, or nil for null. It fails with
// ErrFormat when the part is something else.
func (r *Record) Struct(p Part) (*Struct, error) {
	v, err := r.Get(p)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case *Struct:
		return v, nil
	}
	return nil, &oms.Error{Op: "read", Target: string(p), Code: oms.ErrFormat, Err: fmt.Errorf(
		"the %s is %s, and the transform needs a JSON object or a typed row; set a predicate, or a %s.converter that decodes it", p, kindOf(v), p)}
}

// Null reports whether a part is null: a value that is null is a tombstone.
func (r *Record) Null(p Part) (bool, error) {
	d := r.part(p)
	if !d.decoded && (d.raw == nil || !d.always) {
		return d.raw == nil, nil
	}
	v, err := r.Get(p)
	return v == nil, err
}

func (r *Record) part(p Part) *data {
	if p == PartKey {
		return &r.key
	}
	return &r.value
}

// kindOf names the kind of a decoded value.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case []byte:
		return "bytes"
	case []any:
		return "a list"
	case bool:
		return "a boolean"
	}
	return "a number or another single value"
}

// encode returns the bytes of a part.
func (r *Record) encode(p Part) ([]byte, error) {
	d := r.part(p)
	if !d.changed && (!d.always || d.raw == nil) {
		return d.raw, nil
	}
	v, err := r.Get(p)
	if v == nil || err != nil {
		return nil, err
	}
	b, err := d.out.Encode(v)
	if err != nil {
		return nil, &convertError{part: p, err: err}
	}
	if b == nil {
		b = []byte{} // nil would be a tombstone
	}
	return b, nil
}

// message returns the message that the record has become.
func (r *Record) message() (*oms.Message, error) {
	key, err := r.encode(PartKey)
	if err != nil {
		return nil, err
	}
	body, err := r.encode(PartValue)
	if err != nil {
		return nil, err
	}
	r.msg.Key, r.msg.Body = key, body
	return r.msg, nil
}

// A convertError is a failure of a converter.
type convertError struct {
	part Part
	err  error
}

func (e *convertError) Error() string { return fmt.Sprintf("%s: %v", e.part, e.err) }
func (e *convertError) Unwrap() error { return e.err }

func isConvert(err error) bool {
	_, ok := errors.AsType[*convertError](err)
	return ok
}
