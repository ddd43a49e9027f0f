package rabbitmq

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

// A table of AMQP is a set of names, in no order. The list of headers has all
// names in order, and the values that do not stand in the table.

// encodeHeaders puts the headers into the table, and the list of them.
func encodeHeaders(table amqp.Table, hs oms.Headers) {
	if len(hs) == 0 {
		return
	}
	table[headerList] = string(envelope.AppendList(nil, hs, func(i int) bool {
		name := warded(hs[i].Name)
		if _, taken := table[name]; taken || !nativeName(hs[i].Name) {
			return false
		}
		table[name] = native(hs[i].Value)
		return true
	}))
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
		hs = append(hs, oms.Header{Name: strings.TrimPrefix(name, envelope.Ward), Value: value(table[name])})
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
	hs, err := envelope.ReadList(list, func(name string) ([]byte, bool) {
		place := warded(name)
		v, ok := table[place]
		listed[place] = true
		if b := value(v); b != nil {
			return b, ok
		}
		return []byte{}, ok
	})
	if err != nil || slices.ContainsFunc(hs, func(h oms.Header) bool { return h.Name == "" }) {
		return nil, nil
	}
	return hs, listed
}

// reserved reports whether a header of the table is not one of the message's:
// ours, or what the broker says of the delivery.
func reserved(name string) bool {
	switch name {
	case headerTraceParent, headerTraceState, "x-delivery-count", "x-acquired-count", "x-stream-offset":
		return true
	}
	return strings.HasPrefix(name, ownHeaders) && !strings.HasPrefix(name, envelope.Ward)
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
		return envelope.Ward + name
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
