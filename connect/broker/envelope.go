package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// The header of an envelope, and its value.
const (
	envelopeHeader  = "oms-envelope"
	envelopeVersion = "1"
)

// A sealed is the body of an envelope. Times are milliseconds since 1970; nil
// is none.
type sealed struct {
	Version     int            `json:"oms.envelope"`
	ID          packed         `json:"id,omitempty"`
	Topic       packed         `json:"topic,omitempty"`
	Key         packed         `json:"key"`
	Body        packed         `json:"body"`
	Headers     []sealedHeader `json:"headers"`
	Born        *int64         `json:"born,omitempty"`
	Correlation packed         `json:"correlation,omitempty"`
	TraceParent packed         `json:"traceparent,omitempty"`
	TraceState  packed         `json:"tracestate,omitempty"`
	Expires     *int64         `json:"expires,omitempty"`
	Priority    int            `json:"priority,omitempty"`
}

// A sealedHeader is the pair of a name and a value.
type sealedHeader struct{ name, value packed }

// MarshalJSON writes the pair as a list of two.
func (h sealedHeader) MarshalJSON() ([]byte, error) { return json.Marshal([]packed{h.name, h.value}) }

// UnmarshalJSON reads the list.
func (h *sealedHeader) UnmarshalJSON(text []byte) error {
	var pair []packed
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	if len(pair) != 2 || pair[0] == nil {
		return errors.New("a header is not a list of a name and a value")
	}
	h.name, h.value = pair[0], pair[1]
	return nil
}

// encodeEnvelope returns the body of the envelope of a message.
func encodeEnvelope(m *oms.Message) []byte {
	s := sealed{
		Version: 1, ID: packed(m.ID), Topic: packed(m.Topic), Key: m.Key, Body: m.Body, Born: millis(m.BornAt),
		Correlation: packed(m.CorrelationID), TraceParent: packed(m.TraceParent), TraceState: packed(m.TraceState),
		Expires: millis(m.ExpiresAt), Priority: m.Priority,
	}
	if m.Headers != nil {
		s.Headers = make([]sealedHeader, len(m.Headers))
	}
	for i, h := range m.Headers {
		s.Headers[i] = sealedHeader{name: packed(h.Name), value: h.Value}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(fmt.Sprintf("an envelope that is no JSON: %v", err)) // everything in it is
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// decodeEnvelope returns the message that stands in the body of an envelope.
func decodeEnvelope(body []byte) (*oms.Message, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	var s sealed
	if err := dec.Decode(&s); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("there is something behind it")
	}
	if s.Version != 1 {
		return nil, fmt.Errorf("its version is %d, and only 1 is known", s.Version)
	}
	m := &oms.Message{
		ID: string(s.ID), Topic: string(s.Topic), Key: s.Key, Body: s.Body, BornAt: moment(s.Born),
		CorrelationID: string(s.Correlation), TraceParent: string(s.TraceParent), TraceState: string(s.TraceState),
		ExpiresAt: moment(s.Expires), Priority: s.Priority,
	}
	if s.Headers != nil {
		m.Headers = make(oms.Headers, len(s.Headers))
	}
	for i, h := range s.Headers {
		m.Headers[i] = oms.Header{Name: string(h.name), Value: h.value}
	}
	return m, nil
}

func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

func moment(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}
