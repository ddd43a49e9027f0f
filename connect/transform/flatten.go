package transform

import (
	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func flattenPlugin(part connect.Part) connect.TransformPlugin {
	typ, aliases := partNames("Flatten", part)
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc:     "Makes fields of structures in the " + string(part) + " its own fields, their names joined. Lists stay.",
		Def:     connect.ConfigDef{Keys: []connect.Key{{Name: "delimiter", Default: ".", Doc: "What stands between the names."}}},
		Effects: needs(part, func(connect.Form) connect.Form { return connect.FormFlat }),
		New: func(config oms.KeyValue) (connect.Transform, error) {
			return &flatten{part: part, delimiter: config["delimiter"]}, nil
		},
	}
}

type flatten struct {
	part      connect.Part
	delimiter string
}

// Apply flattens the part; null stays null.
func (t *flatten) Apply(r *connect.Record) (*connect.Record, error) {
	s, err := r.Struct(t.part)
	if s == nil || err != nil {
		return r, err
	}
	out := &connect.Struct{Typed: s.Typed, Table: s.Table, Fields: make([]connect.Field, 0, len(s.Fields))}
	if err := t.add(out, make(map[string]int), s, "", false); err != nil {
		return nil, err
	}
	r.Set(t.part, out)
	return r, nil
}

// add adds the fields of s. Nullable says that a structure around them may be
// null, and so they.
func (t *flatten) add(out *connect.Struct, seen map[string]int, s *connect.Struct, prefix string, nullable bool) error {
	for _, f := range s.Fields {
		if prefix != "" {
			f.Name = prefix + t.delimiter + f.Name
		}
		inner, isStruct := f.Value.(*connect.Struct)
		if f.Value == nil && f.Shape != nil {
			inner, isStruct = f.Shape, true
		}
		switch {
		case isStruct && inner.Typed != out.Typed:
			return malformed("flatten", "the field %.100q is a map, which has no fixed fields", f.Name)
		case isStruct:
			if err := t.add(out, seen, inner, f.Name, nullable || !f.Required); err != nil {
				return err
			}
			continue
		}
		f.Required = f.Required && !nullable
		i, there := seen[f.Name]
		switch {
		case !there:
			seen[f.Name] = len(out.Fields)
			out.Fields = append(out.Fields, f)
		case out.Typed:
			return malformed("flatten", "two fields would have the name %.100q; set another delimiter", f.Name)
		default:
			out.Fields[i] = f
		}
	}
	return nil
}
