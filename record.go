package omconnect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/omconnect/omconnect/oms"
)

// A record is a message as a line of JSON: what receive writes with --format
// json, and what send reads. What it leaves out, the message does not have.
type record struct {
	Topic         string    `json:"topic,omitempty"`
	Partition     *int      `json:"partition,omitempty"`
	Offset        *int64    `json:"offset,omitempty"`
	ID            string    `json:"id,omitempty"`
	Key           text      `json:"key,omitzero"`
	Body          text      `json:"body"`
	Headers       []header  `json:"headers,omitempty"`
	BornAt        time.Time `json:"born_at,omitzero"`
	CorrelationID string    `json:"correlation_id,omitempty"`
	TraceParent   string    `json:"trace_parent,omitempty"`
	TraceState    string    `json:"trace_state,omitempty"`
	ExpiresAt     time.Time `json:"expires_at,omitzero"`
	Priority      int       `json:"priority,omitempty"`
	DelayMS       int64     `json:"delay_ms,omitempty"`
	Deliveries    int       `json:"deliveries,omitempty"`
}

type header struct {
	Name  string `json:"name"`
	Value text   `json:"value"`
}

// text is bytes as JSON: a string where they are UTF-8, {"base64": …} where
// they are not, null for none.
type text []byte

// IsZero tells no bytes from an empty text.
func (t text) IsZero() bool { return t == nil }

type binary struct {
	Base64 *string `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) {
	if t == nil {
		return []byte("null"), nil
	}
	if !utf8.Valid(t) {
		encoded := base64.StdEncoding.EncodeToString(t)
		return json.Marshal(binary{&encoded})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(string(t))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	switch data[0] {
	case 'n':
		*t = nil
		return nil
	case '"':
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = []byte(s)
		return nil
	}
	var b binary
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil || b.Base64 == nil {
		return errors.New(`bytes are a string, null, or {"base64": "…"}`)
	}
	decoded, err := base64.StdEncoding.DecodeString(*b.Base64)
	if err != nil {
		return fmt.Errorf("base64: %w", err)
	}
	*t = append([]byte{}, decoded...) // not nil when empty
	return nil
}

// recordOf returns a received message as a record.
func recordOf(m *oms.Message) record {
	r := record{
		Topic: m.Topic, Partition: &m.Partition, Offset: &m.Offset, ID: m.ID, Key: m.Key, Body: m.Body,
		BornAt: m.BornAt.UTC(), CorrelationID: m.CorrelationID, TraceParent: m.TraceParent, TraceState: m.TraceState,
		ExpiresAt: m.ExpiresAt.UTC(), Priority: m.Priority, Deliveries: m.Deliveries,
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, header{h.Name, h.Value})
	}
	return r
}

// message returns the record as a message to send. Where it was received from
// (topic, partition, offset, deliveries) does not say where it goes.
func (r record) message() *oms.Message {
	m := &oms.Message{
		ID: r.ID, Key: r.Key, Body: r.Body, BornAt: r.BornAt, CorrelationID: r.CorrelationID,
		TraceParent: r.TraceParent, TraceState: r.TraceState, ExpiresAt: r.ExpiresAt, Priority: r.Priority,
		Delay: time.Duration(r.DelayMS) * time.Millisecond,
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, oms.Header{Name: h.Name, Value: h.Value})
	}
	return m
}

// writeRecord writes a record and a newline.
func writeRecord(w io.Writer, r record) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// parseRecord reads one line. A record must say what its body is: null is a
// tombstone, and a body that was forgotten is not.
func parseRecord(line []byte) (record, error) {
	var r record
	if !utf8.Valid(line) {
		return r, errors.New(`not UTF-8; write other bytes as {"base64": "…"}`)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("not a record: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("there is something behind the record")
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(line, &given); err != nil || given == nil {
		return r, errors.New("not a record: it is no JSON object")
	}
	if _, ok := given["body"]; !ok {
		return r, errors.New(`the record has no body; write "body": null for a tombstone`)
	}
	return r, nil
}
