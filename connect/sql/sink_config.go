package sql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// The keys that only the sink has.
const (
	keyInsertMode = "insert.mode"
	keyPrimary    = "pk.fields"
	keyAutoCreate = "auto.create"
	keyDelete     = "delete.enabled"
	keyFormat     = "table.name.format"
)

const (
	modeInsert = "insert"
	modeUpsert = "upsert"
)

// topicMark stands for the topic in table.name.format.
const topicMark = "${topic}"

var sinkDef = connect.ConfigDef{
	Keys: []connect.Key{
		{Name: keyURL, Type: connect.URL, Required: true, Check: checkURL, Doc: "The database, such as sqlite:///path/x.db; a missing file is created if auto.create is true."},
		{
			Name: keyInsertMode, Default: modeInsert, Values: []string{modeInsert, modeUpsert},
			Doc: "Whether rows are added (insert) or replace those with the same key (upsert), which a repeated message leaves as they are.",
		},
		{Name: keyPrimary, Type: connect.List, Doc: "The columns that make the key of a row; by default those that the source says."},
		{Name: keyAutoCreate, Type: connect.Bool, Default: "false", Doc: "Whether a missing table is created, with the columns of the first row."},
		{Name: keyDelete, Type: connect.Bool, Default: "false", Doc: "Whether a message without a body deletes the row that its key names; needs insert.mode=upsert."},
		{Name: keyFormat, Default: topicMark, Check: checkFormat, Doc: "The name of the table, in which " + topicMark + " stands for the topic."},
	},
	Check: func(config oms.KeyValue) (problems oms.KeyErrors) {
		if strings.EqualFold(config[keyDelete], "true") && config[keyInsertMode] != modeUpsert {
			problems = append(problems, oms.KeyError{
				Key: keyDelete, Problem: fmt.Sprintf("it needs %s=%s, which keeps rows by their key", keyInsertMode, modeUpsert),
			})
		}
		return problems
	},
}

func checkFormat(format string) error {
	switch rest := strings.ReplaceAll(format, topicMark, ""); {
	case format == "":
		return errors.New("it names no table")
	case strings.Contains(rest, "${"):
		return fmt.Errorf("%.100q has a mark other than %s", format, topicMark)
	}
	return nil
}

// sinkConfig is the configuration of a sink that has been checked.
type sinkConfig struct {
	url     string
	upsert  bool
	primary []string
	create  bool
	deletes bool
	format  string
}

func readSinkConfig(config oms.KeyValue) (sinkConfig, error) {
	if err := sinkDef.Validate(config); err != nil {
		return sinkConfig{}, err
	}
	r := sinkDef.Complete(config).Reader()
	c := sinkConfig{
		url:     r.String(keyURL),
		upsert:  r.String(keyInsertMode, modeInsert) == modeUpsert,
		primary: r.List(keyPrimary, nil),
		create:  r.Bool(keyAutoCreate, false),
		deletes: r.Bool(keyDelete, false),
		format:  r.String(keyFormat, topicMark),
	}
	return c, r.Err()
}
