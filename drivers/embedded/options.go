package embedded

import (
	"time"

	"github.com/omconnect/omconnect/oms"
)

// The defaults of the options.
const (
	defaultDir        = "data/broker" // of a gateway whose data folder is the default one
	defaultRetention  = 7 * 24 * time.Hour
	defaultMaxMessage = 8<<20 - headerRoom // more than 8 MiB on the wire is advised against
	defaultSync       = 100 * time.Millisecond
	// defaultForeignSync is sync_interval of a server that was not told otherwise.
	defaultForeignSync = 2 * time.Minute
	// headerRoom is what a message may need beside its body: key, headers and
	// what the broker wants to know. The server stores at most 64 KiB of it.
	headerRoom = 64 << 10
	// foreignMaxPayload is what a NATS server takes unless it is told
	// otherwise, headers included.
	foreignMaxPayload = 1 << 20
)

// options is what an access point says, checked.
type options struct {
	dir            string
	strict         bool
	syncInterval   time.Duration
	retention      time.Duration
	retentionBytes int64 // 0: half of what is free when the server starts
	minFree        int64 // -1: a share of the disk
	maxMessage     int
	replicas       int
	credentials    string
	useTLS         bool
	rootCA         string
	publishTimeout time.Duration
}

// embeddedOptions reads the options of a broker in this process.
func embeddedOptions(ap oms.AccessPoint) (options, error) {
	r := ap.Options.Reader()
	o := options{
		dir:            r.String("dir", defaultDir),
		strict:         r.OneOf("durability", "interval", "strict") == "strict",
		syncInterval:   r.Millis("sync.interval.ms", defaultSync),
		retention:      r.Millis("retention.ms", defaultRetention),
		retentionBytes: r.Int64("retention.bytes", 0),
		minFree:        r.Int64("min.free.bytes", -1),
		maxMessage:     r.Int("max.message.bytes", defaultMaxMessage),
		replicas:       1,
		publishTimeout: r.Millis("publish.timeout.ms", 3*time.Second),
	}
	const most = 64<<20 - headerRoom // the server's own limit
	if o.maxMessage < 1 || o.maxMessage > most {
		r.Problem("max.message.bytes", "%d is not from 1 to %d", o.maxMessage, most)
	}
	if o.syncInterval < 10*time.Millisecond || o.syncInterval > time.Minute {
		r.Problem("sync.interval.ms", "%v is not from 10 ms to a minute", o.syncInterval)
	}
	if r.Has("min.free.bytes") && o.minFree < 0 {
		r.Problem("min.free.bytes", "%d is negative", o.minFree)
	}
	o.check(r)
	if len(ap.Hosts) > 0 {
		r.Problem("host", "an embedded broker has no host; to reach a NATS server use oms:nats://")
	}
	if ap.User != "" || ap.Region != "" {
		r.Problem("user", "an embedded broker has neither a user nor a region")
	}
	return o, r.Err()
}

// natsOptions reads the options of a broker somewhere else.
func natsOptions(ap oms.AccessPoint) (options, error) {
	r := ap.Options.Reader()
	o := options{
		retention:      r.Millis("retention.ms", defaultRetention),
		retentionBytes: r.Int64("retention.bytes", 0),
		maxMessage:     r.Int("max.message.bytes", foreignMaxPayload-headerRoom),
		replicas:       r.Int("replication.factor", 1),
		credentials:    r.String("credentials.file", ""),
		useTLS:         r.Bool("tls", false),
		rootCA:         r.String("tls.ca.file", ""),
		syncInterval:   r.Millis("sync.interval.ms", defaultForeignSync),
		publishTimeout: r.Millis("publish.timeout.ms", 5*time.Second),
	}
	if o.syncInterval < 0 {
		r.Problem("sync.interval.ms", "%v is negative", o.syncInterval)
	}
	if o.maxMessage < 1 {
		r.Problem("max.message.bytes", "%d is not positive", o.maxMessage)
	}
	if o.replicas < 1 || o.replicas > 5 {
		r.Problem("replication.factor", "%d is not from 1 to 5", o.replicas)
	}
	o.check(r)
	if len(ap.Hosts) == 0 {
		r.Problem("host", "missing: oms:nats:// needs at least one host; for a broker in this process use embedded")
	}
	if ap.Region != "" {
		r.Problem("region", "NATS has no regions; leave it empty")
	}
	return o, r.Err()
}

func (o options) check(r *oms.KeyValueReader) {
	// The server refuses shorter ages than the window in which it recognises
	// repeats.
	if o.retention < 2*duplicateWindow {
		r.Problem("retention.ms", "%v is too short: at least %v", o.retention, 2*duplicateWindow)
	}
	if o.retentionBytes < 0 {
		r.Problem("retention.bytes", "%d is negative", o.retentionBytes)
	}
	if o.publishTimeout < 100*time.Millisecond {
		r.Problem("publish.timeout.ms", "%v is too short: at least 100", o.publishTimeout)
	}
}

// durableAfter is how long a confirmed message is at the mercy of a power cut.
func (o options) durableAfter(inProcess bool) time.Duration {
	switch {
	case !inProcess && o.replicas > 1, o.strict:
		return 0
	case !inProcess:
		return o.syncInterval
	}
	return 2 * o.syncInterval
}
