package omconnect

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/connect"
)

// outputFlag says in which form a command answers.
type outputFlag struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"Form of the output: text or json."`
}

// pluginsCommand is omconnect plugins.
type pluginsCommand struct {
	outputFlag

	Class string `arg:"" optional:"" help:"A class, or the type of a transform, predicate or converter, to see its keys."`
}

// A pluginInfo is a class as JSON has it.
type pluginInfo struct {
	Class string    `json:"class"`
	Kind  string    `json:"kind"`
	Doc   string    `json:"doc"`
	Keys  []keyInfo `json:"keys,omitempty"`
}

// A keyInfo is a key of a class as JSON has it.
type keyInfo struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Default  string   `json:"default,omitempty"`
	Required bool     `json:"required"`
	Values   []string `json:"values,omitempty"`
	Secret   bool     `json:"secret,omitempty"`
	Doc      string   `json:"doc"`
}

// A plugin is what configurations can name, with its keys.
type plugin struct {
	name, kind, doc string
	keys            []connect.Key
	aliases         []string
}

// allPlugins returns the connectors, then what can stand on their way.
func allPlugins(plugins *connect.Plugins) (all []plugin) {
	for _, p := range plugins.All() {
		all = append(all, plugin{p.Class, string(p.Kind), p.Doc, p.Definition().Keys, nil})
	}
	for _, p := range plugins.Transforms() {
		all = append(all, plugin{p.Type, "transform", p.Doc, p.Def.Keys, p.Aliases})
	}
	for _, p := range plugins.Predicates() {
		all = append(all, plugin{p.Type, "predicate", p.Doc, p.Def.Keys, p.Aliases})
	}
	for _, p := range plugins.Converters() {
		all = append(all, plugin{p.Type, "converter", p.Doc, p.Def.Keys, p.Aliases})
	}
	return all
}

// Run lists the plugins, or the keys of those with one name: a transform and a
// predicate may share it.
func (c *pluginsCommand) Run(s *streams, plugins *connect.Plugins) error {
	all := allPlugins(plugins)
	if c.Class == "" {
		return c.list(s, all)
	}
	named := slices.DeleteFunc(all, func(p plugin) bool { return p.name != c.Class && !slices.Contains(p.aliases, c.Class) })
	if len(named) == 0 {
		return badUsage("there is no class %s; omconnect plugins lists those that there are", c.Class)
	}
	if c.Output == "json" {
		infos := make([]pluginInfo, 0, len(named))
		for _, p := range named {
			infos = append(infos, infoOf(p))
		}
		if len(infos) == 1 {
			return writeJSON(s.out, infos[0])
		}
		return writeJSON(s.out, infos) // one document, whatever there is
	}
	for _, p := range named {
		if err := c.keys(s, p); err != nil {
			return err
		}
	}
	return nil
}

// infoOf returns a plugin with its keys.
func infoOf(p plugin) pluginInfo {
	info := pluginInfo{Class: p.name, Kind: p.kind, Doc: p.doc}
	for _, k := range p.keys {
		info.Keys = append(info.Keys, keyInfo{
			Name: k.Name, Type: typeOf(k), Default: k.Default, Required: k.Required, Values: k.Values, Secret: k.Secret, Doc: k.Doc,
		})
	}
	return info
}

func typeOf(k connect.Key) string { return string(cmp.Or(k.Type, connect.String)) }

func (c *pluginsCommand) list(s *streams, all []plugin) error {
	infos := make([]pluginInfo, 0, len(all))
	rows := make([][]string, 0, len(all))
	for _, p := range all {
		infos = append(infos, pluginInfo{Class: p.name, Kind: p.kind, Doc: p.doc})
		rows = append(rows, []string{p.name, p.kind, p.doc})
	}
	if c.Output == "json" {
		return writeJSON(s.out, infos)
	}
	return writeTable(s.out, []string{"CLASS", "KIND", "DOES"}, rows)
}

func (c *pluginsCommand) keys(s *streams, p plugin) error {
	var rows [][]string
	for _, k := range p.keys {
		rows = append(rows, []string{k.Name, typeOf(k), defaultOf(k), docOf(k)})
	}
	if err := writeTable(s.out, nil, [][]string{{p.name + " (" + p.kind + "): " + p.doc}}); err != nil {
		return err
	}
	if len(rows) == 0 {
		return nil
	}
	return writeTable(s.out, []string{"KEY", "TYPE", "DEFAULT", "MEANING"}, rows)
}

// defaultOf shows what a key has when it is not given.
func defaultOf(k connect.Key) string {
	switch {
	case k.Required:
		return "(required)"
	case k.Default == "":
		return "-"
	case strings.TrimSpace(k.Default) != k.Default:
		return strconv.Quote(k.Default)
	}
	return k.Default
}

// docOf is the key's documentation with the values that it can have.
func docOf(k connect.Key) string {
	if len(k.Values) == 0 {
		return k.Doc
	}
	return k.Doc + " One of: " + strings.Join(k.Values, ", ") + "."
}
