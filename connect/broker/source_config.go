package broker

import (
	"fmt"
	"slices"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// The keys that only the source has.
const (
	keySource   = "source.broker"
	keyTopics   = "source.topics"
	keyRegex    = "source.topics.regex"
	keyRefresh  = "source.topics.refresh.interval.ms"
	keyGroup    = "source.group"
	keyShared   = "source.group.shared"
	keyDelete   = "source.group.delete"
	keyStart    = "source.start"
	keyPolled   = "source.max.poll.records"
	keyUnacked  = "source.max.unacked.records"
	keyUnackedB = "source.max.unacked.bytes"
	keyTopic    = "topic"
)

// Where a group starts.
const (
	earliest = "earliest"
	latest   = "latest"
)

var sourceDef = connect.ConfigDef{
	Keys: append([]connect.Key{
		{Name: keySource, Type: connect.URL, Required: true, Doc: "The broker to read from: an access point, or one of the names under `brokers` in gateway.yaml."},
		{Name: keyTopics, Type: connect.List, Check: checkTopics, Doc: "Topics to read, separated by commas; either these or source.topics.regex."},
		{Name: keyRegex, Check: checkRegex, Doc: "A regular expression (RE2) that matches the whole names of the topics to read."},
		{
			Name: keyRefresh, Type: connect.Millis, Default: "30000", Min: 100, Max: 86_400_000,
			Doc: "How often source.topics.regex is matched against the topics that there are.",
		},
		{Name: keyGroup, Check: oms.ValidTopic, Doc: "Group to read as; connect-<name> if not given. It holds the position."},
		{Name: keyShared, Type: connect.Bool, Default: "false", Doc: "Start also while other programs than gateways are members of the group. Each record goes to one member: they get a share of them, and the connector the rest. Without it the connector waits until they have left, where the broker can tell."},
		{Name: keyDelete, Type: connect.Bool, Default: "false", Doc: "Whether deleting the connector deletes the group, and with it the position. A queue that is kept goes on filling up."},
		{Name: keyStart, Default: earliest, Check: checkStart, Doc: "Where a new group starts: earliest, latest, or a time such as 2024-05-01T12:00:00Z."},
		{Name: keyPolled, Type: connect.Int, Default: "500", Min: 1, Max: 100_000, Doc: "Most records taken at a time."},
		{
			Name: keyUnacked, Type: connect.Int, Default: "50000", Min: 1, Max: 1e7,
			Doc: "Most records of a task taken and not yet acknowledged. They are acknowledged once their position is stored, about every second, so this bounds the rate.",
		},
		{Name: keyUnackedB, Type: connect.Long, Default: "67108864", Min: 1024, Max: 1 << 40, Doc: "Most bytes of a task taken and not yet acknowledged."},
		connect.OutOfRangeKey(),
		{Name: keyTopic, Default: topicMark, Check: checkTemplate, Doc: "Topic that the records go to, in which " + topicMark + " stands for the one they were read from."},
	}, sharedKeys...),
	Check: checkSource,
}

func checkTopics(list string) error {
	for _, t := range oms.SplitList(list) {
		if err := checkTopic(t); err != nil {
			return err
		}
	}
	return nil
}

func checkRegex(text string) error {
	_, err := connect.ParseTopicPattern(text)
	return err
}

func checkStart(text string) error {
	_, err := startAt(text)
	return err
}

// startAt reads where a group starts.
func startAt(text string) (oms.Start, error) {
	switch text {
	case earliest:
		return oms.Start{From: oms.StartEarliest}, nil
	case latest:
		return oms.Start{From: oms.StartLatest}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return oms.Start{}, fmt.Errorf("%.60q is neither %s nor %s nor a time such as 2024-05-01T12:00:00Z", text, earliest, latest)
	}
	return oms.Start{From: oms.StartAtTime, At: at}, nil
}

// checkSource finds what is wrong between keys.
func checkSource(config oms.KeyValue) oms.KeyErrors {
	var ps problems
	switch listed := len(oms.SplitList(config[keyTopics])) > 0; {
	case listed && config[keyRegex] != "":
		ps.add(keyRegex, "it cannot stand beside %s: choose one", keyTopics)
	case !listed && config[keyRegex] == "":
		ps.add(keyTopics, "missing: name the topics to read, or give a %s", keyRegex)
	}
	return oms.KeyErrors(ps)
}

// sourceConfig is the configuration of a source that has been checked.
type sourceConfig struct {
	broker, group  string
	topics         []string
	pattern        *connect.TopicPattern // nil when topics are named
	refresh        time.Duration
	shared         bool // others' programs may be in the group
	deleteGroup    bool
	start          oms.Start
	polled         int
	unacked, bytes int
	outOfRange     string
	topic          string
	fidelity       string
	loop           bool
}

func readSourceConfig(name string, config oms.KeyValue) (c sourceConfig, err error) {
	if err := sourceDef.Validate(config); err != nil {
		return c, err
	}
	r := sourceDef.Complete(config).Reader()
	c = sourceConfig{
		broker: r.String(keySource), group: r.String(keyGroup, "connect-"+name), topics: r.List(keyTopics, nil),
		refresh: r.Millis(keyRefresh), deleteGroup: r.Bool(keyDelete), shared: r.Bool(keyShared),
		polled: r.Int(keyPolled), unacked: r.Int(keyUnacked), bytes: int(r.Int64(keyUnackedB)),
		outOfRange: r.String(connect.OutOfRange), topic: r.String(keyTopic), fidelity: r.String(keyFidelity), loop: r.String(keyLoop) == loopFail,
	}
	slices.Sort(c.topics)
	c.topics = slices.Compact(c.topics)
	start, regex := r.String(keyStart), r.String(keyRegex, "")
	if err := r.Err(); err != nil {
		return c, err
	}
	if c.start, err = startAt(start); err == nil && regex != "" {
		c.pattern, err = connect.ParseTopicPattern(regex)
	}
	return c, err
}
