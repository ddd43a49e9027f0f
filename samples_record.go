package omconnect

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// A sampleRecord is a record of a case: the JSON form of records, of which the
// expected ones name only what is to be compared.
type sampleRecord struct {
	record

	given map[string]bool
}

func (r sampleRecord) has(field string) bool { return r.given[field] }

// readRecords reads a list of records. Those that come in must say what their
// body is: null is a tombstone, and a body that was forgotten is not.
func readRecords(e entry, in bool, ps *problems) (records []sampleRecord) {
	if e.value.kind != list || in && len(e.value.items) == 0 {
		ps.add(e.line, e.key, "must be a list of records")
		return nil
	}
	for _, item := range e.value.items {
		if item.kind != mapping {
			ps.add(item.line, e.key, "a record has the keys topic, key, body, headers and others, as omconnect receive --format json prints them")
			continue
		}
		r := readRecord(item, ps)
		if in && !r.has("body") {
			ps.add(item.line, "body", "missing: a record has one; write body: null for a tombstone")
		}
		records = append(records, r)
	}
	return records
}

func readRecord(n *node, ps *problems) sampleRecord {
	r := sampleRecord{given: make(map[string]bool)}
	for _, e := range n.entries {
		r.given[e.key] = true
		switch e.key {
		case "topic":
			r.Topic = readText(e, ps)
		case "id":
			r.ID = readText(e, ps)
		case "correlation_id":
			r.CorrelationID = readText(e, ps)
		case "trace_parent":
			r.TraceParent = readText(e, ps)
		case "trace_state":
			r.TraceState = readText(e, ps)
		case "key":
			r.Key = readBytes(e, ps)
		case "body":
			r.Body = readBytes(e, ps)
		case "headers":
			r.Headers = readHeaders(e, ps)
		case "born_at":
			r.BornAt = readTime(e, ps)
		case "expires_at":
			r.ExpiresAt = readTime(e, ps)
		case "partition":
			partition := int(readInteger(e, ps, 31))
			r.Partition = &partition
		case "offset":
			offset := readInteger(e, ps, 63)
			r.Offset = &offset
		case "priority":
			r.Priority = int(readInteger(e, ps, 31))
		case "delay_ms":
			r.DelayMS = readInteger(e, ps, 63)
		default:
			ps.add(e.line, e.key, "unknown key; a record has topic, key, body, headers, born_at, id, partition, offset, correlation_id, trace_parent, trace_state, expires_at, priority, delay_ms")
		}
	}
	return r
}

func readText(e entry, ps *problems) string {
	if e.value.kind == scalar {
		return e.value.text
	}
	if e.value.kind != refused {
		ps.add(e.line, e.key, "must be a text")
	}
	return ""
}

func readInteger(e entry, ps *problems, bits int) int64 {
	n, err := strconv.ParseUint(e.value.text, 10, bits)
	if e.value.kind != refused && (e.value.kind != scalar || err != nil) {
		ps.add(e.line, e.key, "must be a whole number, 0 or more")
	}
	return int64(n) //nolint:gosec // of at most 63 bits
}

func readTime(e entry, ps *problems) time.Time {
	t, err := time.Parse(time.RFC3339Nano, e.value.text)
	if e.value.kind != refused && (e.value.kind != scalar || err != nil) {
		ps.add(e.line, e.key, "must be a point in time such as 2024-02-29T12:30:00.250Z")
	}
	return t
}

func readHeaders(e entry, ps *problems) []header {
	if e.value.kind != list {
		ps.add(e.line, e.key, "must be a list of headers, each with name and value")
		return nil
	}
	headers := make([]header, 0, len(e.value.items))
	for _, item := range e.value.items {
		var h header
		named, valued := false, false
		for _, part := range item.entries {
			switch part.key {
			case "name":
				h.Name, named = readText(part, ps), true
			case "value":
				h.Value, valued = readBytes(part, ps), true
			default:
				ps.add(part.line, e.key+"."+part.key, "unknown key; a header has name and value")
			}
		}
		if (!named || !valued) && item.kind != refused {
			ps.add(item.line, e.key, "a header has a name and a value; write value: null for one without")
		}
		headers = append(headers, h)
	}
	return headers
}

// readBytes reads bytes: a text or number as it stands, nothing for null,
// {base64: …} for any bytes, and every other object or list as compact JSON.
func readBytes(e entry, ps *problems) text {
	n := e.value
	switch {
	case n.kind == nothing || n.kind == refused:
		return nil
	case n.kind == scalar:
		return []byte(n.text)
	case n.kind == mapping && len(n.entries) == 1 && n.entries[0].key == "base64" && n.entries[0].value.kind == scalar:
		b, err := base64.StdEncoding.DecodeString(n.entries[0].value.text)
		if err != nil {
			ps.add(n.entries[0].line, e.key, "its base64 is malformed")
		}
		return append([]byte{}, b...)
	}
	return n.appendJSON(nil, e.key, ps)
}

// appendJSON writes a node as compact JSON. Numbers keep their digits.
func (n *node) appendJSON(b []byte, key string, ps *problems) []byte {
	switch n.kind {
	case nothing, refused:
		return append(b, "null"...)
	case list:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b, key, ps)
		}
		return append(b, ']')
	case mapping:
		b = append(b, '{')
		for i, e := range n.entries {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, e.key), ':')
			b = e.value.appendJSON(b, key+"."+e.key, ps)
		}
		return append(b, '}')
	case scalar:
	}
	if !n.literal {
		return appendQuoted(b, n.text)
	}
	if lower := strings.ToLower(n.text); lower == "true" || lower == "false" {
		return append(b, lower...)
	}
	if !isNumber(n.text) {
		ps.add(n.line, key, "JSON has no such number; write its decimal digits, or put it into quotes if it is a text")
	}
	return append(b, n.text...)
}

// appendQuoted writes a text as JSON, which a document has in UTF-8 only.
func appendQuoted(b []byte, s string) []byte {
	quoted, err := text(s).MarshalJSON()
	if err != nil {
		return append(b, "null"...) // strings always encode
	}
	return append(b, quoted...)
}
