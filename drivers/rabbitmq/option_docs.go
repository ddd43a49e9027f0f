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
		{Name: "management.url", Doc: "Where the management API is, such as http://host:15672, for the user of the access point. With it, queues that drop messages after some deliveries are refused; AMQP does not tell of that. Not asked if not given."},
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
