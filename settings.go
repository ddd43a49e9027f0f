package omconnect

import (
	"cmp"
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// The settings of a gateway that is told nothing.
const (
	embeddedName  = "embedded" // the broker in this process, the store in a file
	defaultData   = "data"
	defaultListen = "127.0.0.1:8083"
)

// The flags of a gateway. What is not given is empty, so that the file and the
// defaults come next; kong reads the environment where a flag is missing.
type gatewayFlags struct {
	Broker string `env:"OMCONNECT_BROKER" placeholder:"AP" help:"Access point of the broker: embedded (the default), or oms:<driver>://host:port/."`
	State  string `env:"OMCONNECT_STATE" placeholder:"URL" help:"Where positions and definitions are kept: embedded (the default), or redis[s]://host:port/db."`
	Data   string `env:"OMCONNECT_DATA" placeholder:"DIR" help:"Folder of the gateway's own files; ./data by default."`
	Listen string `env:"OMCONNECT_LISTEN" placeholder:"HOST:PORT" help:"Address of the REST API; 127.0.0.1:8083 by default."`
	Tokens string `env:"OMCONNECT_TOKENS" enum:",auto" default:"" placeholder:"auto" help:"auto has calls of the REST API need a token. The first start makes it, in the file token of the data folder."`
}

// settings are everything that a gateway is told, in the order of precedence
// flag, environment, file, default.
type settings struct {
	file       string            // "" when there is none
	brokers    map[string]string // access points by name, for connect.NewBrokers
	opened     []string          // the names of those that are opened at the start
	state      string
	cluster    string // the namespace in a store that installations share
	data       string
	listen     string
	tokens     string // "" or tokensAuto
	connectors []connectorEntry
}

// loadSettings reads the file, if one is named, under the flags, and checks
// everything that can be checked without asking anybody.
func loadSettings(flags gatewayFlags, path string, plugins *connect.Plugins) (*settings, error) {
	ps := &problems{file: path}
	f := &configFile{}
	if path != "" {
		var err error
		if f, err = readConfigFile(path, ps); err != nil {
			return nil, err
		}
	}
	s := &settings{
		file:       path,
		state:      cmp.Or(flags.State, f.state, embeddedName),
		data:       cmp.Or(flags.Data, f.data, defaultData),
		listen:     cmp.Or(flags.Listen, f.listen, defaultListen),
		tokens:     cmp.Or(flags.Tokens, f.tokens),
		cluster:    f.cluster,
		connectors: f.connectors,
	}
	where := func(flag, key string) (line int, shown string) {
		if flag != "" {
			return outside, "--" + key + " or OMCONNECT_" + strings.ToUpper(key)
		}
		return f.lines[key], key
	}
	line, key := where(flags.Broker, "broker")
	s.readBrokers(f, cmp.Or(flags.Broker, f.broker, embeddedName), line, key, ps)
	line, key = where(flags.State, "state")
	checkState(s, f, line, key, ps)
	s.checkConnectors(f, plugins, ps)
	return s, ps.err()
}

// readBrokers checks the access points, and gives those of the embedded broker
// its place in the data folder.
func (s *settings) readBrokers(f *configFile, own string, line int, key string, ps *problems) {
	s.brokers = make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(f.brokers)) {
		key := "brokers." + name
		if name == "" || slices.Contains(oms.Default.Drivers(), name) {
			ps.add(f.lines[key], key, "this name is taken: it stands for the driver itself; choose another one")
			continue
		}
		s.brokers[name] = s.accessPoint(f, f.brokers[name], f.lines[key], key, ps)
		s.opened = append(s.opened, name)
	}
	if named, ok := s.brokers[own]; ok {
		s.brokers[connect.DefaultBroker] = named
	} else {
		s.brokers[connect.DefaultBroker] = s.accessPoint(f, own, line, key, ps)
	}
	s.opened = append(s.opened, connect.DefaultBroker)
	s.checkFolders(f, line, key, ps)
	// A connector that names the embedded broker means the one there is.
	there := s.accessPoint(f, embeddedName, 0, "", &problems{})
	for _, name := range s.opened {
		if strings.HasPrefix(s.brokers[name], "oms:embedded:") {
			there = s.brokers[name]
		}
	}
	s.brokers[embeddedName], s.brokers["oms:embedded:///"] = there, there
}

// checkFolders finds embedded brokers that would be opened twice: one folder
// is one broker, with one set of options.
func (s *settings) checkFolders(f *configFile, line int, key string, ps *problems) {
	first := make(map[string]string) // name by folder
	for _, name := range s.opened {
		ap, err := oms.ParseAccessPoint(s.brokers[name])
		if err != nil || ap.Driver != embeddedName {
			continue
		}
		other, taken := first[folderOf(ap)]
		if !taken {
			first[folderOf(ap)] = name
			continue
		}
		if s.brokers[other] == s.brokers[name] {
			continue
		}
		if name != connect.DefaultBroker {
			line, key = f.lines["brokers."+name], "brokers."+name
		}
		ps.add(line, key, "it has the folder of brokers.%s and other options, and one folder is one broker: give both the same options, or this one a dir of its own", other)
	}
}

// accessPoint checks an access point and returns it complete.
func (s *settings) accessPoint(f *configFile, text string, line int, key string, ps *problems) string {
	if slashInPassword(text) {
		ps.add(line, key, "the password has a slash as it is; write it as %%2F")
		return text
	}
	ap, err := oms.ParseAccessPoint(text)
	if err == nil {
		_, err = oms.Default.Capabilities(text)
	}
	if err != nil {
		if e, ok := errors.AsType[*oms.Error](err); ok && e.Err != nil {
			err = e.Err
		}
		ps.add(line, key, "%s; an access point is the name of a driver, or oms:<driver>://host:port/", err)
		return text
	}
	if err := oms.Default.CheckAccessPoint(text); err != nil {
		if e, ok := errors.AsType[*oms.Error](err); ok && e.Err != nil {
			err = e.Err
		}
		ps.add(line, key, "the access point is wrong: %s", err)
		return text
	}
	if ap.Driver != embeddedName {
		return text
	}
	for option, value := range map[string]string{
		"dir": filepath.Join(s.data, "broker"), "retention.ms": f.retentionMS, "retention.bytes": f.retentionBytes,
	} {
		if _, given := ap.Options[option]; !given && value != "" {
			ap.Options[option] = value
		}
	}
	return ap.Reveal()
}

// slashInPassword reports whether the user part of a URL goes on behind a
// slash. Parsers take what is before it for a port, and quote it.
func slashInPassword(text string) bool {
	_, rest, ok := strings.Cut(text, "://")
	rest, _, _ = strings.Cut(rest, "?")
	slash := strings.IndexByte(rest, '/')
	return ok && slash >= 0 && strings.LastIndexByte(rest, '@') > slash
}

// checkState checks the store's URL, and the name that keeps installations
// apart in it.
func checkState(s *settings, f *configFile, line int, key string, ps *problems) {
	if s.state != embeddedName {
		_, err := redis.ParseURL(s.state)
		if wrong, ok := errors.AsType[oms.KeyErrors](err); ok {
			for _, w := range wrong {
				ps.add(line, key, "%s; write embedded, or redis[s]://host:port/db", w)
			}
		} else if err != nil {
			ps.add(line, key, "%s", err)
		}
	}
	if s.cluster != "" && !clusterName.MatchString(s.cluster) {
		ps.add(f.lines["cluster.name"], "cluster.name", "can have letters, digits, -, _ and . only, up to 100")
	}
}

// clusterName is what the store takes for a namespace.
var clusterName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// checkConnectors adds what the catalog finds wrong with the connectors.
func (s *settings) checkConnectors(f *configFile, plugins *connect.Plugins, ps *problems) {
	catalog := offlineCatalog(s.brokers, plugins)
	for _, c := range s.connectors {
		prefix := "connectors." + c.Name + "."
		f.addKeyErrors(catalog.Validate(c.Request), prefix, c.lines, c.line, ps)
	}
}
