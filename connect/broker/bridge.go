package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// A bridge makes of records of one broker those of another. One goroutine at a
// time uses it.
type bridge struct {
	id       string // in oms-hops; "" for one that neither looks nor adds
	fidelity string
	target   oms.AccessPoint
	caps     oms.Capabilities // of the target
	missing  []feature        // that the target does not carry
	losses   *losses
}

func newBridge(connector, fidelity string, loop bool, from, to *oms.Client, log *slog.Logger) *bridge {
	b := &bridge{
		fidelity: fidelity, target: to.AccessPoint(), caps: to.Capabilities(),
		losses: &losses{log: log, counts: make(map[string]int64)},
	}
	if loop {
		b.id = bridgeID(connector, from.AccessPoint(), to.AccessPoint())
	}
	for _, f := range features {
		if !b.caps.Has(f.capability) {
			b.missing = append(b.missing, f)
		}
	}
	return b
}

// carry returns what a received record becomes in a topic of the target. The
// record is not changed. An error names the record and why it cannot go on.
func (b *bridge) carry(m *oms.Message, topic string) (*oms.Message, error) {
	hops, err := b.pass(m)
	if err != nil {
		return nil, err
	}
	out := fresh(m)
	if b.fidelity == envelope {
		out, err = b.change(m, out)
	} else {
		out, err = b.fit(m, out)
	}
	if err != nil {
		return nil, err
	}
	out.Topic = topic
	if hops != "" {
		out.Headers = out.Headers.Without(hopsHeader).With(hopsHeader, hops)
	}
	return out, b.check(m, out)
}

// fresh returns the message as one to be sent: without where it was.
func fresh(m *oms.Message) *oms.Message {
	return &oms.Message{
		ID: m.ID, Topic: m.Topic, Key: m.Key, Body: m.Body, Headers: m.Headers, BornAt: m.BornAt, CorrelationID: m.CorrelationID,
		TraceParent: m.TraceParent, TraceState: m.TraceState, ExpiresAt: m.ExpiresAt, Priority: m.Priority,
	}
}

// fit takes from a message what the target does not carry, or refuses it.
func (b *bridge) fit(m, out *oms.Message) (*oms.Message, error) {
	if b.fidelity == strict {
		if kinds := b.lacks(out); kinds != nil {
			return nil, refuse(m, oms.ErrUnsupported, fmt.Errorf("%s cannot carry %s; set %s to %s, or to %s to go on without",
				b.target, strings.Join(kinds, ", "), keyFidelity, envelope, native))
		}
		return out, nil
	}
	for _, f := range b.missing {
		if f.used(out) {
			f.native(out)
			b.losses.note(f, m, b.target)
		}
	}
	return out, nil
}

// lacks returns what a message has and the target does not carry.
func (b *bridge) lacks(m *oms.Message) (kinds []string) {
	for _, f := range b.missing {
		if f.used(m) {
			kinds = append(kinds, f.kind)
		}
	}
	return kinds
}

// change puts a message into an envelope, or takes it out of one.
func (b *bridge) change(m, out *oms.Message) (*oms.Message, error) {
	version, marked := m.Headers.Get(envelopeHeader)
	if !marked {
		return b.wrapped(out), nil
	}
	inner, err := decodeEnvelope(m.Body)
	if string(version) != envelopeVersion {
		err = fmt.Errorf("its version is %.20q, and only %s is known", version, envelopeVersion)
	}
	if err != nil {
		return nil, refuse(m, oms.ErrFormat, fmt.Errorf("it has the header %s, and its body is no envelope: %w; take the header away, or read the topic with another %s", envelopeHeader, err, keyFidelity))
	}
	if kinds := b.lacks(inner); kinds != nil {
		return nil, refuse(m, oms.ErrUnsupported, fmt.Errorf("what is in the envelope has %s, which %s cannot carry; set %s to %s to have envelopes go on as they are",
			strings.Join(kinds, ", "), b.target, keyFidelity, native))
	}
	return inner, nil
}

// wrapped returns the envelope of a message.
func (b *bridge) wrapped(m *oms.Message) *oms.Message {
	out := fresh(m)
	out.Body = encodeEnvelope(m)
	out.Headers = oms.Headers{{Name: envelopeHeader, Value: []byte(envelopeVersion)}}
	for _, f := range b.missing {
		if f.used(out) {
			f.native(out) // nothing is lost: the inside has it
		}
	}
	return out
}

// check finds what no broker or not this one takes, so that the record is
// named before anything of its batch is sent.
func (b *bridge) check(m, out *oms.Message) error {
	if err := checkTopic(out.Topic); err != nil {
		return refuse(m, oms.ErrInvalid, fmt.Errorf("it would go to a topic that cannot be: %w", err))
	}
	if most := b.caps.MaxBody; most > 0 && len(out.Body) > most {
		return refuse(m, oms.ErrTooLarge, fmt.Errorf("its body has %d bytes, and %s takes at most %d", len(out.Body), b.target, most))
	}
	for _, h := range out.Headers {
		if h.Name == "" {
			return refuse(m, oms.ErrFormat, errors.New("a header has no name"))
		}
	}
	if out.Priority < 0 || out.Priority > 10 {
		return refuse(m, oms.ErrFormat, fmt.Errorf("its priority is %d, and not between 0 and 10", out.Priority))
	}
	return nil
}

// refuse returns the error of a record that cannot go on.
func refuse(m *oms.Message, code oms.Code, err error) error {
	return &oms.Error{Op: "bridge", Target: place(m), Code: code, Err: err}
}

// place names a received record.
func place(m *oms.Message) string {
	return fmt.Sprintf("%s partition %d offset %d", m.Topic, m.Partition, m.Offset)
}
