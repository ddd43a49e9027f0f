package driver

import (
	"encoding/json"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A content is what is kept of a message. All text is bytes: JSON would mend
// what is no UTF-8, and bytes tell nil from empty.
type content struct {
	ID, Correlation, TraceParent, TraceState []byte
	Key, Body                                []byte
	Headers                                  [][2][]byte
	Born, Expires                            int64 // milliseconds; 0 for none
}

func encode(m *oms.Message) ([]byte, error) {
	c := content{
		ID: []byte(m.ID), Correlation: []byte(m.CorrelationID),
		TraceParent: []byte(m.TraceParent), TraceState: []byte(m.TraceState),
		Key: m.Key, Body: m.Body, Born: millis(m.BornAt), Expires: millis(m.ExpiresAt),
	}
	for _, h := range m.Headers {
		c.Headers = append(c.Headers, [2][]byte{[]byte(h.Name), h.Value})
	}
	return json.Marshal(c)
}

func decode(topic string, text []byte) (*oms.Message, error) {
	var c content
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, failure("receive", topic, oms.ErrFormat, err)
	}
	m := &oms.Message{
		Topic: topic, ID: string(c.ID), CorrelationID: string(c.Correlation),
		TraceParent: string(c.TraceParent), TraceState: string(c.TraceState),
		Key: c.Key, Body: c.Body, BornAt: at(c.Born), ExpiresAt: at(c.Expires),
	}
	for _, h := range c.Headers {
		m.Headers = append(m.Headers, oms.Header{Name: string(h[0]), Value: h[1]})
	}
	return m, nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
