package transform

import (
	"fmt"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func castPlugin(part connect.Part) connect.TransformPlugin {
	typ, aliases := partNames("Cast", part)
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc: "Turns fields of the " + string(part) + ", or all of it, into another type.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{
				Name: "spec", Type: connect.List, Required: true, Doc: "Types, as field:type,field:type, or one type for the whole. Types are int8, int16, int32, int64, float32, float64, boolean, string.",
				Check: func(value string) error { _, err := parseCasts(value); return err },
			},
			defaultsKey(),
		}},
		Effects: func(config oms.KeyValue) []connect.Effect {
			casts, _ := parseCasts(config["spec"]) // checked
			if _, whole := casts[wholePart]; whole {
				return []connect.Effect{{Part: part, Leaves: func(connect.Form) connect.Form { return connect.FormScalar }}}
			}
			return needs(part, sameStruct)(config)
		},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			casts, err := parseCasts(config["spec"])
			return &cast{part: part, casts: casts, defaults: config["replace.null.with.default"] == "true"}, err
		},
	}
}

// wholePart is the name that stands for the whole key or value in casts: no
// field of a list has it.
const wholePart = ""

var castTypes = map[string]connect.DataType{
	"int8": connect.DataInt8, "int16": connect.DataInt16, "int32": connect.DataInt32, "int64": connect.DataInt64,
	"float32": connect.DataFloat32, "float64": connect.DataFloat64, "boolean": connect.DataBoolean, "string": connect.DataText,
}

func parseCasts(spec string) (map[string]connect.DataType, error) {
	casts := make(map[string]connect.DataType)
	list := oms.SplitList(spec)
	for _, item := range list {
		name, typ, pair := strings.Cut(item, ":")
		if !pair {
			name, typ = wholePart, item
		}
		name, typ = strings.TrimSpace(name), strings.TrimSpace(typ)
		to, ok := castTypes[strings.ToLower(typ)]
		if !ok || pair && name == "" {
			return nil, fmt.Errorf("%.100q is neither field:type nor a type; types are int8, int16, int32, int64, float32, float64, boolean, string", item)
		}
		casts[name] = to
	}
	if _, whole := casts[wholePart]; whole && len(list) > 1 {
		return nil, fmt.Errorf("a type for the whole stands alone")
	}
	return casts, nil
}

type cast struct {
	part     connect.Part
	casts    map[string]connect.DataType
	defaults bool
}

// Apply casts; null stays null. As in Kafka Connect, a JSON object gets the
// fields that it does not have, as null.
func (t *cast) Apply(r *connect.Record) (*connect.Record, error) {
	if to, whole := t.casts[wholePart]; whole {
		v, err := r.Get(t.part)
		if v == nil || err != nil {
			return r, err
		}
		v, ok := castTo(v, to)
		if !ok {
			return nil, malformed("cast", "the %s cannot be cast to %s, or is out of its range", t.part, to)
		}
		r.Set(t.part, v)
		return r, nil
	}
	s, err := r.Struct(t.part)
	if s == nil || err != nil {
		return r, err
	}
	if t.defaults {
		s = s.Defaulted()
	}
	out := s.Clone()
	for name, to := range t.casts {
		i := out.Index(name)
		if i < 0 {
			continue
		}
		if err := castField(&out.Fields[i], to, out.Typed); err != nil {
			return nil, err
		}
	}
	if !out.Typed {
		t.addMissing(out)
	}
	r.Set(t.part, out)
	return r, nil
}

// addMissing adds the fields that are not there, sorted by name.
func (t *cast) addMissing(out *connect.Struct) {
	for _, name := range sortedNames(t.casts) {
		if out.Index(name) < 0 {
			out.Fields = append(out.Fields, connect.Field{Name: name})
		}
	}
}

func castField(f *connect.Field, to connect.DataType, typed bool) error {
	var ok bool
	if f.Value != nil {
		if f.Value, ok = castTo(f.Value, to); !ok {
			return malformed("cast", "the field %.100q cannot be cast to %s, or is out of its range", f.Name, to)
		}
	}
	if f.Default != nil {
		if f.Default, ok = castTo(f.Default, to); !ok {
			return malformed("cast", "the default of the field %.100q cannot be cast to %s", f.Name, to)
		}
	}
	if typed {
		f.Type, f.Shape = to, nil
	}
	return nil
}
