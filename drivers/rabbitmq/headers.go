package rabbitmq

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// A table of AMQP is a set of names, in no order. The list of headers has all
// names in order: name for one whose value stands in the table, name:value in
// base64 for one whose value does not, name! for one without a value.

// encodeHeaders puts the headers into the table, and the list of them.
func encodeHeaders(table amqp.Table, hs oms.Headers) {
	if len(hs) == 0 {
		return
	}
	var list strings.Builder
	for i, h := range hs {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(escapeName(h.Name))
		name := warded(h.Name)
		_, taken := table[name]
		switch {
		case h.Value == nil:
			list.WriteByte('!')
		case taken, !nativeName(h.Name):
			list.WriteByte(':')
			list.WriteString(base64.RawURLEncoding.EncodeToString(h.Value))
		default:
			table[name] = native(h.Value)
		}
	}
	table[headerList] = list.String()
}

// decodeHeaders restores the headers that the list has, in order, and adds
// those that others have put into the table, sorted by name. A list that does
// not fit the table is passed over.
func decodeHeaders(table amqp.Table) oms.Headers {
	if len(table) == 0 {
		return nil
	}
	hs, listed := listedHeaders(table)
	var others []string
	_, delayed := table[headerDelay]
	for name := range table {
		if !listed[name] && !reserved(name) && (!delayed || !isDeath(name)) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	for _, name := range others {
		hs = append(hs, oms.Header{Name: strings.TrimPrefix(name, wardHeaders), Value: value(table[name])})
	}
	return hs
}

// listedHeaders returns the headers that the list has, and the names in the
// table that they stand under.
func listedHeaders(table amqp.Table) (hs oms.Headers, listed map[string]bool) {
	list := string(value(table[headerList]))
	if list == "" {
		return nil, nil
	}
	listed = make(map[string]bool)
	for item := range strings.SplitSeq(list, ",") {
		h, ok := decodeHeader(item, table, listed)
		if !ok {
			return nil, nil
		}
		hs = append(hs, h)
	}
	return hs, listed
}

func decodeHeader(item string, table amqp.Table, listed map[string]bool) (h oms.Header, ok bool) {
	escaped, encoded, inline := strings.Cut(item, ":")
	escaped, none := strings.CutSuffix(escaped, "!")
	name, err := url.PathUnescape(escaped)
	if err != nil {
		return h, false
	}
	h.Name = name
	switch {
	case none:
	case inline:
		if h.Value, err = base64.RawURLEncoding.DecodeString(encoded); err != nil {
			return h, false
		}
	default:
		place := warded(name)
		v, ok := table[place]
		if !ok {
			return h, false
		}
		listed[place] = true
		h.Value = value(v)
	}
	if h.Value == nil && !none {
		h.Value = []byte{}
	}
	return h, name != ""
}

// reserved reports whether a header of the table is not one of the message's:
// ours, or what the broker says of the delivery.
func reserved(name string) bool {
	switch name {
	case headerTraceParent, headerTraceState, "x-delivery-count", "x-acquired-count", "x-stream-offset":
		return true
	}
	return strings.HasPrefix(name, ownHeaders) && !strings.HasPrefix(name, wardHeaders)
}

// nativeName reports whether a header of that name can stand in the table.
func nativeName(name string) bool {
	lower := strings.ToLower(name)
	return len(warded(name)) <= shortString && utf8.ValidString(name) &&
		!strings.HasPrefix(lower, ownHeaders) && lower != headerTraceParent && lower != headerTraceState
}

// steering are the headers that mean something to the broker, in lower case;
// so do all that begin with one of steeringPrefixes.
var (
	steering         = []string{"cc", "bcc", "user_id", "user-id", "x-delivery-count", "x-acquired-count", "x-delay", "x-match", "x-received-from", "x-retry-count"}
	steeringPrefixes = []string{"x-death", "x-first-death", "x-last-death", "x-stream-", "x-opt-"}
)

// warded gives a name that would steer the broker one that does not.
func warded(name string) string {
	lower := strings.ToLower(name)
	if slices.Contains(steering, lower) || slices.ContainsFunc(steeringPrefixes, func(p string) bool { return strings.HasPrefix(lower, p) }) {
		return wardHeaders + name
	}
	return name
}

// value returns what a table has as bytes: text and bytes as they are, other
// types as text.
func value(v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return []byte(v)
	case []byte:
		if v == nil {
			return []byte{}
		}
		return v
	case bool:
		return strconv.AppendBool(nil, v)
	case float32:
		return strconv.AppendFloat(nil, float64(v), 'g', -1, 32)
	case float64:
		return strconv.AppendFloat(nil, v, 'g', -1, 64)
	case time.Time:
		return []byte(v.UTC().Format(time.RFC3339))
	case int8, int16, int32, int64, int, uint8, uint16, uint32:
		return strconv.AppendInt(nil, integer(v), 10)
	}
	text, err := json.Marshal(v) // an array or a table
	if err != nil {
		return fmt.Append(nil, v)
	}
	return text
}

// escapeName encodes a name so that it has none of the list's own characters.
func escapeName(name string) string {
	return strings.NewReplacer(",", "%2C", ":", "%3A", "!", "%21").Replace(url.PathEscape(name))
}
