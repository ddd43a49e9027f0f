package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// What the option declare may say.
const (
	declareFull    = "full"    // queues with all their arguments
	declareMinimal = "minimal" // queues with their type only; the rest is for policies
	declareNone    = "none"    // nothing: others make exchanges, queues and bindings
)

// What the option ordering may say.
const (
	orderingKey  = "key"  // a queue for each partition, with one active consumer
	orderingNone = "none" // one queue, for which the members of a group compete
)

// The defaults and bounds of the options.
const (
	defaultPort           = "5672"
	defaultTLSPort        = "5671"
	defaultMaxMessage     = 8 << 20
	mostMessage           = 128 << 20 // RabbitMQ 3's own limit; from 4.0 on it is 16 MiB unless set
	defaultPublishTimeout = time.Minute
	defaultRPCTimeout     = 15 * time.Second
	defaultHeartbeat      = 10 * time.Second
	mostPartitions        = 512
)

// options is what an access point says, checked.
type options struct {
	hosts          []string // host:port
	user           string
	password       oms.Secret
	vhost          string
	declare        string
	ordering       string
	queueType      string
	retention      time.Duration // of streams; 0: for ever
	retentionBytes int64         // the same; 0: without a bound
	segmentBytes   int64         // the same; 0: the broker's
	durableAfter   time.Duration // the same
	partitions     int
	maxMessage     int
	publishTimeout time.Duration
	rpcTimeout     time.Duration
	heartbeat      time.Duration
	tls            bool
	caFile         string
	certFile       string
	keyFile        string
	serverName     string
	external       bool   // SASL EXTERNAL: the client certificate is who we are
	management     string // URL of the management API; "": it is not asked
}

// readOptions reads an access point.
func readOptions(ap oms.AccessPoint) (options, error) {
	r := ap.Options.Reader()
	o := options{
		user: ap.User, password: ap.Password, vhost: ap.Region,
		declare:        r.OneOf("declare", declareFull, declareMinimal, declareNone),
		ordering:       r.OneOf("ordering", orderingKey, orderingNone),
		queueType:      r.OneOf("queue.type", amqp.QueueTypeQuorum, amqp.QueueTypeStream),
		retention:      r.Millis("retention.ms", defaultRetention),
		retentionBytes: r.Int64("retention.bytes", 0),
		segmentBytes:   r.Int64("segment.bytes", 0),
		durableAfter:   r.Millis("durable.after.ms", 0),
		partitions:     r.Int("topic.creation.default.partitions", 1),
		maxMessage:     r.Int("max.message.bytes", defaultMaxMessage),
		publishTimeout: r.Millis("publish.timeout.ms", defaultPublishTimeout),
		rpcTimeout:     r.Millis("rpc.timeout.ms", defaultRPCTimeout),
		heartbeat:      r.Millis("heartbeat.ms", defaultHeartbeat),
		tls:            r.Bool("tls", false),
		caFile:         r.String("tls.ca.file", ""),
		certFile:       r.String("tls.certificate.file", ""),
		keyFile:        r.String("tls.key.file", ""),
		serverName:     r.String("tls.server.name", ""),
		external:       r.OneOf("sasl.mechanism", "PLAIN", "EXTERNAL") == "EXTERNAL",
		management:     strings.TrimSuffix(r.String("management.url", ""), "/"),
	}
	if o.vhost == "" {
		o.vhost = "/"
	}
	if len(o.vhost) > shortString {
		r.Problem("region", "a virtual host has at most %d bytes", shortString)
	}
	if o.user == "" && !o.external {
		o.user, o.password = "guest", "guest"
	}
	port := defaultPort
	if o.tls {
		port = defaultTLSPort
	}
	for _, h := range ap.Hosts {
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(trimBrackets(h), port)
		}
		o.hosts = append(o.hosts, h)
	}
	if len(o.hosts) == 0 {
		r.Problem("host", "missing: oms:rabbitmq:// needs at least one host")
	}
	o.check(r)
	o.checkStreams(r)
	return o, r.Err()
}

func trimBrackets(host string) string {
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return host
}

// who says in errors who wants to be let in.
func (o options) who() string {
	if o.external {
		return "the user of tls.certificate.file by EXTERNAL"
	}
	return "user " + strconv.Quote(o.user)
}

func (o options) check(r *oms.KeyValueReader) {
	if o.partitions < 1 || o.partitions > mostPartitions {
		r.Problem("topic.creation.default.partitions", "%d is not from 1 to %d", o.partitions, mostPartitions)
	}
	if o.maxMessage < 1 || o.maxMessage > mostMessage {
		r.Problem("max.message.bytes", "%d is not from 1 to %d", o.maxMessage, mostMessage)
	}
	if o.publishTimeout < time.Second {
		r.Problem("publish.timeout.ms", "%v is too short: at least 1000", o.publishTimeout)
	}
	if o.rpcTimeout < time.Second {
		r.Problem("rpc.timeout.ms", "%v is too short: at least 1000", o.rpcTimeout)
	}
	if o.heartbeat < time.Second || o.heartbeat > time.Minute {
		r.Problem("heartbeat.ms", "%v is not from 1000 to 60000", o.heartbeat)
	}
	if (o.certFile == "") != (o.keyFile == "") {
		r.Problem("tls.certificate.file", "a certificate and its key go together: give both tls.certificate.file and tls.key.file, or neither")
	}
	if !o.tls && (o.caFile != "" || o.certFile != "" || o.serverName != "") {
		r.Problem("tls", "options of TLS are given, but not tls=true")
	}
	if o.external && o.certFile == "" {
		r.Problem("sasl.mechanism", "EXTERNAL needs tls.certificate.file: the certificate says who we are")
	}
	if o.external && o.user != "" {
		r.Problem("user", "with sasl.mechanism=EXTERNAL the certificate names the user; leave it out")
	}
	if o.management != "" {
		o.checkManagement(r)
	}
}

func (o options) checkManagement(r *oms.KeyValueReader) {
	u, err := url.Parse(o.management)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		r.Problem("management.url", "it is no URL such as http://host:15672")
	case u.User != nil:
		r.Problem("management.url", "it has a user of its own; that of the access point is used")
	case o.external:
		r.Problem("management.url", "the management API wants a password, and sasl.mechanism=EXTERNAL has none")
	}
}

// tlsConfig reads the files anew each time, so that certificates that were
// replaced are used at the next connection.
func (o options) tlsConfig(host string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.serverName}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	if o.caFile != "" {
		pem, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls.ca.file " + strconv.Quote(o.caFile) + " has no certificate in PEM form")
		}
	}
	if o.certFile != "" {
		cert, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}
