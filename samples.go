package omconnect

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A sampleFile is what omconnect test reads: a connector, and records in and
// out of its transforms and converters.
type sampleFile struct {
	path   string
	kind   connect.Kind
	config oms.KeyValue
	cases  []sampleCase
	redact func(text string) string // takes out what is secret in the configuration
}

// A sampleCase is one list of records, and what has to become of it.
type sampleCase struct {
	name    string
	line    int
	in, out []sampleRecord
	hasOut  bool
	failure string // a part of the error that it has to end with; "" for none
}

// readSamples reads a file. The error names everything that is wrong with it,
// and with the connector that it names.
func readSamples(path string, plugins *connect.Plugins) (*sampleFile, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseSamples(path, data, plugins)
}

func parseSamples(path string, data []byte, plugins *connect.Plugins) (*sampleFile, error) {
	ps := &problems{file: path}
	f := &sampleFile{path: path}
	var elsewhere error
	root := parseDocument(data, ps)
	given := make(map[string]*node, len(root.entries))
	for _, e := range root.entries {
		given[e.key] = e.value
		switch e.key {
		case "connector":
			elsewhere = f.readConnector(e, plugins, ps)
		case "config":
			f.readConfig(e, plugins, ps)
		case "cases":
			f.readCases(e, ps)
		default:
			ps.add(e.line, e.key, "unknown key; a file has connector or config, and cases")
		}
	}
	switch own, named := given["config"], given["connector"]; {
	case own != nil && named != nil:
		ps.add(own.line, "config", "there is a connector too; take one of them out")
	case own == nil && named == nil && len(ps.list) == 0:
		ps.add(0, "connector", "missing: write connector: FILE#NAME, or the keys of a connector below config")
	}
	if given["cases"] == nil && len(ps.list) == 0 {
		ps.add(0, "cases", "missing: write the records in and out")
	}
	if elsewhere != nil {
		return nil, joinUsage(elsewhere, ps.err())
	}
	return f, ps.err()
}

// joinUsage puts the lines of errors under each other.
func joinUsage(errs ...error) error {
	var lines []string
	for _, err := range errs {
		if err != nil {
			lines = append(lines, err.Error())
		}
	}
	return badUsage("%s", strings.Join(lines, "\n"))
}

// readConfig reads a connector that stands in the file itself.
func (f *sampleFile) readConfig(e entry, plugins *connect.Plugins, ps *problems) {
	if e.value.kind != mapping {
		ps.add(e.line, e.key, "must have the connector's keys below it")
		return
	}
	config, lines := flatConfig("", e.value, ps)
	if config["name"] == "" {
		config["name"] = strings.TrimSuffix(filepath.Base(f.path), filepath.Ext(f.path))
	}
	f.use(config, lines, e.line, plugins, ps)
}

// readConnector reads a connector of another file, whose path begins at the
// folder of this one. What is wrong with that file is returned.
func (f *sampleFile) readConnector(e entry, plugins *connect.Plugins, ps *problems) error {
	where, ok := e.value.value(e.key, ps)
	if !ok {
		return nil
	}
	path, name, ofGateway := where, "", false
	if i := strings.LastIndexByte(where, '#'); i >= 0 {
		path, name, ofGateway = where[:i], where[i+1:], true
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(f.path), path)
	}
	data, err := readFile(path)
	if err != nil {
		ps.add(e.line, e.key, "%s", err)
		return nil
	}
	there := &problems{file: path}
	if !ofGateway {
		if root := parseDocument(data, &problems{}); !isConnector(root) && indexOf(root, "connectors") >= 0 {
			ps.add(e.line, e.key, "the file has several connectors; write which, as in gateway.yaml#NAME")
			return nil
		}
		request, lines := readConnector(data, there)
		if request.Name == "" {
			request.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		}
		request.Config["name"] = request.Name
		f.use(request.Config, lines, 0, plugins, there)
		return there.err()
	}
	connectors := below(parseDocument(data, there), "connectors")
	i := indexOf(connectors, name)
	if i < 0 || connectors.entries[i].value.kind != mapping {
		if len(there.list) == 0 {
			ps.add(e.line, e.key, "the file has no connector of that name with keys below it")
		}
		return there.err()
	}
	found := connectors.entries[i]
	config, lines := flatConfig("", found.value, there)
	config["name"] = name
	f.use(config, lines, found.line, plugins, there)
	return there.err()
}

// below returns the value of a key, an empty node if there is none.
func below(n *node, key string) *node {
	if i := indexOf(n, key); i >= 0 {
		return n.entries[i].value
	}
	return &node{}
}

// use takes the configuration of the connector, and checks what the cases need
// of it: its class and its chain.
func (f *sampleFile) use(config oms.KeyValue, lines map[string]int, whole int, plugins *connect.Plugins, ps *problems) {
	const class = "connector.class"
	f.config = config
	plugin, err := plugins.Lookup(config[class])
	switch {
	case ps.has(class):
		return
	case config[class] == "":
		ps.add(whole, class, "missing: it says whether the records are those of a source or a sink")
		return
	case err != nil:
		ps.add(lines[class], class, "there is no such class; omconnect plugins lists those that there are")
		return
	}
	f.kind, f.redact = plugin.Kind, connect.Redactor(plugins, plugin, config)
	chain, err := connect.NewChain(plugins, f.kind, config)
	if err != nil {
		(&configFile{}).addKeyErrors(err, "", lines, whole, ps)
		return
	}
	chain.Close()
}

// hide takes what is secret out of what a transform or converter says.
func (f *sampleFile) hide(differences []difference) {
	for i, d := range differences {
		differences[i].Got = f.redact(d.Got)
	}
}

// readCases reads the list of cases.
func (f *sampleFile) readCases(e entry, ps *problems) {
	if e.value.kind != list || len(e.value.items) == 0 {
		ps.add(e.line, e.key, "must be a list of cases, each with name, in, and out or error")
		return
	}
	for _, item := range e.value.items {
		if item.kind != mapping {
			ps.add(item.line, e.key, "a case has the keys name, in, out and error")
			continue
		}
		c := readCase(item, ps)
		if slices.ContainsFunc(f.cases, func(other sampleCase) bool { return other.name == c.name && c.name != "" }) {
			ps.add(c.line, "name", "another case has this name; give one of them another")
		}
		f.cases = append(f.cases, c)
	}
}

// readCase reads one case.
func readCase(n *node, ps *problems) sampleCase {
	c := sampleCase{line: n.line}
	var hasIn, named bool
	for _, e := range n.entries {
		c.line = min(c.line, e.line)
		switch e.key {
		case "name":
			c.name, _ = e.value.value(e.key, ps)
			named = true
		case "in":
			c.in, hasIn = readRecords(e, true, ps), true
		case "out":
			c.out, c.hasOut = readRecords(e, false, ps), true
		case "error":
			c.failure, _ = e.value.value(e.key, ps)
			if c.failure == "" && !ps.has(e.key) {
				ps.add(e.line, e.key, "is empty; write a part of the error, or leave the key out")
			}
		default:
			ps.add(e.line, e.key, "unknown key; a case has name, in, out and error")
		}
	}
	switch {
	case !named:
		ps.add(c.line, "name", "missing: a case needs one")
	case c.name == "":
		ps.add(c.line, "name", "is empty; a case needs one")
	}
	if !hasIn {
		ps.add(c.line, "in", "missing: write the records that come in")
	}
	if !c.hasOut && c.failure == "" && !ps.has("error") {
		ps.add(c.line, "out", "missing: write what comes out, [] if everything is dropped, or error if it fails")
	}
	return c
}
