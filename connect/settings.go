package connect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Keys that the runtime itself reads, beside those of the connector's plugin.
// Where Kafka Connect has a key, it has the same name here.
var (
	commonKeys = []Key{
		{Name: "name", Doc: "Name of the connector.", Check: ValidName},
		{Name: "connector.class", Required: true, Doc: "Class of the connector, as `omconnect plugins` lists them."},
		{Name: "tasks.max", Type: Int, Default: "1", Min: 1, Max: 64, Doc: "Most tasks that the work is divided into."},
		{Name: "broker", Doc: "Access point of the broker, or one of the names under `brokers` in gateway.yaml; the gateway's broker if not given."},
		{Name: "rate.records.per.second", Type: Long, Default: "0", Min: 0, Max: 1e9, Doc: "Most records a second, of all tasks together; 0 for no limit."},
		{Name: "rate.bytes.per.second", Type: Long, Default: "0", Min: 0, Max: 1e12, Doc: "Most bytes a second, of all tasks together; 0 for no limit."},
		{Name: "restart.max.attempts", Type: Int, Default: "10", Min: -1, Max: 1e9, Doc: "How often a failure that is not known to pass by itself is tried again before the connector stands in FAILED; -1 for ever. Failures known to be temporary are tried for ever."},
		{Name: "restart.backoff.ms", Type: Millis, Default: "1000", Min: 1, Max: 86_400_000, Doc: "Wait before the first new attempt; doubled for each further one."},
		{Name: "restart.backoff.max.ms", Type: Millis, Default: "60000", Min: 1, Max: 86_400_000, Doc: "Longest wait between attempts."},
		{Name: "restart.reset.ms", Type: Millis, Default: "600000", Min: 1, Max: 86_400_000, Doc: "Running that long without a failure starts the count of attempts anew."},
		{Name: "errors.tolerance", Default: "none", Values: []string{"none"}, Doc: "What to do with a record that fails: none fails the task."},
		{Name: "transforms", Type: List, Doc: "Aliases of the transforms that change each record, in their order. Each has the keys transforms.ALIAS.type, .predicate, .negate, and those of its type."},
		{Name: "predicates", Type: List, Doc: "Aliases of the predicates that transforms name. Each has the keys predicates.ALIAS.type and those of its type."},
		{Name: "key.converter", Doc: "Converter of the keys in the broker, with its keys key.converter.NAME; as they are if not given."},
		{Name: "value.converter", Doc: "Converter of the values in the broker, with its keys value.converter.NAME; as they are if not given."},
	}
	sourceKeys = []Key{
		{Name: "topic", Required: true, Doc: "Topic that the records go to.", Check: oms.ValidTopic},
		{Name: "topic.creation.enable", Type: Bool, Default: "true", Doc: "Make the topic when it is missing."},
		{Name: "topic.creation.default.partitions", Type: Int, Default: "-1", Min: -1, Max: 10_000, Doc: "Partitions of a topic that is made; -1 for the broker's default."},
		{Name: "topic.creation.default.replication.factor", Type: Int, Default: "-1", Min: -1, Max: 100, Doc: "Replicas of a topic that is made; -1 for the broker's default."},
		{Name: "inflight.max.records", Type: Int, Default: "10000", Min: 1, Max: 1e7, Doc: "Most records read and not yet confirmed by the broker."},
		{Name: "inflight.max.bytes", Type: Long, Default: "33554432", Min: 1024, Max: 1 << 40, Doc: "Most bytes read and not yet confirmed by the broker."},
		{Name: "offset.flush.interval.ms", Type: Millis, Default: "1000", Min: 1, Max: 3_600_000, Doc: "How often positions are committed."},
		{Name: "uncommitted.max.records", Type: Int, Default: "200000", Min: 1, Max: 1e8, Doc: "Most records confirmed and not yet committed; the source waits then."},
	}
	sinkKeys = []Key{
		{Name: keyTopics, Type: List, Doc: "Topics to read, separated by commas; either these or topics.regex.", Check: validTopics},
		{Name: keyTopicsRegex, Doc: "A regular expression (RE2) that matches the whole names of the topics to read. Those that a broker keeps to itself are left out.", Check: validPattern},
		{Name: keyTopicsLook, Type: Millis, Default: "30000", Min: 100, Max: 86_400_000, Doc: "How often topics.regex is matched against the topics that there are."},
		{Name: keyGroup, Doc: "Group to read as; connect-<name> if not given.", Check: oms.ValidTopic},
		{Name: keyGroup + sharedSuffix, Type: Bool, Default: "false", Doc: "Start also while other programs than gateways are members of the group. Each message goes to one member: they get a share of them, and the sink the rest. Without it the sink waits until they have left, where the broker can tell."},
		{Name: "consumer.mode", Default: "pull", Values: []string{"pull", "push"}, Doc: "How the sink is fed: pull asks for batches, push is called with them."},
		{Name: "consumer.auto.offset.reset", Default: "earliest", Values: []string{"earliest", "latest"}, Doc: "Where a new group starts."},
		OutOfRangeKey(),
		{Name: "consumer.max.poll.records", Type: Int, Default: "500", Min: 1, Max: 100_000, Doc: "Most records in one call of the sink."},
		{Name: "inflight.max.records", Type: Int, Default: "10000", Min: 1, Max: 1e7, Doc: "Most records received and not yet acknowledged."},
		{Name: "inflight.max.bytes", Type: Long, Default: "33554432", Min: 1024, Max: 1 << 40, Doc: "Most bytes received and not yet acknowledged."},
	}
)

// foreignKeys is the closed table of Kafka Connect's framework keys that are
// not honoured. An empty reason: ignored with a warning.
var foreignKeys = map[string]string{
	"tasks.max.enforce":                "",
	"config.action.reload":             "",
	"errors.log.enable":                "",
	"errors.log.include.messages":      "",
	"errors.retry.delay.max.ms":        "",
	"errors.retry.timeout":             "retries are set by restart.max.attempts and restart.backoff.ms",
	"exactly.once.support":             "delivery is at least once",
	"transaction.boundary":             "delivery is at least once",
	"offsets.storage.topic":            "positions are kept where the gateway's state is",
	"initial_state":                    "it is a field of the request beside config, not a key of it",
	"transaction.boundary.interval.ms": "delivery is at least once",

	"consumer.override.metadata.max.age.ms": "how soon topics.regex finds a topic is set by topics.regex.refresh.interval.ms",
}

// foreignPrefixes is the same for families of keys.
var foreignPrefixes = map[string]string{
	"errors.deadletterqueue.": "this version has no dead-letter topics: a record that fails fails its task",
	"producer.override.":      "the broker's client is configured by the options of its access point",
	"consumer.override.":      "the broker's client is configured by the options of its access point",
	"admin.override.":         "the broker's client is configured by the options of its access point",
}

// headerConverters are the header converters that do what happens anyway:
// bytes stay as they are.
var headerConverters = map[string]bool{
	"org.apache.kafka.connect.storage.StringConverter":       true,
	"org.apache.kafka.connect.converters.ByteArrayConverter": true,
	"org.apache.kafka.connect.storage.SimpleHeaderConverter": true,
}

// foreign sorts out the framework keys of Kafka Connect: it returns the
// configuration without those that are ignored, a warning for each of them,
// and a problem for each that is refused.
func foreign(config oms.KeyValue) (rest oms.KeyValue, warnings []string, problems oms.KeyErrors) {
	rest = make(oms.KeyValue, len(config))
	for _, key := range config.Keys() {
		known, reason := foreignKey(key, config[key])
		switch {
		case !known:
			rest[key] = config[key]
		case reason == "":
			warnings = append(warnings, key+": ignored, it has no meaning here")
		default:
			problems = append(problems, oms.KeyError{Key: key, Problem: "not supported: " + reason})
		}
	}
	return rest, warnings, problems
}

func foreignKey(key, value string) (known bool, reason string) {
	if reason, known = foreignKeys[key]; known {
		return true, reason
	}
	for prefix, reason := range foreignPrefixes {
		if strings.HasPrefix(key, prefix) {
			return true, reason
		}
	}
	const converter = "header.converter"
	if key == converter && !headerConverters[value] {
		return true, "headers pass as the bytes they are; leave the converter out"
	}
	if key == converter || strings.HasPrefix(key, converter+".") {
		return true, ""
	}
	return false, ""
}

// settings are the runtime's own keys of one connector, read.
type settings struct {
	tasksMax         int
	broker           string
	topic            string        // source; "" when its messages name theirs
	topics           []string      // sink; none when they match a pattern
	pattern          *TopicPattern // sink; nil when its topics are named
	topicsLook       time.Duration // sink; between two looks for topics that match
	group            string        // sink
	sharedGroup      bool          // sink: others' programs may be in the group
	push             bool          // sink
	start            oms.Start
	outOfRange       string // sink
	pollRecords      int    // sink
	rateRecords      int64
	rateBytes        int64
	inflightRecords  int
	inflightBytes    int
	flushInterval    time.Duration
	uncommittedMax   int64
	createTopics     bool
	partitions       int
	replication      int
	restart          restartPolicy
	kind             Kind
	connectorOptions oms.KeyValue // the plugin's own keys, with defaults
	chain            oms.KeyValue // the keys of transforms, predicates and converters
}

// restartPolicy says when a failed task is started again.
type restartPolicy struct {
	maxAttempts int // of failures not known to be temporary; -1: no limit
	first, most time.Duration
	reset       time.Duration
}

// wait returns how long to wait before the attempt of that number, from 1.
func (p restartPolicy) wait(attempt int) time.Duration {
	d := p.first
	for i := 1; i < attempt && d < p.most; i++ {
		d *= 2
	}
	return min(d, p.most)
}

// definition returns all keys of a plugin's connectors: its own, and those of
// the runtime that it does not define itself.
func definition(p Plugin) ConfigDef {
	def := ConfigDef{Keys: p.Def.Keys, Check: p.Def.Check}
	kindKeys := sourceKeys
	if p.Kind == KindSink {
		kindKeys = sinkKeys
		def.Check = func(config oms.KeyValue) oms.KeyErrors {
			problems := checkTopicKeys(config)
			if p.Def.Check != nil {
				problems = append(problems, p.Def.Check(config)...)
			}
			return problems
		}
	}
	for _, keys := range [][]Key{commonKeys, kindKeys} {
		for _, k := range keys {
			if _, own := p.Def.Key(k.Name); !own {
				def.Keys = append(slices.Clip(def.Keys), k)
			}
		}
	}
	return def
}

// readSettings reads a configuration that has been validated.
func readSettings(name string, p Plugin, config oms.KeyValue) (settings, error) {
	r := definition(p).Complete(config).Reader()
	s := settings{
		kind:        p.Kind,
		tasksMax:    r.Int("tasks.max"),
		broker:      r.String("broker", DefaultBroker),
		rateRecords: r.Int64("rate.records.per.second"),
		rateBytes:   r.Int64("rate.bytes.per.second"),
		restart: restartPolicy{
			maxAttempts: r.Int("restart.max.attempts"),
			first:       r.Millis("restart.backoff.ms"),
			most:        r.Millis("restart.backoff.max.ms"),
			reset:       r.Millis("restart.reset.ms"),
		},
		inflightRecords:  r.Int("inflight.max.records"),
		inflightBytes:    r.Int("inflight.max.bytes"),
		connectorOptions: p.Def.Complete(config),
	}
	_, s.chain = splitChain(config)
	s.chain["name"] = name
	if p.Kind == KindSink {
		s.topics = r.List(keyTopics, nil)
		s.topicsLook = r.Millis(keyTopicsLook)
		if text := r.String(keyTopicsRegex, ""); text != "" {
			var err error
			if s.pattern, err = ParseTopicPattern(text); err != nil {
				r.Problem(keyTopicsRegex, "%s", err)
			}
		}
		s.group = r.String(keyGroup, "connect-"+name)
		s.sharedGroup = r.Bool(keyGroup + sharedSuffix)
		s.push = r.String("consumer.mode") == "push"
		s.outOfRange = r.String(OutOfRange)
		s.pollRecords = r.Int("consumer.max.poll.records")
		if r.String("consumer.auto.offset.reset") == "latest" {
			s.start.From = oms.StartLatest
		}
	} else {
		s.topic = r.String("topic", "")
		s.createTopics = r.Bool("topic.creation.enable")
		s.partitions = max(0, r.Int("topic.creation.default.partitions"))
		s.replication = max(0, r.Int("topic.creation.default.replication.factor"))
		s.flushInterval = r.Millis("offset.flush.interval.ms")
		s.uncommittedMax = r.Int64("uncommitted.max.records")
	}
	if r.Problems() > 0 {
		return s, fmt.Errorf("read configuration: %w", r.Err())
	}
	return s, nil
}

// ValidName returns nil, or why a connector cannot have that name.
func ValidName(name string) error {
	const longest = 200 // bytes: a group named after it is still a valid topic everywhere
	switch {
	case name == "":
		return fmt.Errorf("a connector needs a name")
	case len(name) > longest:
		return fmt.Errorf("the name has %d bytes, at most %d are allowed", len(name), longest)
	case strings.Contains(name, "/"):
		return fmt.Errorf("the name %.50q has a slash", name)
	case name == "." || name == "..":
		return fmt.Errorf("the name %q means a folder in paths", name)
	}
	if err := oms.ValidTopic(name); err != nil {
		return fmt.Errorf("the name %.50q has a space, a control character or invalid UTF-8", name)
	}
	return nil
}
