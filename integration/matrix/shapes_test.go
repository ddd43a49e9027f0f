package matrix

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A shape is a way in which connectors are put together.
type shape struct {
	name string
	// connectors are its definitions, the sinks before the source: a group
	// gets what is sent once it is there.
	connectors func(n names) []connector
	// build makes what the connectors read and write, in a folder.
	build func(t *testing.T, dir string, total int) plant
}

// A plant is what the connectors of a shape read and write.
type plant interface {
	// feed has the source find the records from..to.
	feed(from, to int)
	// records returns the first n records.
	records(n int) []record
	// outlets are what the sinks write, in the order of their connectors.
	outlets() []outlet
}

// An outlet is what one sink writes.
type outlet interface {
	// more returns what was written since the last call, in its order.
	more() ([]delivery, error)
}

// names are what the definitions of a cell have of their own. None of them
// depends on the broker.
type names struct {
	base string // of connectors and topics
	mode string // consumer.mode
	rate int    // records a second of the source
}

// A connector is a definition as a user sends it.
type connector struct {
	name   string
	source bool
	config string // a JSON object
}

// topicPartitions is more than brokers give a topic by themselves, or less.
const topicPartitions = 4

// define returns a definition with the keys that all sources or sinks have.
func (n names) define(role string, source bool, config map[string]any) connector {
	if source {
		config["rate.records.per.second"] = n.rate
		config["inflight.max.records"] = 2000
		config["topic.creation.default.partitions"] = topicPartitions
	} else {
		config["topics"] = n.base
		config["consumer.mode"] = n.mode
	}
	text, err := json.Marshal(config)
	if err != nil {
		panic(err) // strings and numbers
	}
	return connector{name: n.base + "-" + role, source: source, config: string(text)}
}

// shapes are all of them.
var shapes = []shape{
	{
		name: "two-sinks",
		connectors: func(n names) []connector {
			return []connector{
				n.define("one", false, map[string]any{"connector.class": "file-sink", "file": "one.jsonl"}),
				n.define("two", false, map[string]any{"connector.class": "file-sink", "file": "two.jsonl"}),
				n.define("in", true, map[string]any{
					"connector.class": "file-source", "file": "in.jsonl", "format": "json", "key.field": "key", "follow": true, "topic": n.base,
				}),
			}
		},
		build: newFiles,
	},
	{
		name: "upsert",
		connectors: func(n names) []connector {
			return []connector{
				n.define("to", false, map[string]any{
					"connector.class": "sql-sink", "connection.url": "sqlite:to.db", "insert.mode": "upsert", "table.name.format": "copy",
				}),
				n.define("from", true, map[string]any{
					"connector.class": "sql-source", "connection.url": "sqlite:from.db", "table.whitelist": "rows", "topic": n.base,
					"mode": "timestamp+incrementing", "incrementing.column.name": "id", "timestamp.column.name": "changed",
					"poll.interval.ms": 100,
				}),
			}
		},
		build: newRows,
	},
	{
		name: "members",
		connectors: func(n names) []connector {
			return []connector{
				n.define("to", false, map[string]any{
					"connector.class": "sql-sink", "connection.url": "sqlite:copies.db", "table.name.format": "copy", "tasks.max": 3,
				}),
				n.define("from", true, map[string]any{
					"connector.class": "sql-source", "connection.url": "sqlite:events.db", "table.whitelist": "events", "topic": n.base,
					"mode": "incrementing", "incrementing.column.name": "number", "key.columns": "key",
					"poll.interval.ms": 100,
				}),
			}
		},
		build: newEvents,
	},
}

// keyOf returns the key of a record: some hundred share one.
func keyOf(number int) string { return fmt.Sprintf("key-%d", number*7919%199) }

// padOf makes records of different sizes.
func padOf(number int) string { return strings.Repeat("x", number%101) }

func TestNoDefinitionNamesABroker(t *testing.T) {
	t.Parallel()
	for _, s := range shapes {
		for _, c := range s.connectors(names{base: "cell", mode: "pull", rate: 1}) {
			var config map[string]any
			if err := json.Unmarshal([]byte(c.config), &config); err != nil {
				t.Fatal(err)
			}
			for key, value := range config {
				foreign := key == "broker" || slices.ContainsFunc(brokers, func(b broker) bool { return strings.Contains(fmt.Sprint(key, value), b.name) })
				if foreign {
					t.Errorf("%s of shape %s has %s=%v", c.name, s.name, key, value)
				}
			}
		}
	}
}
