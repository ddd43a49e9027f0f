package sql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// The keys that the source has, or both connectors.
const (
	keyURL          = "connection.url"
	keyTables       = "table.whitelist"
	keyQuery        = "query"
	keyMode         = "mode"
	keyIncrementing = "incrementing.column.name"
	keyTimestamp    = "timestamp.column.name"
	keyDelay        = "timestamp.delay.interval.ms"
	keyZone         = "db.timezone"
	keyPoll         = "poll.interval.ms"
	keyRows         = "batch.max.rows"
	keyTopic        = "topic"
	keyPrefix       = "topic.prefix"
	keyColumns      = "key.columns"
)

// The modes of the source.
const (
	modeBulk                  = "bulk"
	modeIncrementing          = "incrementing"
	modeTimestamp             = "timestamp"
	modeTimestampIncrementing = "timestamp+incrementing"
)

var sourceDef = connect.ConfigDef{
	Keys: []connect.Key{
		{Name: keyURL, Type: connect.URL, Required: true, Check: checkURL, Doc: "The database, such as sqlite:///path/x.db; it is only read."},
		{Name: keyTables, Type: connect.List, Doc: "The tables or views to read; either this or query."},
		{Name: keyQuery, Check: checkQuery, Doc: "One SELECT to read instead of tables."},
		{
			Name: keyMode, Default: modeBulk, Values: []string{modeBulk, modeIncrementing, modeTimestamp, modeTimestampIncrementing},
			Doc: "What is read: everything once (bulk), rows that are new by a growing column (incrementing), rows that are new or changed by a timestamp, or by both.",
		},
		{Name: keyIncrementing, Doc: "The column that grows with each new row, in a mode that has incrementing in its name."},
		{Name: keyTimestamp, Doc: "The column that gets the time of each change, in a mode that has timestamp in its name."},
		{
			Name: keyDelay, Type: connect.Millis, Default: "0", Max: int64(24 * time.Hour / time.Millisecond),
			Doc: "How long a row stays out after its timestamp, so that transactions committed late with earlier timestamps are not missed.",
		},
		{Name: keyZone, Default: "UTC", Check: checkZone, Doc: "The time zone of timestamps that do not tell theirs, such as Europe/Rome."},
		{
			Name: keyPoll, Type: connect.Millis, Default: "5000", Min: 1, Max: int64(24 * time.Hour / time.Millisecond),
			Doc: "How long to wait before looking again, once there is nothing new.",
		},
		{Name: keyRows, Type: connect.Int, Default: "500", Min: 1, Max: 100_000, Doc: "The most rows that are read at a time."},
		{Name: keyTopic, Doc: "The topic that all rows go to; either this or topic.prefix."},
		{Name: keyPrefix, Doc: "What stands before the name of the table in the topic that its rows go to; for a query, the whole topic."},
		{Name: keyColumns, Type: connect.List, Doc: "The columns that make the key of the message; by default the table's primary key, and none for a query."},
	},
	Check: checkSource,
}

func checkQuery(query string) error {
	_, err := oneStatement(query)
	return err
}

func checkZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || name == "" {
		return fmt.Errorf("%.40q is not a time zone that this machine knows, such as UTC or Europe/Rome", name)
	}
	return nil
}

// checkSource finds what is wrong between keys.
func checkSource(config oms.KeyValue) (problems oms.KeyErrors) {
	problem := func(key, format string, args ...any) {
		problems = append(problems, oms.KeyError{Key: key, Problem: fmt.Sprintf(format, args...)})
	}
	tables := oms.SplitList(config[keyTables])
	switch {
	case len(tables) > 0 && config[keyQuery] != "":
		problem(keyQuery, "a query cannot stand beside %s: choose one", keyTables)
	case len(tables) == 0 && config[keyQuery] == "":
		problem(keyTables, "missing: name the tables to read, or give a %s", keyQuery)
	}
	for i, name := range tables {
		if slices.ContainsFunc(tables[:i], func(other string) bool { return strings.EqualFold(other, name) }) {
			problem(keyTables, "%.100q stands there twice", name)
		}
	}
	switch {
	case config[keyTopic] != "" && config[keyPrefix] != "":
		problem(keyPrefix, "it cannot stand beside %s: choose one", keyTopic)
	case config[keyTopic] == "" && config[keyPrefix] == "":
		problem(keyTopic, "missing: name the topic, or give a %s", keyPrefix)
	}
	mode := config[keyMode]
	for _, c := range []struct{ key, part string }{{keyIncrementing, modeIncrementing}, {keyTimestamp, modeTimestamp}} {
		switch needed := strings.Contains(mode, c.part); {
		case needed && config[c.key] == "":
			problem(c.key, "missing: mode %s needs the column", mode)
		case !needed && config[c.key] != "":
			problem(c.key, "mode %s has no use for it: set mode to one with %s", mode, c.part)
		}
	}
	if config[keyDelay] != "0" && !strings.Contains(mode, modeTimestamp) {
		problem(keyDelay, "mode %s has no use for it: set mode to one with %s", mode, modeTimestamp)
	}
	return problems
}

// sourceConfig is the configuration of a source that has been checked.
type sourceConfig struct {
	url          string
	tables       []string
	query        string
	bulk         bool
	incrementing string
	timestamp    string
	delay        time.Duration
	zone         *time.Location
	poll         time.Duration
	rows         int
	topic        string
	prefix       string
	key          []string
}

func readSourceConfig(config oms.KeyValue) (sourceConfig, error) {
	if err := sourceDef.Validate(config); err != nil {
		return sourceConfig{}, err
	}
	r := sourceDef.Complete(config).Reader()
	c := sourceConfig{
		url:          r.String(keyURL),
		tables:       r.List(keyTables, nil),
		query:        r.String(keyQuery, ""),
		bulk:         r.String(keyMode, modeBulk) == modeBulk,
		incrementing: r.String(keyIncrementing, ""),
		timestamp:    r.String(keyTimestamp, ""),
		delay:        r.Millis(keyDelay, 0),
		poll:         r.Millis(keyPoll, 5*time.Second),
		rows:         r.Int(keyRows, 500),
		topic:        r.String(keyTopic, ""),
		prefix:       r.String(keyPrefix, ""),
		key:          r.List(keyColumns, nil),
	}
	var errZone, errQuery error
	c.zone, errZone = time.LoadLocation(r.String(keyZone, "UTC"))
	if c.query != "" {
		c.query, errQuery = oneStatement(c.query)
	}
	return c, errors.Join(r.Err(), errZone, errQuery)
}
