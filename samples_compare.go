package omconnect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A difference is one thing that is not as a case wants it.
type difference struct {
	Where string `json:"where"` // such as "out 1, body.name"; records count from 1
	Got   string `json:"got"`
	Want  string `json:"want"`
}

// absent stands for what is not there.
const absent = "(nothing)"

// compareRecords compares what came out with what was expected, in the fields
// that the expected records name.
func compareRecords(got []*oms.Message, want []sampleRecord) (all []difference) {
	for i := range max(len(got), len(want)) {
		where := fmt.Sprintf("out %d", i+1)
		switch {
		case i >= len(want):
			all = append(all, difference{where, showMessage(got[i]), absent})
		case i >= len(got):
			all = append(all, difference{where, absent, "a record"})
		default:
			for _, d := range compareRecord(got[i], want[i]) {
				d.Where = where + ", " + d.Where
				all = append(all, d)
			}
		}
	}
	return all
}

// compareRecord compares a record field by field.
func compareRecord(m *oms.Message, want sampleRecord) (all []difference) {
	got := recordOf(m)
	got.DelayMS = m.Delay.Milliseconds()
	if m.Receipt == nil { // one of a source
		got.Partition, got.Offset = m.ToPartition, nil
	}
	compare := func(field, got, wanted string) {
		if want.has(field) && got != wanted {
			all = append(all, difference{field, got, wanted})
		}
	}
	compare("topic", show(text(got.Topic)), show(text(want.Topic)))
	if want.has("key") && !same(got.Key, want.Key) {
		all = append(all, difference{"key", show(got.Key), show(want.Key)})
	}
	if want.has("body") {
		all = append(all, compareBodies(got.Body, want.Body)...)
	}
	compare("headers", showHeaders(got.Headers), showHeaders(want.Headers))
	compare("born_at", showTime(got.BornAt), showTime(want.BornAt))
	compare("id", show(text(got.ID)), show(text(want.ID)))
	compare("partition", showNumber(got.Partition), showNumber(want.Partition))
	compare("offset", showNumber(got.Offset), showNumber(want.Offset))
	compare("correlation_id", show(text(got.CorrelationID)), show(text(want.CorrelationID)))
	compare("trace_parent", show(text(got.TraceParent)), show(text(want.TraceParent)))
	compare("trace_state", show(text(got.TraceState)), show(text(want.TraceState)))
	compare("expires_at", showTime(got.ExpiresAt), showTime(want.ExpiresAt))
	compare("priority", strconv.Itoa(got.Priority), strconv.Itoa(want.Priority))
	compare("delay_ms", strconv.FormatInt(got.DelayMS, 10), strconv.FormatInt(want.DelayMS, 10))
	return all
}

// compareBodies compares JSON objects and lists as values, and everything else
// as bytes.
func compareBodies(got, want text) []difference {
	g, isJSON := structure(got)
	w, wanted := structure(want)
	if isJSON && wanted {
		return compareJSON("body", g, w)
	}
	if same(got, want) {
		return nil
	}
	return []difference{{"body", show(got), show(want)}}
}

// same compares bytes; none differs from an empty text.
func same(a, b text) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// structure reads a JSON object or list. Numbers keep their digits: what
// differs in them differs for a cast, a converter, or a typed row.
func structure(b []byte) (v any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if !json.Valid(b) || d.Decode(&v) != nil {
		return nil, false
	}
	switch v.(type) {
	case map[string]any, []any:
		return v, true
	}
	return nil, false
}

// compareJSON finds where two values differ.
func compareJSON(path string, got, want any) (all []difference) {
	g, isObject := got.(map[string]any)
	w, wanted := want.(map[string]any)
	if isObject && wanted {
		names := maps.Clone(g)
		maps.Copy(names, w)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			inner := path + "." + name
			before, there := g[name]
			after, expected := w[name]
			switch {
			case !there:
				all = append(all, difference{inner, absent, showJSON(after)})
			case !expected:
				all = append(all, difference{inner, showJSON(before), absent})
			default:
				all = append(all, compareJSON(inner, before, after)...)
			}
		}
		return all
	}
	gs, isList := got.([]any)
	ws, wanted := want.([]any)
	if isList && wanted && len(gs) == len(ws) {
		for i := range gs {
			all = append(all, compareJSON(fmt.Sprintf("%s[%d]", path, i), gs[i], ws[i])...)
		}
		return all
	}
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return []difference{{path, showJSON(got), showJSON(want)}}
}

func showJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // it was JSON
	return string(bytes.TrimSpace(b.Bytes()))
}

// show returns bytes as a file of cases has them: JSON as it is, a text in
// quotes, other bytes in base64.
func show(t text) string {
	if _, ok := structure(t); ok {
		return string(t)
	}
	b, err := t.MarshalJSON()
	if err != nil {
		return absent // bytes always encode
	}
	return string(b)
}

func showHeaders(hs []header) string {
	if hs == nil {
		hs = []header{}
	}
	return showJSON(hs)
}

func showTime(t time.Time) string {
	if t.IsZero() {
		return absent
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func showNumber[T int | int64](n *T) string {
	if n == nil {
		return absent
	}
	return strconv.FormatInt(int64(*n), 10)
}

// showMessage shows a record that nobody expected.
func showMessage(m *oms.Message) string {
	return "topic " + show(text(m.Topic)) + ", key " + show(m.Key) + ", body " + show(m.Body)
}
