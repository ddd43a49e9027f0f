package embedded

import (
	"strconv"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var _ oms.Described = Driver{}

// Options documents the options of access points.
func (d Driver) Options() []oms.OptionDoc {
	if d.External {
		return natsOptionDocs()
	}
	return []oms.OptionDoc{
		{Name: "dir", Default: defaultDir, Doc: "Folder of the broker. The default is that of a gateway whose data folder is ./data; another gateway has it in its own. A connector that names no folder means its gateway's broker, and cannot give it other options."},
		{Name: "durability", Default: "interval", Values: []string{"interval", "strict"}, Doc: "When a message is on the disk: every sync.interval.ms, or before each confirmation."},
		{Name: "sync.interval.ms", Type: oms.OptionMillis, Default: millis(defaultSync), Doc: "How often what was written is forced to the disk; 10 to 60000."},
		{Name: "retention.ms", Type: oms.OptionMillis, Default: millis(defaultRetention), Doc: "How long messages are kept; at least " + millis(2*duplicateWindow) + "."},
		{Name: "retention.bytes", Type: oms.OptionNumber, Default: "0", Doc: "How much all topics may take together; 0 for half of what is free when the broker starts."},
		{Name: "min.free.bytes", Type: oms.OptionNumber, Doc: "The floor of free disk, below which nothing more is taken; the larger of 1 GiB and 5 %, at most a tenth of the disk, if not given."},
		{Name: "max.message.bytes", Type: oms.OptionNumber, Default: strconv.Itoa(defaultMaxMessage), Doc: "The largest body."},
		{Name: "publish.timeout.ms", Type: oms.OptionMillis, Default: "3000", Doc: "When a message without an answer counts as unknown; at least 100."},
	}
}

func natsOptionDocs() []oms.OptionDoc {
	return []oms.OptionDoc{
		{Name: "retention.ms", Type: oms.OptionMillis, Default: millis(defaultRetention), Doc: "How long the messages of a topic that is made are kept; at least " + millis(2*duplicateWindow) + "."},
		{Name: "retention.bytes", Type: oms.OptionNumber, Default: "0", Doc: "How much each topic that is made may take; 0 for no limit."},
		{Name: "max.message.bytes", Type: oms.OptionNumber, Default: strconv.Itoa(foreignMaxPayload - headerRoom), Doc: "The largest body; the server's max_payload has to be 64 KiB larger."},
		{Name: "replication.factor", Type: oms.OptionNumber, Default: "1", Doc: "Replicas of a topic that is made; 1 to 5. With more than one, a confirmed message outlives the loss of a server at once."},
		{Name: "sync.interval.ms", Type: oms.OptionMillis, Default: millis(defaultForeignSync), Doc: "What sync_interval of the server is, 0 for always: with one replica, a message may be lost to a power cut for so long after it was confirmed, and its position is not committed."},
		{Name: "credentials.file", Doc: "NATS credentials to connect with; user and password of the access point if not given."},
		{Name: "tls", Type: oms.OptionSwitch, Default: "false", Doc: "Whether the connection is encrypted."},
		{Name: "tls.ca.file", Doc: "Certificates of those who may vouch for the server; the system's if not given."},
		{Name: "publish.timeout.ms", Type: oms.OptionMillis, Default: "5000", Doc: "When a message without an answer counts as unknown; at least 100."},
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
