package redis

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// A Mode is how the servers belong together.
type Mode string

// The modes.
const (
	Single   Mode = "single"   // one server, or one address that leads to the present master
	Sentinel Mode = "sentinel" // the hosts are sentinels, which know the master's address
	Cluster  Mode = "cluster"  // the hosts are some of a Redis Cluster
)

// A Durability says when a write counts as done. Its zero value is memory: as
// soon as the server has it.
type Durability struct {
	Disk     bool // once it is in the server's append-only file, and that is on the disk
	Replicas int  // once so many replicas have it too
}

// String returns the text form.
func (d Durability) String() string {
	switch {
	case d.Disk:
		return "disk"
	case d.Replicas > 0:
		return "replicas=" + strconv.Itoa(d.Replicas)
	}
	return "memory"
}

func parseDurability(s string) (Durability, error) {
	switch s {
	case "memory":
		return Durability{}, nil
	case "disk":
		return Durability{Disk: true}, nil
	}
	number, ok := strings.CutPrefix(s, "replicas=")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || n > 100 {
		return Durability{}, errors.New("must be memory, disk, or replicas=N with N from 1 to 100")
	}
	return Durability{Replicas: n}, nil
}

// A Config says which Redis to use, and how. Its text form is
//
//	redis[s]://[[user]:password@]host[:port][,host[:port]...][/db][?option=value&...]
//
// where redis is TCP and rediss TLS, user and password are percent-encoded,
// an IPv6 host stands in brackets, and the options are
//
//	mode        single (default), sentinel or cluster
//	master      the master's name; in mode sentinel, where it must be given
//	prefix      the first part of every key; default omc
//	namespace   keeps installations on one server apart; default "default"
//	durability  memory (default), disk, or replicas=N
//
// The default port is 6379, that of sentinels 26379. A cluster has db 0 only.
type Config struct {
	TLS        bool
	User       string
	Password   oms.Secret
	Hosts      []string // host:port
	DB         int
	Mode       Mode
	Master     string
	Prefix     string
	Namespace  string
	Durability Durability
}

// plain are the names that need no encoding in a key.
var plain = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// hostName is a name or an IP address.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// ParseURL parses the text form of a Config. Its error tells everything that
// is wrong at once, and never quotes what may be a password.
func ParseURL(text string) (Config, error) {
	p := parser{options: make(oms.KeyValue)}
	c := p.parse(text)
	if err := p.problems.OrNil(); err != nil {
		return Config{}, &oms.Error{Op: "parse state URL", Driver: "redis", Code: oms.ErrInvalid, Err: err}
	}
	return c, nil
}

type parser struct {
	problems oms.KeyErrors
	options  oms.KeyValue
}

func (p *parser) wrong(part, problem string) {
	p.problems = append(p.problems, oms.KeyError{Key: part, Problem: problem})
}

func (p *parser) parse(text string) Config {
	var c Config
	scheme, rest, ok := strings.Cut(text, "://")
	if c.TLS = scheme == "rediss"; !ok || scheme != "redis" && !c.TLS {
		p.wrong("scheme", "the URL must begin with redis:// or rediss://")
		return c
	}
	// The last @, wherever it is: a password may have any character by
	// mistake, and must not be taken for something that can be shown.
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		p.user(&c, rest[:at])
		rest = rest[at+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, db, _ := strings.Cut(rest, "/")
	p.query(query)
	p.readOptions(&c)
	p.hosts(&c, hosts)
	p.db(&c, db)
	return c
}

func (p *parser) user(c *Config, text string) {
	if strings.ContainsAny(text, "/?#@ ") {
		p.wrong("password", "user and password must be percent-encoded: %2F for /, %3F for ?, %23 for #, %40 for @")
		return
	}
	name, password, _ := strings.Cut(text, ":")
	user, userErr := url.PathUnescape(name)
	pw, err := url.PathUnescape(password)
	if userErr != nil || err != nil {
		p.wrong("password", "user or password is not percent-encoded correctly: a % itself is %25")
		return
	}
	if user != "" && pw == "" {
		p.wrong("password", "a user is named, but no password")
	}
	c.User, c.Password = user, oms.Secret(pw)
}

func (p *parser) query(text string) {
	values, err := url.ParseQuery(text)
	if err != nil {
		p.wrong("options", "what stands behind ? is not percent-encoded correctly")
	}
	for name, list := range values {
		if len(list) > 1 {
			p.wrong(name, "the option stands there twice")
		}
		p.options[name] = list[0]
	}
}

func (p *parser) readOptions(c *Config) {
	r := p.options.Reader()
	c.Mode = Mode(r.OneOf("mode", string(Single), string(Sentinel), string(Cluster)))
	c.Master = r.String("master", "")
	c.Prefix, c.Namespace = r.String("prefix", "omc"), r.String("namespace", "default")
	durability, err := parseDurability(r.String("durability", "memory"))
	if c.Durability = durability; err != nil {
		r.Problem("durability", "%v", err)
	}
	if c.Mode == Sentinel != (c.Master != "") {
		r.Problem("master", "it is the name that the sentinels know the master by: mode=sentinel needs it, no other mode has it")
	}
	for name, value := range map[string]string{"prefix": c.Prefix, "namespace": c.Namespace} {
		if !plain.MatchString(value) {
			r.Problem(name, "only letters, digits, - _ and . may be in it, up to 100")
		}
	}
	var problems oms.KeyErrors
	if err := r.Err(); errors.As(err, &problems) {
		p.problems = append(p.problems, problems...)
	}
}

func (p *parser) hosts(c *Config, text string) {
	port := "6379"
	if c.Mode == Sentinel {
		port = "26379"
	}
	for i, host := range strings.Split(text, ",") {
		addr, err := address(host, port)
		if err != nil {
			p.wrong(fmt.Sprintf("host %d", i+1), err.Error())
			continue
		}
		c.Hosts = append(c.Hosts, addr)
	}
	if len(c.Hosts) > 1 && c.Mode == Single {
		p.wrong("host 2", "several hosts need mode=sentinel or mode=cluster")
	}
}

// address completes a host with its port.
func address(host, port string) (string, error) {
	name := host
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		var err error
		if name, port, err = net.SplitHostPort(host); err != nil {
			return "", errors.New("it is not host:port")
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", errors.New("the port is not a number from 1 to 65535")
		}
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if !hostName.MatchString(name) {
		return "", errors.New("it is empty or has characters that no host has")
	}
	return net.JoinHostPort(name, port), nil
}

func (p *parser) db(c *Config, text string) {
	if text == "" {
		return
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if c.DB = int(n); err != nil {
		p.wrong("db", "the part behind the hosts must be the number of a database, such as /0")
	}
	if c.DB != 0 && c.Mode == Cluster {
		p.wrong("db", "a Redis Cluster has database 0 only")
	}
}

// String returns the text form without the password.
func (c *Config) String() string { return c.text(c.Password.String()) }

// LogValue is String, for log/slog.
func (c *Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c *Config) text(password string) string {
	u := url.URL{Scheme: "redis", Host: strings.Join(c.Hosts, ","), Path: "/" + strconv.Itoa(c.DB)}
	if c.TLS {
		u.Scheme = "rediss"
	}
	if c.User != "" || password != "" {
		u.User = url.UserPassword(c.User, password)
	}
	q := make(url.Values)
	for _, o := range [][3]string{
		{"mode", string(c.Mode), string(Single)},
		{"master", c.Master, ""},
		{"prefix", c.Prefix, "omc"},
		{"namespace", c.Namespace, "default"},
		{"durability", c.Durability.String(), "memory"},
	} {
		if o[1] != o[2] {
			q.Set(o[0], o[1])
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}
