package rocketmq

import (
	"net"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// The defaults of the options.
const (
	defaultPort = "9876" // of a name server
	// defaultMaxMessage leaves room beside the body: the broker counts
	// properties, too, and takes 4 MiB unless it is told otherwise.
	defaultMaxMessage = 4<<20 - 64<<10
	// defaultSync is flushCommitLogThoroughInterval of a broker with
	// ASYNC_FLUSH, and one round of its flushing.
	defaultSync       = 10*time.Second + 500*time.Millisecond
	defaultTimeout    = 5 * time.Second
	defaultPartitions = 8 // defaultTopicQueueNums of a broker
	// strictWait is how long a send waits before it fails because the replica
	// did not have the message. The front sends it again, and it is stored
	// again.
	strictWait = 5 * time.Second
)

// options is what an access point says, checked.
type options struct {
	hosts        []string
	namespace    string
	accessKey    string
	secretKey    oms.Secret
	useTLS       bool
	strict       bool
	timer        bool
	syncInterval time.Duration
	timeout      time.Duration
	maxMessage   int
	partitions   int
	tagHeader    string // whose value is the tag; "" for no tags
}

func readOptions(ap oms.AccessPoint) (options, error) {
	r := ap.Options.Reader()
	o := options{
		namespace: ap.Region, accessKey: ap.User, secretKey: ap.Password,
		useTLS:       r.Bool("tls", false),
		strict:       r.OneOf("durability", "confirmed", "strict") == "strict",
		timer:        r.OneOf("delay", "none", "timer") == "timer",
		syncInterval: r.Millis("sync.interval.ms", defaultSync),
		timeout:      r.Millis("send.timeout.ms", defaultTimeout),
		maxMessage:   r.Int("max.message.bytes", defaultMaxMessage),
		partitions:   r.Int("topic.partitions", defaultPartitions),
		tagHeader:    r.String("tag.header", ""),
	}
	insecure := r.Bool("tls.insecure", false)
	if o.useTLS && !insecure {
		r.Problem("tls", "certificates are not verified, here or in RocketMQ's own client; write tls.insecure=true to accept that")
	}
	if insecure && !o.useTLS {
		r.Problem("tls.insecure", "means nothing without tls=true")
	}
	if o.syncInterval < 0 {
		r.Problem("sync.interval.ms", "%v is negative", o.syncInterval)
	}
	if o.timeout < 100*time.Millisecond {
		r.Problem("send.timeout.ms", "%v is too short: at least 100", o.timeout)
	}
	if o.maxMessage < 1 || o.maxMessage > largestMessage {
		r.Problem("max.message.bytes", "%d is not from 1 to %d", o.maxMessage, largestMessage)
	}
	if o.partitions < 1 || o.partitions > mostPartitions {
		r.Problem("topic.partitions", "%d is not from 1 to %d", o.partitions, mostPartitions)
	}
	if err := checkTagHeader(o.tagHeader); err != nil {
		r.Problem("tag.header", "%v", err)
	}
	if len(ap.Hosts) == 0 {
		r.Problem("host", "missing: oms:rocketmq:// needs at least one name server")
	}
	if (o.accessKey == "") != (o.secretKey == "") {
		r.Problem("user", "an access key (the user) and a secret key (the password) belong together")
	}
	if err := checkNamespace(o.namespace); err != nil {
		r.Problem("region", "%v", err)
	}
	for _, h := range ap.Hosts {
		o.hosts = append(o.hosts, withPort(h))
	}
	return o, r.Err()
}

const (
	largestMessage = 64 << 20
	mostPartitions = 1024
)

func withPort(host string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), defaultPort)
}
