package omconnect

import (
	"cmp"
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

	Class string `arg:"" optional:"" help:"A class, to see its keys."`
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

// Run lists the classes, or the keys of one.
func (c *pluginsCommand) Run(s *streams, plugins *connect.Plugins) error {
	if c.Class == "" {
		return c.list(s, plugins.All())
	}
	p, err := plugins.Lookup(c.Class)
	if err != nil {
		return badUsage("there is no class %s; omconnect plugins lists those that there are", c.Class)
	}
	return c.keys(s, p)
}

func (c *pluginsCommand) list(s *streams, all []connect.Plugin) error {
	infos := make([]pluginInfo, 0, len(all))
	rows := make([][]string, 0, len(all))
	for _, p := range all {
		infos = append(infos, pluginInfo{Class: p.Class, Kind: string(p.Kind), Doc: p.Doc})
		rows = append(rows, []string{p.Class, string(p.Kind), p.Doc})
	}
	if c.Output == "json" {
		return writeJSON(s.out, infos)
	}
	return writeTable(s.out, []string{"CLASS", "KIND", "DOES"}, rows)
}

func (c *pluginsCommand) keys(s *streams, p connect.Plugin) error {
	info := pluginInfo{Class: p.Class, Kind: string(p.Kind), Doc: p.Doc}
	var rows [][]string
	for _, k := range p.Definition().Keys {
		kind := string(cmp.Or(k.Type, connect.String))
		info.Keys = append(info.Keys, keyInfo{
			Name: k.Name, Type: kind, Default: k.Default, Required: k.Required, Values: k.Values, Secret: k.Secret, Doc: k.Doc,
		})
		rows = append(rows, []string{k.Name, kind, defaultOf(k), docOf(k)})
	}
	if c.Output == "json" {
		return writeJSON(s.out, info)
	}
	if err := writeTable(s.out, nil, [][]string{{p.Class + " (" + string(p.Kind) + "): " + p.Doc}}); err != nil {
		return err
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
