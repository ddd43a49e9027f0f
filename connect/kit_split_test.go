package connect_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// partsDef is what the parts of a division are checked against.
var partsDef = connect.ConfigDef{
	Keys: []connect.Key{
		{Name: "table", Required: true, Doc: "Table to read."},
		{Name: "limit", Type: connect.Int, Default: "7", Min: 1, Max: 10, Doc: "Most rows."},
		{Name: "password", Secret: true, Doc: "Password.", Check: func(v string) error {
			if v != "swordfish" {
				return errors.New(v + " is too weak")
			}
			return nil
		}},
	},
	Check: func(config oms.KeyValue) oms.KeyErrors {
		if config["table"] == "dual" && config["limit"] != "1" {
			return oms.KeyErrors{{Key: "limit", Problem: "dual has one row"}}
		}
		return nil
	},
}

// A splitStarter notes what its tasks are started with.
type splitStarter struct {
	badSplitter
	started func(oms.KeyValue)
}

func (s splitStarter) OnStart(_ context.Context, config oms.KeyValue) error {
	s.started(config)
	return nil
}

// divided runs a source that divides its work into the given parts.
func (w *world) divided(parts []oms.KeyValue) (started chan oms.KeyValue) {
	started = make(chan oms.KeyValue, len(parts))
	w.start()
	w.plugins.Register(connect.Plugin{
		Class: "parted-source", Kind: connect.KindSource, Def: partsDef,
		New: func(connect.Env) (connect.Connector, error) {
			return splitStarter{badSplitter{split: func(oms.KeyValue) []oms.KeyValue { return parts }}, func(c oms.KeyValue) { started <- c }}, nil
		},
	})
	w.create("in", "parted-source", "topic=t", "tasks.max=3", "table=orders", "password=swordfish")
	w.wait(5 * time.Second)
	return started
}

func TestPartsThatTheDefinitionRefusesAreTheConnectorsFault(t *testing.T) {
	for name, tc := range map[string]struct {
		part oms.KeyValue
		says []string
	}{
		"unknown key":        {oms.KeyValue{"table": "a", "tabel": "b"}, []string{"tabel: unknown key", "table"}},
		"runtime's key":      {oms.KeyValue{"table": "a", "tasks.max": "3"}, []string{"tasks.max: unknown key"}},
		"bad value":          {oms.KeyValue{"table": "a", "limit": "many"}, []string{"limit: "}},
		"out of range":       {oms.KeyValue{"table": "a", "limit": "11"}, []string{"limit: 11 is not between 1 and 10"}},
		"missing key":        {oms.KeyValue{"limit": "3"}, []string{"table: missing"}},
		"nil":                {nil, []string{"table: missing"}},
		"between keys":       {oms.KeyValue{"table": "dual"}, []string{"limit: dual has one row"}},
		"secret":             {oms.KeyValue{"table": "a", "password": "hunter22"}, []string{"password: xxxxx is too weak"}},
		"everything at once": {oms.KeyValue{"tabel": "a", "limit": "0"}, []string{"limit: ", "tabel: unknown key", "table: missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				started := w.divided([]oms.KeyValue{{"table": "a"}, tc.part})
				w.wantState("in", connect.Failed) // at once: trying again gives the same
				s := w.status("in")
				for _, want := range append(tc.says, "a mistake of class parted-source", "task 1 of 2") {
					if !strings.Contains(s.Cause, want) {
						t.Errorf("cause = %q, want it to say %q", s.Cause, want)
					}
				}
				if strings.Contains(s.Cause+s.Trace, "hunter22") {
					t.Errorf("cause = %q: it has the secret", s.Cause)
				}
				if len(started) > 0 || s.Attempts != 1 {
					t.Errorf("%d tasks were started, %d attempts; want none and one", len(started), s.Attempts)
				}
				w.do(w.catalog.Delete, "in")
				w.wait(5 * time.Second)
				if _, err := w.catalog.Get(w.t.Context(), "in"); !errors.Is(err, oms.ErrNotFound) {
					t.Errorf("deleted, Get returns %v", err)
				}
			})
		})
	}
}

func TestPartsAreCompletedWithTheirDefaults(t *testing.T) {
	inWorld(t, func(w *world) {
		started := w.divided([]oms.KeyValue{{"table": "a"}, {"table": "b", "limit": "2"}, {"table": "dual", "limit": "1"}})
		w.wantState("in", connect.Running)
		limits := make(map[string]string)
		for range 3 {
			c := <-started
			limits[c["table"]] = c["limit"]
		}
		for table, want := range map[string]string{"a": "7", "b": "2", "dual": "1"} {
			if limits[table] != want {
				t.Errorf("the task of table %s was started with limit %q, want %s", table, limits[table], want)
			}
		}
	})
}
