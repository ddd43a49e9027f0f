package transform

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/row"
	"github.com/omconnect/omconnect/oms"
)

func maskFieldPlugin(part connect.Part) connect.TransformPlugin {
	typ, aliases := partNames("MaskField", part)
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc: "Replaces fields of the " + string(part) + " by nothing of their type (0, false, empty), or by a constant. Null stays null; a " + string(part) + " that is null fails.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "fields", Type: connect.List, Required: true, Doc: "Fields to mask."},
			{
				Name: "replacement", Doc: "Constant for numbers and texts; fields of another type fail then.",
				Check: func(value string) error {
					if value == "" {
						return malformed("read", "must not be empty")
					}
					return nil
				},
			},
			defaultsKey(),
		}},
		Effects: needs(part, sameStruct),
		New: func(config oms.KeyValue) (connect.Transform, error) {
			return &maskField{
				part: part, fields: oms.SplitList(config["fields"]), replacement: config["replacement"], defaults: config["replace.null.with.default"] == "true",
			}, nil
		},
	}
}

type maskField struct {
	part        connect.Part
	fields      []string
	replacement string
	defaults    bool
}

// Apply masks the fields. As in Kafka Connect, a JSON object gets those that
// it does not have, as null.
func (t *maskField) Apply(r *connect.Record) (*connect.Record, error) {
	s, err := required(r, t.part)
	if err != nil {
		return nil, err
	}
	if t.defaults {
		s = s.Defaulted()
	}
	out := s.Clone()
	for _, name := range t.fields {
		i := out.Index(name)
		if i < 0 {
			if !out.Typed {
				out.Set(connect.Field{Name: name})
			}
			continue
		}
		f := &out.Fields[i]
		if f.Value == nil {
			continue
		}
		var ok bool
		if t.replacement == "" {
			f.Value, ok = nothing(f.Value)
		} else {
			f.Value, ok = constant(f.Value, t.replacement)
		}
		if !ok {
			return nil, malformed("mask", "the field %.100q cannot be masked that way: a replacement is for texts, and for numbers if it is one", name)
		}
	}
	r.Set(t.part, out)
	return r, nil
}

// nothing returns the empty value of the same type.
func nothing(v any) (any, bool) {
	switch v := v.(type) {
	case bool:
		return false, true
	case string:
		return "", true
	case json.Number:
		if isInteger(v) {
			return json.Number("0"), true
		}
		return json.Number("0.0"), true
	case int64:
		return int64(0), true
	case float64:
		return float64(0), true
	case float32:
		return float32(0), true
	case []byte:
		return []byte{}, true
	case []any:
		return []any{}, true
	case *connect.Struct:
		return &connect.Struct{}, !v.Typed
	case row.Decimal:
		return row.Decimal("0"), true
	case row.Date:
		return row.Date("1970-01-01"), true
	case row.Time:
		return row.Time("00:00:00"), true
	case row.Timestamp:
		return row.Timestamp("1970-01-01T00:00:00"), true
	case row.TimestampTZ:
		return row.TimestampTZ("1970-01-01T00:00:00Z"), true
	}
	return nil, false
}

// constant returns the replacement as a value of the same type.
func constant(v any, replacement string) (any, bool) {
	switch v := v.(type) {
	case string:
		return replacement, true
	case int64:
		return integerPart(replacement)
	case json.Number:
		if isInteger(v) {
			n, ok := integerPart(replacement)
			return json.Number(strconv.FormatInt(n, 10)), ok
		}
		f, ok := javaNumber(replacement, 64)
		return f, ok
	case float64:
		f, ok := javaNumber(replacement, 64)
		return f, ok
	case float32:
		f, ok := javaNumber(replacement, 32)
		return float32(f), ok
	case row.Decimal:
		d := row.Decimal(replacement)
		return d, d.Valid()
	}
	return nil, false
}

func isInteger(n json.Number) bool { return !strings.ContainsAny(string(n), ".eE") }

// integerPart returns the whole part of a decimal number.
func integerPart(s string) (int64, bool) {
	const longest = 400 // digits and exponent: far beyond what is a number here
	if len(s) > longest {
		return 0, false
	}
	f, _, err := big.ParseFloat(s, 10, 2000, big.ToZero)
	if err != nil || f.IsInf() {
		return 0, false
	}
	n, _ := f.Int64()
	return n, true
}
