package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

func replaceFieldPlugin(part connect.Part) connect.TransformPlugin {
	typ, aliases := partNames("ReplaceField", part)
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc: "Leaves out fields of the " + string(part) + ", and renames others.",
		Def: connect.ConfigDef{
			Keys: []connect.Key{
				{Name: "exclude", Type: connect.List, Doc: "Fields to leave out, also of those to include."},
				{Name: "include", Type: connect.List, Doc: "Fields to keep; all if not given."},
				{
					Name: "renames", Type: connect.List, Doc: "New names, as old:new,old:new. The other keys have the old names.",
					Check: func(value string) error { _, err := parsePairs(value); return err },
				},
				{Name: "blacklist", Type: connect.List, Doc: "Old name of exclude."},
				{Name: "whitelist", Type: connect.List, Doc: "Old name of include."},
				defaultsKey(),
			},
			Check: func(config oms.KeyValue) (problems oms.KeyErrors) {
				for older, newer := range map[string]string{"blacklist": "exclude", "whitelist": "include"} {
					if config[older] != "" && config[newer] != "" {
						problems = append(problems, oms.KeyError{Key: older, Problem: "it is the old name of " + newer + ", which is set too; take it out"})
					}
				}
				return problems
			},
		},
		Effects: needs(part, sameStruct),
		New: func(config oms.KeyValue) (connect.Transform, error) {
			renames, err := parsePairs(config["renames"])
			return &replaceField{
				part: part, renames: renames, defaults: config["replace.null.with.default"] == "true",
				exclude: append(oms.SplitList(config["exclude"]), oms.SplitList(config["blacklist"])...),
				include: append(oms.SplitList(config["include"]), oms.SplitList(config["whitelist"])...),
			}, err
		},
	}
}

// parsePairs reads a list of a:b.
func parsePairs(list string) (map[string]string, error) {
	pairs := make(map[string]string)
	for _, pair := range oms.SplitList(list) {
		from, to, ok := strings.Cut(pair, ":")
		if !ok || from == "" || to == "" || strings.Contains(to, ":") {
			return nil, fmt.Errorf("%.100q is not old:new", pair)
		}
		pairs[from] = to
	}
	return pairs, nil
}

type replaceField struct {
	part             connect.Part
	exclude, include []string
	renames          map[string]string
	defaults         bool
}

// Apply leaves out and renames; null stays null.
func (t *replaceField) Apply(r *connect.Record) (*connect.Record, error) {
	s, err := r.Struct(t.part)
	if s == nil || err != nil {
		return r, err
	}
	if t.defaults {
		s = s.Defaulted()
	}
	out := &connect.Struct{Typed: s.Typed, Table: s.Table, Fields: make([]connect.Field, 0, len(s.Fields))}
	for _, f := range s.Fields {
		if slices.Contains(t.exclude, f.Name) || len(t.include) > 0 && !slices.Contains(t.include, f.Name) {
			continue
		}
		if name, ok := t.renames[f.Name]; ok {
			f.Name = name
		}
		if out.Typed && len(t.renames) > 0 && out.Index(f.Name) >= 0 {
			return nil, malformed("replace", "two fields would have the name %.100q", f.Name)
		}
		if len(t.renames) == 0 {
			out.Fields = append(out.Fields, f)
		} else {
			out.Set(f)
		}
	}
	r.Set(t.part, out)
	return r, nil
}

func valueToKeyPlugin() connect.TransformPlugin {
	return connect.TransformPlugin{
		Type: "ValueToKey", Aliases: []string{kafkaTransforms + "ValueToKey"},
		Doc: "Makes the key of fields of the value. A tombstone fails; set a predicate.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "fields", Type: connect.List, Required: true, Doc: "Fields of the value that become the key."},
			defaultsKey(),
		}},
		Effects: func(oms.KeyValue) []connect.Effect {
			return []connect.Effect{
				{Part: connect.PartValue, Needs: connect.FormStruct},
				{Part: connect.PartKey, Leaves: func(connect.Form) connect.Form { return connect.FormStruct }},
			}
		},
		New: func(config oms.KeyValue) (connect.Transform, error) {
			return &valueToKey{fields: oms.SplitList(config["fields"]), defaults: config["replace.null.with.default"] == "true"}, nil
		},
	}
}

type valueToKey struct {
	fields   []string
	defaults bool
}

// Apply makes the key.
func (t *valueToKey) Apply(r *connect.Record) (*connect.Record, error) {
	s, err := required(r, connect.PartValue)
	if err != nil {
		return nil, err
	}
	if t.defaults {
		s = s.Defaulted()
	}
	key := &connect.Struct{Typed: s.Typed, Fields: make([]connect.Field, 0, len(t.fields))}
	for _, name := range t.fields {
		f := connect.Field{Name: name}
		if i := s.Index(name); i >= 0 {
			f = s.Fields[i]
		} else if s.Typed {
			return nil, malformed("key", "the value has no field %.100q", name)
		}
		f.Key = s.Typed
		key.Set(f)
	}
	r.Set(connect.PartKey, key)
	return r, nil
}

// required returns a structure that must not be null.
func required(r *connect.Record, part connect.Part) (*connect.Struct, error) {
	s, err := r.Struct(part)
	if err == nil && s == nil {
		err = malformed("read", "the %s is null, and the transform needs a structure; set a predicate such as RecordIsTombstone, negated", part)
	}
	return s, err
}

func extractFieldPlugin(part connect.Part) connect.TransformPlugin {
	typ, aliases := partNames("ExtractField", part)
	return connect.TransformPlugin{
		Type: typ, Aliases: aliases,
		Doc: "Makes one field of the " + string(part) + " the whole " + string(part) + ".",
		Def: connect.ConfigDef{
			Keys: []connect.Key{
				{Name: "field", Required: true, Doc: "Name of the field; with field.syntax.version=V2 a path such as a.b, where `a.b` in backticks is one name."},
				{
					Name: "field.syntax.version", Default: "V1", Doc: "V1: the field is a name. V2: it is a path.",
					Check: func(value string) error {
						if v := strings.ToUpper(value); v != "V1" && v != "V2" {
							return errors.New("it is neither V1 nor V2")
						}
						return nil
					},
				},
				defaultsKey(),
			},
		},
		Effects: needs(part, func(before connect.Form) connect.Form {
			if before == connect.FormFlat {
				return connect.FormScalar
			}
			return connect.FormAny
		}),
		New: func(config oms.KeyValue) (connect.Transform, error) {
			t := &extractField{part: part, path: []string{config["field"]}, defaults: config["replace.null.with.default"] == "true"}
			if strings.EqualFold(config["field.syntax.version"], "V2") {
				var err error
				if t.path, err = parsePath(config["field"]); err != nil {
					return nil, oms.KeyErrors{{Key: "field", Problem: err.Error()}}
				}
			}
			return t, nil
		},
	}
}

type extractField struct {
	part     connect.Part
	path     []string
	defaults bool
}

// Apply replaces the part; null stays null.
func (t *extractField) Apply(r *connect.Record) (*connect.Record, error) {
	s, err := r.Struct(t.part)
	if s == nil || err != nil {
		return r, err
	}
	for i, name := range t.path {
		at := s.Index(name)
		if at < 0 {
			if s.Typed {
				return nil, malformed("extract", "there is no field %.100q", strings.Join(t.path[:i+1], "."))
			}
			break
		}
		f := s.Fields[at]
		if f.Value == nil && t.defaults {
			f.Value = f.Default
		}
		if i == len(t.path)-1 {
			r.Set(t.part, f.Value)
			return r, nil
		}
		if f.Value == nil {
			break
		}
		next, ok := f.Value.(*connect.Struct)
		if !ok {
			return nil, malformed("extract", "the field %.100q is no structure", strings.Join(t.path[:i+1], "."))
		}
		s = next
	}
	r.Set(t.part, nil)
	return r, nil
}

// parsePath reads a path of names. A name in backticks may have dots; a
// backtick in it that stands before a dot has a backslash.
func parsePath(path string) ([]string, error) {
	var names []string
	for rest := path; ; {
		var name string
		if after, ok := strings.CutPrefix(rest, "`"); ok {
			end := -1
			for i := range len(after) {
				last := i == len(after)-1
				if after[i] == '`' && (last || after[i+1] == '.') && (i == 0 || after[i-1] != '\\') {
					end = i
					break
				}
			}
			if end < 0 {
				return nil, errors.New("a backtick is not closed; put a backslash before one that belongs to a name")
			}
			name = strings.ReplaceAll(after[:end], "\\`.", "`.")
			rest = after[end+1:]
		} else {
			name, _, _ = strings.Cut(rest, ".")
			rest = rest[len(name):]
		}
		names = append(names, name)
		if rest == "" {
			return names, nil
		}
		rest = rest[1:] // the dot
	}
}
