package rabbitmq

import (
	"strconv"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var _ oms.Described = Driver{}

// Options documents the options of access points.
func (Driver) Options() []oms.OptionDoc {
	return []oms.OptionDoc{
		{Name: "declare", Default: declareFull, Values: []string{declareFull, declareMinimal, declareNone}, Doc: "What the driver makes where it is missing: exchanges and queues with all their arguments, queues with their type only (policies say the rest), or nothing. What is there is never declared with other arguments."},
		{Name: "ordering", Default: orderingKey, Values: []string{orderingKey, orderingNone}, Doc: "Whether a group has one queue for each partition with a single active consumer, which keeps the order of a key, or one queue for which its members compete."},
		{Name: "queue.type", Default: "quorum", Values: []string{"quorum", "stream"}, Doc: "What holds messages: a queue for each group and partition, which drops what is acknowledged, or a stream for each partition, which all groups read, from wherever they want."},
		{Name: "retention.ms", Type: oms.OptionMillis, Default: millis(defaultRetention), Doc: "How long streams that the driver makes keep messages, at least 1000; 0 is for ever. Whole segments are removed, never the last one."},
		{Name: "retention.bytes", Type: oms.OptionNumber, Default: "0", Doc: "How large such a stream becomes before what is oldest is removed; 0 is without a bound."},
		{Name: "segment.bytes", Type: oms.OptionNumber, Default: "0", Doc: "How large a segment of such a stream becomes, " + strconv.Itoa(leastSegment) + " to " + strconv.Itoa(mostSegment) + "; 0 is what the broker takes, 500 MB."},
		{Name: "durable.after.ms", Type: oms.OptionMillis, Default: "0", Doc: "For how long a message that a stream has confirmed may still be lost. 0 is right where streams have three replicas; with one it is the node's time to the disk."},
		{Name: "topic.creation.default.partitions", Type: oms.OptionNumber, Default: "1", Doc: "Partitions of a topic that is made and does not say how many; 1 to " + strconv.Itoa(mostPartitions) + "."},
		{Name: "max.message.bytes", Type: oms.OptionNumber, Default: strconv.Itoa(defaultMaxMessage), Doc: "The largest body; max_message_size of the broker must not be smaller."},
		{Name: "publish.timeout.ms", Type: oms.OptionMillis, Default: millis(defaultPublishTimeout), Doc: "When a message without a confirmation counts as unknown; at least 1000. Time in which the broker blocks publishers does not count."},
		{Name: "rpc.timeout.ms", Type: oms.OptionMillis, Default: millis(defaultRPCTimeout), Doc: "How long the broker may take to answer before the connection is given up; at least 1000."},
		{Name: "heartbeat.ms", Type: oms.OptionMillis, Default: millis(defaultHeartbeat), Doc: "Interval of heartbeats, whole seconds; 1000 to 60000. A dead connection is noticed within three of them."},
		{Name: "tls", Type: oms.OptionSwitch, Default: "false", Doc: "Whether the connection is encrypted. The port is then 5671 where none is given."},
		{Name: "tls.ca.file", Doc: "Certificates of those who may vouch for the broker; the system's if not given."},
		{Name: "tls.certificate.file", Doc: "Certificate of the client, in PEM form; none if not given."},
		{Name: "tls.key.file", Doc: "Key of tls.certificate.file, in PEM form."},
		{Name: "tls.server.name", Doc: "Name that the broker's certificate has to have; the host if not given."},
		{Name: "sasl.mechanism", Default: "PLAIN", Values: []string{"PLAIN", "EXTERNAL"}, Doc: "How the client says who it is: by user and password, or by its certificate."},
		{Name: "management.url", Doc: "Where the management API is, such as http://host:15672, for the user of the access point. With it, queues that drop messages after some deliveries are refused, and so are delayed messages to a topic without a queue; AMQP does not tell of that. Not asked if not given."},
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
