package broker

import (
	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// The keys that only the sink has.
const (
	keySink        = "sink.broker"
	keySinkTopic   = "sink.topic"
	keyCreate      = "topic.creation.enable"
	keyPartitions  = "topic.creation.default.partitions"
	keyReplication = "topic.creation.default.replication.factor"
)

var sinkDef = connect.ConfigDef{
	Keys: append([]connect.Key{
		{Name: keySink, Type: connect.URL, Required: true, Doc: "The broker to send to: an access point, or one of the names under `brokers` in gateway.yaml."},
		{Name: keySinkTopic, Default: topicMark, Check: checkTemplate, Doc: "Topic that the records go to, in which " + topicMark + " stands for the one they were read from."},
		{Name: keyCreate, Type: connect.Bool, Default: "true", Doc: "Make the topic when it is missing."},
		{Name: keyPartitions, Type: connect.Int, Default: "-1", Min: -1, Max: 10_000, Doc: "Partitions of a topic that is made; -1 for the broker's default."},
		{Name: keyReplication, Type: connect.Int, Default: "-1", Min: -1, Max: 100, Doc: "Replicas of a topic that is made; -1 for the broker's default."},
	}, sharedKeys...),
}

// sinkConfig is the configuration of a sink that has been checked.
type sinkConfig struct {
	broker, topic           string
	create                  bool
	partitions, replication int
	fidelity                string
	loop                    bool
}

func readSinkConfig(config oms.KeyValue) (sinkConfig, error) {
	if err := sinkDef.Validate(config); err != nil {
		return sinkConfig{}, err
	}
	r := sinkDef.Complete(config).Reader()
	c := sinkConfig{
		broker: r.String(keySink), topic: r.String(keySinkTopic), create: r.Bool(keyCreate),
		partitions: max(0, r.Int(keyPartitions)), replication: max(0, r.Int(keyReplication)),
		fidelity: r.String(keyFidelity), loop: r.String(keyLoop) == loopFail,
	}
	return c, r.Err()
}
