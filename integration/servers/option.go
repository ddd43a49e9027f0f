package servers

import (
	"fmt"
	"regexp"
	"strings"
)

// An Option changes how a server is started.
type Option func(*options)

type options struct {
	config      lines
	users       []user
	tls         *Certificates
	clientCerts bool
	jvm         []string
	standing    bool
}

type user struct{ name, password string }

// Config sets a key of the server's configuration: server.properties of Kafka,
// rabbitmq.conf, the broker's file of RocketMQ, redis.conf. It replaces what
// this package would write there under the same key.
func Config(key, value string) Option {
	return func(o *options) { o.config.set(key, value) }
}

// User lets clients in with that name and password, and none without. Both are
// made of letters, digits, and the characters "._-".
//
// Kafka takes users by SASL with PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, which
// all know the same ones. RabbitMQ takes one user, an administrator, in place of
// guest. RocketMQ takes them as access key and secret key, each of at least 7
// characters. Redis turns its default user off.
func User(name, password string) Option {
	return func(o *options) { o.users = append(o.users, user{name, password}) }
}

// TLS makes [Server.Addr] a listener with the server's certificate of c. Kafka,
// RabbitMQ and Redis also have one without, at the [Plain] address.
func TLS(c *Certificates) Option {
	return func(o *options) { o.tls = c }
}

// ClientCertificates makes the listener of [TLS] refuse clients that have no
// certificate of its CA.
func ClientCertificates() Option {
	return func(o *options) { o.clientCerts = true }
}

// JVM adds arguments to the command line of Kafka, or of RocketMQ's broker, such
// as "-Xmx512m". The last one counts. Without it the heap has at most 256 MiB,
// and code is compiled quickly rather than well: that saves more than it costs
// in a test, but -XX:TieredStopAtLevel=4 is right for measurements.
func JVM(args ...string) Option {
	return func(o *options) { o.jvm = append(o.jvm, args...) }
}

// Standing makes a server outlive the process that starts it. [Server.Mark] has
// what another process needs to end it.
func Standing() Option {
	return func(o *options) { o.standing = true }
}

var wordOfUser = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func newOptions(opts []Option) (options, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	for _, u := range o.users {
		if !wordOfUser.MatchString(u.name) || !wordOfUser.MatchString(u.password) {
			return o, fmt.Errorf("user %q: a name and a password are made of letters, digits and ._-", u.name)
		}
	}
	return o, nil
}

// lines are a configuration of keys and values, in order, each key once.
type lines []struct{ key, value string }

// set gives a key its value, in the place where it stands already, if it does.
func (l *lines) set(key, value string) {
	for i := range *l {
		if (*l)[i].key == key {
			(*l)[i].value = value
			return
		}
	}
	*l = append(*l, struct{ key, value string }{key, value})
}

// with returns the lines with others set on top of them.
func (l lines) with(others lines) lines {
	all := append(lines(nil), l...)
	for _, line := range others {
		all.set(line.key, line.value)
	}
	return all
}

// text returns the lines as a file has them.
func (l lines) text(separator string) []byte {
	var b strings.Builder
	for _, line := range l {
		b.WriteString(line.key + separator + line.value + "\n")
	}
	return []byte(b.String())
}
