// Package envelope writes into one line of text what a broker has no place for
// beside a message's body: fields of the form name=value, separated by
// semicolons, text percent-encoded, bytes in base64.
//
// Headers that the broker can carry stay the broker's own, so that its programs
// see them. The envelope lists the names of all in order, and the values of the
// others. Which headers those are, and which must not steer the broker, is the
// driver's to say.
//
// What is written here is stored at brokers: it can be added to, and not
// changed.
package envelope

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Ward is put before the name of a header that would steer the broker, or
// looks like one of the driver's.
const Ward = "oms-h-"

// Warded reports whether a name begins as those do that are warded, so that it
// cannot stay as it is.
func Warded(name string) bool {
	return len(name) >= len(Ward) && strings.EqualFold(name[:len(Ward)], Ward)
}

// The fields of an envelope.
const (
	fieldID          = "id"
	fieldKey         = "key"
	fieldBorn        = "born"
	fieldCorrelation = "corr"
	fieldTraceParent = "tp"
	fieldTraceState  = "ts"
	fieldExpires     = "exp"
	fieldPriority    = "prio"
	fieldHeaders     = "h"
)

// The fields that say of the body what it does not show.
const (
	Nil   = "nil"  // there is none: a tombstone
	Empty = "void" // it is empty, where the broker takes no empty ones
)

// Append writes the envelope of a message behind e, but for what is said of its
// body and for its headers.
func Append(e []byte, m *oms.Message) []byte {
	e = append(e, "v=1"...)
	e = appendText(e, fieldID, m.ID)
	if m.Key != nil {
		e = base64.RawURLEncoding.AppendEncode(appendValue(e, fieldKey), m.Key)
	}
	e = appendTime(e, fieldBorn, m.BornAt)
	e = appendText(e, fieldCorrelation, m.CorrelationID)
	e = appendText(e, fieldTraceParent, m.TraceParent)
	e = appendText(e, fieldTraceState, m.TraceState)
	e = appendTime(e, fieldExpires, m.ExpiresAt)
	if m.Priority != 0 {
		e = strconv.AppendInt(appendValue(e, fieldPriority), int64(m.Priority), 10)
	}
	return e
}

// AppendBody adds what is said of the body: [Nil] or [Empty].
func AppendBody(e []byte, field string) []byte { return append(append(e, ';'), field...) }

// AppendHeaders adds the list of headers, if there are any. Carry is called
// with the index of each that has a value, in order: it reports whether the
// broker carries the header, and sees to that.
func AppendHeaders(e []byte, hs oms.Headers, carry func(i int) bool) []byte {
	if len(hs) == 0 {
		return e
	}
	return AppendList(appendValue(e, fieldHeaders), hs, carry)
}

func appendValue(e []byte, name string) []byte { return append(AppendBody(e, name), '=') }

func appendText(e []byte, name, value string) []byte {
	if value == "" {
		return e
	}
	return append(appendValue(e, name), url.PathEscape(value)...)
}

func appendTime(e []byte, name string, at time.Time) []byte {
	if at.IsZero() {
		return e
	}
	return strconv.AppendInt(appendValue(e, name), at.UnixMilli(), 10)
}

// Read fills in a message from its envelope. Its body is what the broker has,
// and not nil. Carried returns the next value that the broker carries of a
// header. The error is ErrFormat, and names the field.
func Read(m *oms.Message, envelope string, carried func(name string) (value []byte, ok bool)) error {
	for field := range strings.SplitSeq(envelope, ";") {
		name, value, _ := strings.Cut(field, "=")
		var err error
		switch name {
		case fieldKey:
			m.Key, err = readBytes(value)
		case fieldBorn:
			m.BornAt, err = readTime(value)
		case fieldExpires:
			m.ExpiresAt, err = readTime(value)
		case fieldPriority:
			m.Priority, err = strconv.Atoi(value)
		case Nil:
			m.Body = nil
		case Empty:
			m.Body = []byte{}
		case fieldHeaders:
			m.Headers, err = ReadList(value, carried)
		case fieldID:
			m.ID, err = url.PathUnescape(value)
		case fieldCorrelation:
			m.CorrelationID, err = url.PathUnescape(value)
		case fieldTraceParent:
			m.TraceParent, err = url.PathUnescape(value)
		case fieldTraceState:
			m.TraceState, err = url.PathUnescape(value)
		}
		if err != nil {
			return damaged("field " + name)
		}
	}
	return nil
}

func readBytes(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if b == nil {
		b = []byte{}
	}
	return b, err
}

func readTime(s string) (time.Time, error) {
	ms, err := strconv.ParseInt(s, 10, 64)
	return time.UnixMilli(ms), err
}
