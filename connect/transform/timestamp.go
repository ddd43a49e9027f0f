package transform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func timestampRouterPlugin() connect.TransformPlugin {
	return connect.TransformPlugin{
		Type: "TimestampRouter", Aliases: []string{kafkaTransforms + "TimestampRouter"},
		Doc: "Makes the topic of the old one and the record's timestamp, in UTC. A record without a timestamp fails.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "topic.format", Default: "${topic}-${timestamp}", Doc: "The new topic; ${topic} and ${timestamp} stand for the old one and the time."},
			{
				Name: "timestamp.format", Default: "yyyyMMdd", Doc: "Form of the timestamp, as Java's SimpleDateFormat has it, without week years, weeks and eras.",
				Check: func(value string) error { _, err := parseDateFormat(value); return err },
			},
		}},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			format, err := parseDateFormat(config["timestamp.format"])
			return &timestampRouter{topic: config["topic.format"], format: format}, err
		},
	}
}

type timestampRouter struct {
	topic  string
	format []func(time.Time) string
}

// Apply changes the topic.
func (t *timestampRouter) Apply(r *connect.Record) (*connect.Record, error) {
	at := r.Timestamp()
	if at.IsZero() {
		return nil, malformed("route", "the record has no timestamp; set a predicate, or a source that gives one")
	}
	var b strings.Builder
	for _, piece := range t.format {
		b.WriteString(piece(at.UTC()))
	}
	// In this order, as Kafka Connect does it.
	topic := strings.ReplaceAll(t.topic, "${topic}", r.Topic())
	r.SetTopic(strings.ReplaceAll(topic, "${timestamp}", b.String()))
	return r, nil
}

// parseDateFormat reads a pattern of Java's SimpleDateFormat.
func parseDateFormat(pattern string) ([]func(time.Time) string, error) {
	var pieces []func(time.Time) string
	literal := func(s string) {
		pieces = append(pieces, func(time.Time) string { return s })
	}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			text, n, err := quoted(pattern[i:])
			if err != nil {
				return nil, err
			}
			literal(text)
			i += n
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			piece, err := datePiece(c, n)
			if err != nil {
				return nil, err
			}
			pieces = append(pieces, piece)
			i += n
		default:
			literal(string(c))
			i++
		}
	}
	return pieces, nil
}

// quoted returns the text that a quote begins, and how long it is there.
func quoted(s string) (text string, n int, err error) {
	if strings.HasPrefix(s, "''") {
		return "'", 2, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '\'':
			b.WriteByte(s[i])
		case strings.HasPrefix(s[i:], "''"):
			b.WriteByte('\'')
			i++
		default:
			return b.String(), i + 1, nil
		}
	}
	return "", 0, errors.New("a quote is not closed")
}

// datePiece returns what a letter that stands there n times is.
func datePiece(c byte, n int) (func(time.Time) string, error) {
	number := func(of func(time.Time) int) func(time.Time) string {
		return func(t time.Time) string { return padded(of(t), n) }
	}
	const full = 4 // letters from which on a name is not cut
	layout := func(short, long string) func(time.Time) string {
		if n >= full {
			short = long
		}
		return func(t time.Time) string { return t.Format(short) }
	}
	switch c {
	case 'y':
		if n == 2 {
			return func(t time.Time) string { return padded(t.Year()%100, 2) }, nil
		}
		return number(time.Time.Year), nil
	case 'M', 'L':
		if n > 2 {
			return layout("Jan", "January"), nil
		}
		return number(func(t time.Time) int { return int(t.Month()) }), nil
	case 'd':
		return number(time.Time.Day), nil
	case 'D':
		return number(time.Time.YearDay), nil
	case 'E':
		return layout("Mon", "Monday"), nil
	case 'u':
		return number(func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }), nil
	case 'a':
		return func(t time.Time) string { return t.Format("PM") }, nil
	case 'H':
		return number(time.Time.Hour), nil
	case 'k':
		return number(func(t time.Time) int { return (t.Hour()+23)%24 + 1 }), nil
	case 'K':
		return number(func(t time.Time) int { return t.Hour() % 12 }), nil
	case 'h':
		return number(func(t time.Time) int { return (t.Hour()+11)%12 + 1 }), nil
	case 'm':
		return number(time.Time.Minute), nil
	case 's':
		return number(time.Time.Second), nil
	case 'S':
		return number(func(t time.Time) int { return t.Nanosecond() / int(time.Millisecond) }), nil
	case 'z':
		return layout("UTC", "Coordinated Universal Time"), nil
	case 'Z':
		return layout("+0000", "+0000"), nil
	case 'X':
		return layout("Z", "Z"), nil
	}
	return nil, fmt.Errorf("the letter %c is not supported; put text into quotes", c)
}

func padded(v, n int) string {
	s := strconv.Itoa(v)
	return strings.Repeat("0", max(0, n-len(s))) + s
}

func insertHeaderPlugin() connect.TransformPlugin {
	return connect.TransformPlugin{
		Type: "InsertHeader", Aliases: []string{kafkaTransforms + "InsertHeader"},
		Doc: "Adds a header to each record, after those that it has.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "header", Required: true, Doc: "Name of the header."},
			{Name: "value.literal", Required: true, Doc: "Value of the header, written as it stands here; null for a header without a value."},
		}},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			h := oms.Header{Name: config["header"], Value: []byte(config["value.literal"])}
			if config["value.literal"] == "null" {
				h.Value = nil
			}
			return apply(func(r *connect.Record) {
				hs := r.Headers()
				r.SetHeaders(append(slices.Clip(hs), h))
			}), nil
		},
	}
}

func dropHeadersPlugin() connect.TransformPlugin {
	return connect.TransformPlugin{
		Type: "DropHeaders", Aliases: []string{kafkaTransforms + "DropHeaders"},
		Doc: "Takes headers out of each record.",
		Def: connect.ConfigDef{Keys: []connect.Key{{Name: "headers", Type: connect.List, Required: true, Doc: "Names of the headers."}}},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			names := oms.SplitList(config["headers"])
			return apply(func(r *connect.Record) {
				hs := r.Headers()
				for _, name := range names {
					hs = hs.Without(name)
				}
				r.SetHeaders(hs)
			}), nil
		},
	}
}

// An apply is a transform that is a function and cannot fail.
type apply func(r *connect.Record)

// Apply calls the function.
func (t apply) Apply(r *connect.Record) (*connect.Record, error) {
	t(r)
	return r, nil
}
