package omconnect

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A configFile is gateway.yaml as it was read. A key that it does not have is
// empty.
type configFile struct {
	path           string
	broker         string
	brokers        map[string]string
	state          string
	data           string
	listen         string
	tokens         string
	cluster        string
	retentionMS    string
	retentionBytes string
	connectors     []connectorEntry
	lines          map[string]int // of keys, dotted
}

// A connectorEntry is a connector of gateway.yaml, with the lines of its keys.
type connectorEntry struct {
	connect.Request
	line  int
	lines map[string]int
}

// sections are the keys that have keys below them; each may be written with
// dots as well.
var sections = []string{"rest", "retention", "cluster", "secrets", "files", "network"}

// later are the keys, or beginnings of keys, that a version to come has.
var later = []string{"secrets.", "files.root", "network.allow", "rest.tls"}

// readConfigFile reads gateway.yaml. Everything that is wrong with it is added
// to ps; what it returns is then good for finding further problems only.
func readConfigFile(path string, ps *problems) (*configFile, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	f := &configFile{path: path, brokers: make(map[string]string), lines: make(map[string]int)}
	values := oms.KeyValue{}
	for _, e := range parseDocument(data, ps).entries {
		switch e.key {
		case "brokers":
			f.readBrokers(e, ps)
		case "connectors":
			f.readConnectors(e, ps)
		default:
			f.flatten(e.key, e, values, ps)
		}
	}
	f.readValues(values, ps)
	return f, nil
}

// flatten notes the values of a key, and of those below it, under dotted
// names.
func (f *configFile) flatten(key string, e entry, values oms.KeyValue, ps *problems) {
	if e.value.kind == mapping {
		for _, below := range e.value.entries {
			f.flatten(key+"."+below.key, below, values, ps)
		}
		return
	}
	for _, s := range sections {
		if key != s {
			continue
		}
		if e.value.kind != nothing {
			ps.add(e.line, key, "is a section: write the keys below it, as in %s.%s", s, example[s])
		}
		return
	}
	text, ok := e.value.value(key, ps)
	if _, twice := values[key]; twice {
		ps.add(e.line, key, "stands there twice, first in line %d", f.lines[key])
		return
	}
	if ok {
		values[key], f.lines[key] = text, e.line
	}
}

// example is a key of each section.
var example = map[string]string{
	"rest": "listen", "retention": "ms", "cluster": "name", "secrets": "env", "files": "root", "network": "allow",
}

func (f *configFile) readValues(values oms.KeyValue, ps *problems) {
	r := values.Reader()
	f.broker = r.String("broker", "")
	f.state = r.String("state", "")
	f.data = r.String("data", "")
	f.listen = r.String("rest.listen", "")
	f.cluster = r.String("cluster.name", "")
	if f.tokens = r.String("rest.tokens", ""); f.tokens != "" && f.tokens != tokensAuto { // which is not quoted
		r.Problem("rest.tokens", "must be auto: the token is made at the first start, in the file token of the data folder")
	}
	if r.Has("retention.ms") {
		r.Millis("retention.ms")
	}
	if r.Has("retention.bytes") {
		r.Int64("retention.bytes")
	}
	r.Ignore("retention.ms", "retention.bytes", "brokers", "connectors")
	f.retentionMS, f.retentionBytes = values["retention.ms"], values["retention.bytes"]
	for _, key := range values.Keys() {
		for _, l := range later {
			if key == l || strings.HasPrefix(key, strings.TrimSuffix(l, ".")+".") {
				r.Problem(key, "not supported by this version; take it out")
				break
			}
		}
	}
	f.addKeyErrors(r.Err(), "", f.lines, 0, ps)
}

// addKeyErrors adds the problems of single keys, each with its line, or that
// of the whole where the key is missing.
func (f *configFile) addKeyErrors(err error, prefix string, lines map[string]int, whole int, ps *problems) {
	wrong, ok := errors.AsType[oms.KeyErrors](err)
	switch {
	case err == nil:
	case !ok:
		ps.add(whole, strings.TrimSuffix(prefix, "."), "%s", err)
	default:
		unreadable := problems{list: slices.Clone(ps.list)}
		for _, p := range wrong {
			line, found := lines[p.Key]
			if !found {
				line = whole
			}
			if !unreadable.has(prefix + p.Key) { // a value that could not be read is not missing as well
				ps.add(line, prefix+p.Key, "%s", p.Problem)
			}
		}
	}
}

func (f *configFile) readBrokers(e entry, ps *problems) {
	if e.value.kind != mapping {
		if e.value.kind != nothing {
			ps.add(e.line, "brokers", "must have a name and an access point in each line below it")
		}
		return
	}
	for _, b := range e.value.entries {
		key := "brokers." + b.key
		if text, ok := b.value.value(key, ps); ok {
			f.brokers[b.key], f.lines[key] = text, b.line
		}
	}
}

func (f *configFile) readConnectors(e entry, ps *problems) {
	if e.value.kind != mapping {
		if e.value.kind != nothing {
			ps.add(e.line, "connectors", "must have the name of a connector in each line below it, and its keys below that")
		}
		return
	}
	for _, c := range e.value.entries {
		key := "connectors." + c.key
		if c.value.kind != mapping && c.value.kind != nothing {
			ps.add(c.line, key, "must have the connector's keys below it")
			continue
		}
		config, lines := flatConfig(key+".", c.value, ps)
		f.connectors = append(f.connectors, connectorEntry{
			Request: connect.Request{Name: c.key, Config: config, Origin: fmt.Sprintf("%s:%d", f.path, c.line)},
			line:    c.line, lines: lines,
		})
	}
}

// flatConfig returns the keys and values of a mapping, which has no mappings
// below it, and the line of each key.
func flatConfig(prefix string, n *node, ps *problems) (config oms.KeyValue, lines map[string]int) {
	config, lines = oms.KeyValue{}, make(map[string]int)
	for _, e := range n.entries {
		lines[e.key] = e.line
		if text, ok := e.value.value(prefix+e.key, ps); ok {
			config[e.key] = text
		}
	}
	return config, lines
}

// readFile reads a configuration file, of which nobody writes by hand more
// than a few kilobytes.
func readFile(path string) ([]byte, error) {
	const most = 4 << 20
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, badUsage("%s: there is no such file", path)
	case err != nil:
		return nil, badUsage("%s: cannot be read: %w", path, cause(err))
	case info.IsDir():
		return nil, badUsage("%s: is a folder, not a file", path)
	case info.Size() > most:
		return nil, badUsage("%s: has %d bytes, at most %d are read", path, info.Size(), most)
	}
	data, err := os.ReadFile(path) //nolint:gosec // it is the caller who names the file
	if err != nil {
		return nil, badUsage("%s: cannot be read: %w", path, cause(err))
	}
	return data, nil
}

// cause returns an error of the file system without the path, which the
// message has already.
func cause(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
