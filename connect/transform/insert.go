package transform

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func insertFieldPlugin(part connect.Part) connect.TransformPlugin {
	typ, aliases := partNames("InsertField", part)
	const suffix = " A ! behind the name makes the field required, a ? optional, which it is without."
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc: "Adds fields to the " + string(part) + ": topic, partition, offset, timestamp, or a constant.",
		Def: connect.ConfigDef{
			Keys: []connect.Key{
				{Name: "topic.field", Doc: "Field for the topic." + suffix},
				{Name: "partition.field", Doc: "Field for the broker's partition." + suffix},
				{Name: "offset.field", Doc: "Field for the offset, in sinks only." + suffix},
				{Name: "timestamp.field", Doc: "Field for the record's timestamp: milliseconds in a JSON object, a timestamptz in a row." + suffix},
				{Name: "static.field", Doc: "Field for a constant." + suffix},
				{Name: "static.value", Doc: "The constant."},
				defaultsKey(),
			},
			Check: func(config oms.KeyValue) (problems oms.KeyErrors) {
				some := false
				for _, name := range []string{"topic", "partition", "offset", "timestamp", "static"} {
					_, ok := config[name+".field"]
					some = some || ok
				}
				if !some {
					problems = append(problems, oms.KeyError{Key: "topic.field", Problem: "no field is inserted: set one of topic.field, partition.field, offset.field, timestamp.field, static.field"})
				}
				if _, ok := config["static.field"]; ok && config["static.value"] == "" {
					problems = append(problems, oms.KeyError{Key: "static.value", Problem: "missing: static.field needs it"})
				}
				return problems
			},
		},
		Effects: needs(part, sameStruct),
		Check: func(kind connect.Kind, config oms.KeyValue) oms.KeyErrors {
			if _, ok := config["offset.field"]; ok && kind == connect.KindSource {
				return oms.KeyErrors{{Key: "offset.field", Problem: "a record of a source has no offset yet; use it in a sink"}}
			}
			return nil
		},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			return &insertField{
				part: part, defaults: config["replace.null.with.default"] == "true",
				topic: insertionOf(config["topic.field"]), partition: insertionOf(config["partition.field"]), offset: insertionOf(config["offset.field"]),
				timestamp: insertionOf(config["timestamp.field"]), static: insertionOf(config["static.field"]), value: config["static.value"],
			}, nil
		},
	}
}

// An insertion is the name of a field that is inserted.
type insertion struct {
	name     string // "" for none
	required bool
}

func insertionOf(s string) insertion {
	if name, ok := strings.CutSuffix(s, "!"); ok {
		return insertion{name, true}
	}
	return insertion{name: strings.TrimSuffix(s, "?")}
}

type insertField struct {
	part                                        connect.Part
	defaults                                    bool
	topic, partition, offset, timestamp, static insertion
	value                                       string
}

// Apply adds the fields; null stays null.
func (t *insertField) Apply(r *connect.Record) (*connect.Record, error) {
	s, err := r.Struct(t.part)
	if s == nil || err != nil {
		return r, err
	}
	if t.defaults {
		s = s.Defaulted()
	}
	const most = 5 // fields that are inserted
	in := inserter{to: s.CloneFor(most)}
	in.add(t.topic, r.Topic(), connect.DataText)
	if p, ok := r.Partition(); ok {
		in.number(t.partition, int64(p), connect.DataInt32)
	} else {
		in.null(t.partition, connect.DataInt32)
	}
	if o, ok := r.Offset(); ok {
		in.number(t.offset, o, connect.DataInt64)
	} else {
		in.null(t.offset, connect.DataInt64)
	}
	switch at := r.Timestamp(); {
	case at.IsZero():
		in.null(t.timestamp, connect.DataTimestampTZ)
	case s.Typed:
		ts, ok := instantOf(at)
		if !ok {
			return nil, malformed("insert", "the record's timestamp is not between the years 0 and 9999")
		}
		in.add(t.timestamp, ts, connect.DataTimestampTZ)
	default:
		in.add(t.timestamp, json.Number(strconv.FormatInt(at.UnixMilli(), 10)), "")
	}
	in.add(t.static, t.value, connect.DataText)
	if in.err != nil {
		return nil, in.err
	}
	r.Set(t.part, in.to)
	return r, nil
}

// An inserter adds fields to a structure until one cannot be added.
type inserter struct {
	to  *connect.Struct
	err error
}

func (in *inserter) add(at insertion, v any, typ connect.DataType) {
	if at.name == "" || in.err != nil {
		return
	}
	f := connect.Field{Name: at.name, Value: v}
	if in.to.Typed {
		if in.to.Index(at.name) >= 0 {
			in.err = malformed("insert", "the row has a field %.100q already; rename it with ReplaceField first, or insert another", at.name)
			return
		}
		if v == nil && at.required {
			in.err = malformed("insert", "the required field %.100q would be null", at.name)
			return
		}
		f.Type, f.Required = typ, at.required
	}
	in.to.Set(f)
}

func (in *inserter) number(at insertion, n int64, typ connect.DataType) {
	if in.to.Typed {
		in.add(at, n, typ)
		return
	}
	in.add(at, json.Number(strconv.FormatInt(n, 10)), "")
}

// null adds a field without a value to a row, and nothing to a JSON object.
func (in *inserter) null(at insertion, typ connect.DataType) {
	if in.to.Typed {
		in.add(at, nil, typ)
	}
}
