package omconnect

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// validateCommand is omconnect validate.
type validateCommand struct {
	File string `arg:"" help:"A gateway.yaml, or the configuration of one connector in YAML or JSON."`
}

// Run checks the file and says everything that is wrong with it.
func (c *validateCommand) Run(s *streams, plugins *connect.Plugins) error {
	data, err := readFile(c.File)
	if err != nil {
		return err
	}
	// What is wrong with the document itself is found again below.
	if isConnector(parseDocument(data, &problems{})) {
		return c.connector(s, data, plugins)
	}
	settings, err := loadSettings(gatewayFlags{}, c.File, plugins)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s: good, with %s\n", printable(c.File), count(int64(len(settings.connectors)), "connector"))
	return err
}

// connector checks the configuration of a single one, against the embedded
// broker unless it names another.
func (c *validateCommand) connector(s *streams, data []byte, plugins *connect.Plugins) error {
	ps := &problems{file: c.File}
	request, lines := readConnector(data, ps)
	if request.Name == "" { // which is not in the file where it comes with the call
		request.Name = strings.TrimSuffix(filepath.Base(c.File), filepath.Ext(c.File))
	}
	brokers := map[string]string{connect.DefaultBroker: embeddedName}
	(&configFile{}).addKeyErrors(offlineCatalog(brokers, plugins).Validate(request), "", lines, 0, ps)
	if err := ps.err(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "%s: good\n", printable(c.File))
	return err
}

// isConnector tells the configuration of a connector from a gateway.yaml.
func isConnector(n *node) bool {
	for _, e := range n.entries {
		if e.key == "connector.class" || e.key == "config" && e.value.kind == mapping {
			return true
		}
	}
	return false
}

// readConnector reads the configuration of a connector: its keys and values,
// or as Kafka Connect's tools have it in files, name and config.
func readConnector(data []byte, ps *problems) (req connect.Request, lines map[string]int) {
	root := parseDocument(data, ps)
	i := indexOf(root, "config")
	if i < 0 || root.entries[i].value.kind != mapping {
		req.Config, lines = flatConfig("", root, ps)
		req.Name = req.Config["name"]
		return req, lines
	}
	req.Config, lines = flatConfig("", root.entries[i].value, ps)
	for _, e := range root.entries {
		switch e.key {
		case "config":
		case "name":
			req.Name, _ = e.value.value("name", ps)
		default:
			ps.add(e.line, e.key, "unknown key; beside config there can be name only")
		}
	}
	return req, lines
}

func indexOf(n *node, key string) int {
	for i, e := range n.entries {
		if e.key == key {
			return i
		}
	}
	return -1
}

// pairs reads key=value arguments.
func pairs(args []string) (oms.KeyValue, error) {
	config := oms.KeyValue{}
	for i, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, badUsage("argument %d is not key=value", i+1) // it may be a part of a password
		}
		if _, twice := config[key]; twice {
			return nil, badUsage("%s: stands there twice", key)
		}
		config[key] = value
	}
	return config, nil
}
