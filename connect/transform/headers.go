package transform

import (
	"slices"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func headerFromPlugin(part connect.Part) connect.TransformPlugin {
	typ, aliases := partNames("HeaderFrom", part)
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc: "Copies or moves fields of the " + string(part) + " into headers, as text. A " + string(part) + " that is null fails.",
		Def: connect.ConfigDef{
			Keys: []connect.Key{
				{Name: "fields", Type: connect.List, Required: true, Doc: "Fields to take."},
				{Name: "headers", Type: connect.List, Required: true, Doc: "Names of their headers, in the same order."},
				{Name: "operation", Required: true, Values: []string{"move", "copy"}, Doc: "move takes the fields out, copy leaves them."},
				defaultsKey(),
			},
			Check: func(config oms.KeyValue) oms.KeyErrors {
				if len(oms.SplitList(config["fields"])) != len(oms.SplitList(config["headers"])) {
					return oms.KeyErrors{{Key: "headers", Problem: "there have to be as many as fields"}}
				}
				return nil
			},
		},
		Effects: needs(part, sameStruct),
		New: func(config oms.KeyValue) (connect.Transform, error) {
			return &headerFrom{
				part: part, fields: oms.SplitList(config["fields"]), headers: oms.SplitList(config["headers"]),
				move: config["operation"] == "move", defaults: config["replace.null.with.default"] == "true",
			}, nil
		},
	}
}

type headerFrom struct {
	part            connect.Part
	fields, headers []string
	move, defaults  bool
}

// Apply adds the headers.
func (t *headerFrom) Apply(r *connect.Record) (*connect.Record, error) {
	s, err := required(r, t.part)
	if err != nil {
		return nil, err
	}
	if t.defaults {
		s = s.Defaulted()
	}
	hs := slices.Clone(r.Headers())
	for i, name := range t.fields {
		v, ok := s.Get(name)
		if !ok && s.Typed {
			return nil, malformed("header", "there is no field %.100q", name)
		}
		value, err := headerValue(v)
		if err != nil {
			return nil, malformed("header", "field %.100q: %w", name, err)
		}
		hs = append(hs, oms.Header{Name: t.headers[i], Value: value})
	}
	r.SetHeaders(hs)
	if t.move {
		out := s.Clone()
		out.Fields = slices.DeleteFunc(out.Fields, func(f connect.Field) bool { return slices.Contains(t.fields, f.Name) })
		r.Set(t.part, out)
	}
	return r, nil
}

// headerValue returns the text of a value, nil for null.
func headerValue(v any) ([]byte, error) {
	switch v.(type) {
	case nil:
		return nil, nil
	case *connect.Struct, []any:
		return appendJSON(nil, v, stylePlain)
	}
	return encodeScalar(v)
}
