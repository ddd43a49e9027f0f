package kafka

import (
	"strconv"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var _ oms.Described = Driver{}

// Options documents the options of access points.
func (d Driver) Options() []oms.OptionDoc {
	return []oms.OptionDoc{
		{Name: "version", Default: defaultVersion, Doc: "The oldest version among the brokers, from 2.4.0 on. What newer ones offer is found out when connecting."},
		{Name: "client.id", Default: defaultClientID, Doc: "What the brokers' logs, quotas and member ids call the client; letters, digits, dot, _ and -."},
		{Name: "client.rack", Doc: "Where the client runs; it reads from a replica of the same rack where the brokers allow that."},
		{Name: "max.message.bytes", Type: oms.OptionNumber, Default: strconv.Itoa(defaultMaxMessage), Doc: "The largest body; max.message.bytes of the topics has to be 64 KiB larger."},
		{Name: "compression.type", Default: "none", Values: []string{"none", "gzip", "snappy", "lz4", "zstd"}, Doc: "How batches are compressed."},
		{Name: "request.timeout.ms", Type: oms.OptionMillis, Default: millis(defaultRequest), Doc: "When a request without an answer has failed; at least 100."},
		{Name: "delivery.timeout.ms", Type: oms.OptionMillis, Default: millis(defaultDelivery), Doc: "For how long a batch is tried before its sender is told; at least 100."},
		{Name: "durable.after.ms", Type: oms.OptionMillis, Default: "0", Doc: "For how long a confirmed message may still be lost. 0 is right where a topic has three replicas and min.insync.replicas of two; with one replica it is the broker's time to the disk."},
		{Name: "group.instance.id", Doc: "Begins the names of static members: the first receiver of a group is <id>-0. Members are dynamic if not given."},
		{Name: "session.timeout.ms", Type: oms.OptionMillis, Default: millis(defaultSession), Doc: "When a member that is not heard of has left; at least 1000."},
		{Name: "heartbeat.interval.ms", Type: oms.OptionMillis, Default: millis(defaultHeartbeat), Doc: "How often a member is heard of; at most half of session.timeout.ms."},
		{Name: "rebalance.timeout.ms", Type: oms.OptionMillis, Default: millis(defaultRebalance), Doc: "How long a member may take to give up partitions; at least 1000."},
		{Name: "rebalance.protocol", Default: "cooperative", Values: []string{"cooperative", "eager"}, Doc: "How partitions move: those that have to, or all. A group has one; eager is for groups with members that know no other."},
		{Name: "consumer.offset.out.of.range", Default: rangeFail, Values: []string{rangeFail, rangeEarliest, rangeLatest}, Doc: "What happens where the position of a group is no longer, or not yet, in its partition: the receiver fails where nobody is told of gaps, or goes on at either end."},
		{Name: "tls", Type: oms.OptionSwitch, Default: "false", Doc: "Whether connections are encrypted."},
		{Name: "tls.ca.file", Doc: "Certificates of those who may vouch for the brokers; the system's if not given."},
		{Name: "tls.cert.file", Doc: "The client's certificate."},
		{Name: "tls.key.file", Doc: "The key of the client's certificate."},
		{Name: "tls.server.name", Doc: "The name that the brokers' certificates have; that of the host if not given."},
		{Name: "sasl.mechanism", Default: mechanismFromUser, Values: []string{mechanismFromUser, mechanismPlain, mechanismSHA256, mechanismSHA512, mechanismBearer}, Doc: "How the client says who it is; auto is plain where the access point has a user, and else nothing."},
		{Name: "sasl.token", Doc: "The token of oauthbearer."},
		{Name: "sasl.token.file", Doc: "A file with the token of oauthbearer; it is read for each connection."},
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
