package kafka

import (
	"net"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// The defaults of the options.
const (
	defaultPort       = "9092"
	defaultVersion    = "2.8.0"
	defaultClientID   = "omconnect"
	defaultMaxMessage = 1<<20 - headerRoom // a broker takes 1 MiB unless told otherwise
	defaultSession    = 45 * time.Second
	defaultHeartbeat  = 3 * time.Second
	defaultRebalance  = time.Minute
	defaultRequest    = 10 * time.Second
	defaultDelivery   = 15 * time.Second
	// headerRoom is what a message may need beside its body: key, headers and
	// the record's own fields.
	headerRoom = 64 << 10
)

// What becomes of an offset that the broker does not have.
const (
	rangeFail     = "fail"
	rangeEarliest = "earliest"
	rangeLatest   = "latest"
)

// options is what an access point says, checked.
type options struct {
	hosts           []string
	version         sarama.KafkaVersion
	clientID        string
	rack            string
	maxMessage      int
	compression     sarama.CompressionCodec
	requestTimeout  time.Duration
	deliveryTimeout time.Duration
	durableAfter    time.Duration
	instance        string
	session         time.Duration
	heartbeat       time.Duration
	rebalance       time.Duration
	eager           bool
	outOfRange      string
	security        security
}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func readOptions(ap oms.AccessPoint) (options, error) {
	r := ap.Options.Reader()
	o := options{
		hosts:           brokers(ap.Hosts),
		clientID:        r.String("client.id", defaultClientID),
		rack:            r.String("client.rack", ""),
		maxMessage:      r.Int("max.message.bytes", defaultMaxMessage),
		compression:     codecs[r.OneOf("compression.type", "none", "gzip", "snappy", "lz4", "zstd")],
		requestTimeout:  r.Millis("request.timeout.ms", defaultRequest),
		deliveryTimeout: r.Millis("delivery.timeout.ms", defaultDelivery),
		durableAfter:    r.Millis("durable.after.ms", 0),
		instance:        r.String("group.instance.id", ""),
		session:         r.Millis("session.timeout.ms", defaultSession),
		heartbeat:       r.Millis("heartbeat.interval.ms", defaultHeartbeat),
		rebalance:       r.Millis("rebalance.timeout.ms", defaultRebalance),
		eager:           r.OneOf("rebalance.protocol", "cooperative", "eager") == "eager",
		outOfRange:      r.OneOf("consumer.offset.out.of.range", rangeFail, rangeEarliest, rangeLatest),
	}
	version, err := sarama.ParseKafkaVersion(r.String("version", defaultVersion))
	if err != nil || !version.IsAtLeast(sarama.V2_4_0_0) {
		r.Problem("version", "it is not the version of a Kafka broker, from 2.4.0 on")
		version = sarama.V2_8_0_0
	}
	o.version = version
	o.check(r)
	o.security = readSecurity(r, ap)
	if len(ap.Hosts) == 0 {
		r.Problem("host", "missing: oms:kafka:// needs at least one host")
	}
	if ap.Region != "" {
		r.Problem("region", "Kafka has none; nothing stands behind the / after the hosts")
	}
	return o, r.Err()
}

func (o *options) check(r *oms.KeyValueReader) {
	const most = 1 << 30
	if o.maxMessage < 1 || o.maxMessage > most {
		r.Problem("max.message.bytes", "%d is not from 1 to %d", o.maxMessage, most)
	}
	if strings.Trim(o.clientID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" || o.clientID == "" {
		r.Problem("client.id", "it has letters, digits, dot, _ and - only")
	}
	for _, t := range []struct {
		key   string
		value time.Duration
		least time.Duration
	}{
		{"request.timeout.ms", o.requestTimeout, 100 * time.Millisecond},
		{"delivery.timeout.ms", o.deliveryTimeout, 100 * time.Millisecond},
		{"durable.after.ms", o.durableAfter, 0},
		{"session.timeout.ms", o.session, time.Second},
		{"heartbeat.interval.ms", o.heartbeat, 10 * time.Millisecond},
		{"rebalance.timeout.ms", o.rebalance, time.Second},
	} {
		if t.value < t.least {
			r.Problem(t.key, "%v is less than %v", t.value, t.least)
		}
	}
	if o.heartbeat*2 > o.session {
		r.Problem("heartbeat.interval.ms", "%v is more than half of session.timeout.ms, %v", o.heartbeat, o.session)
	}
}

// brokers gives hosts without a port Kafka's.
func brokers(hosts []string) []string {
	list := make([]string, 0, len(hosts))
	for _, h := range hosts {
		if strings.LastIndexByte(h, ':') <= strings.LastIndexByte(h, ']') {
			h = net.JoinHostPort(strings.Trim(h, "[]"), defaultPort)
		}
		list = append(list, h)
	}
	return list
}
