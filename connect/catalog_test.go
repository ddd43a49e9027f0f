package connect_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestValidationTellsEveryProblemAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		err := w.catalog.Validate(connect.Request{Name: "a/b", Config: settings("test-source",
			"topic=", "last=many", "batch=0", "tasks.max=1000", "colour=red", "restart.backoff.ms=soon", "broker=oms:carrier-pigeon:///",
			"transforms=x", "transforms.x.type=Y", "errors.tolerance=all", "errors.deadletterqueue.topic.name=dlq",
			"producer.override.acks=1", "exactly.once.support=required", "value.converter=io.confluent.connect.avro.AvroConverter",
			"key.converter=org.apache.kafka.connect.storage.StringConverter", "config.action.reload=none")})
		var problems oms.KeyErrors
		if !errors.As(err, &problems) || !errors.Is(err, oms.ErrInvalid) {
			t.Fatalf("Validate = %v, want KeyErrors", err)
		}
		for key, want := range map[string]string{
			"name": "slash", "topic": "empty", "last": "whole number", "batch": "between 1 and", "tasks.max": "between 1 and 64",
			"colour": "unknown key", "restart.backoff.ms": "milliseconds", "broker": "carrier-pigeon",
			"transforms.x.type": "no transform \"Y\"", "errors.tolerance": "not one of none", "errors.deadletterqueue.topic.name": "dead-letter",
			"producer.override.acks": "access point", "exactly.once.support": "at least once", "value.converter": "no converter",
		} {
			var found []string
			for _, p := range problems {
				if p.Key == key {
					found = append(found, p.Problem)
				}
			}
			if len(found) != 1 || !strings.Contains(found[0], want) {
				t.Errorf("%s: %q, want one problem with %q", key, found, want)
			}
		}
		if len(problems) != 14 {
			t.Errorf("%d problems, want 14: %v", len(problems), err)
		}
	})
}

func TestForeignKeysThatMeanNothingHereAreIgnored(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "last=5", "tasks.max.enforce=true", "config.action.reload=restart", "errors.log.enable=true",
			"key.converter=org.apache.kafka.connect.storage.StringConverter", "key.converter.schemas.enable=false",
			"value.converter=org.apache.kafka.connect.converters.ByteArrayConverter", "header.converter=org.apache.kafka.connect.storage.SimpleHeaderConverter")
		w.wait(time.Minute)
		w.wantState("in", connect.Finished)
		info, err := w.catalog.Get(w.t.Context(), "in")
		if err != nil || info.Config["tasks.max.enforce"] != "true" || info.Config["name"] != "in" {
			t.Errorf("Get = %+v, %v; want the configuration as sent, and the name", info, err)
		}
	})
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"orders": "", "Ünïcode-1.2_3": "", strings.Repeat("n", 200): "",
		"": "needs a name", "a/b": "slash", "a\nb": "control", "a b": "space", "\xff": "UTF-8",
		strings.Repeat("n", 300): "300 bytes", "..": "folder", ".": "folder",
	} {
		err := connect.ValidName(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("ValidName(%.20q) = %v, want %q", name, err, want)
		}
	}
}

func TestMissingCapabilityIsNamedWithTheKeyThatAsksForIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.wrap = (&spy{without: oms.Transactions}).wrap
		w.start()
		w.plugins.Register(connect.Plugin{
			Class: "needy-source", Kind: connect.KindSource, New: func(connect.Env) (connect.Connector, error) { return connect.Hooks{}, nil },
			Def: connect.ConfigDef{Keys: []connect.Key{{Name: "exact", Type: connect.Bool, Default: "true", Doc: "All or none."}}},
			Needs: func(config oms.KeyValue) []oms.Need {
				if config["exact"] != "true" {
					return nil
				}
				return []oms.Need{{Capability: oms.Transactions, Key: "exact"}, {Capability: oms.Priority}, {Capability: oms.MessageKey}}
			},
		})
		err := w.tryCreate("in", "needy-source", "topic=t")
		if !errors.Is(err, oms.ErrUnsupported) {
			t.Fatalf("create = %v, want ErrUnsupported", err)
		}
		for _, want := range []string{"transactions", "asked for by exact", "priority"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error %q does not name %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "capability key") {
			t.Errorf("the error %q names a capability that is there", err)
		}
		if err := w.tryCreate("in", "needy-source", "topic=t", "exact=false"); err != nil {
			t.Errorf("create without the need: %v", err)
		}
		w.do(w.catalog.Delete, "in")
		w.wait(time.Minute)
	})
}

func TestCommandsToConnectorsThatAreNotThereAreNotFound(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("there", "test-source")
		if err := w.tryCreate("there", "test-source"); !errors.Is(err, oms.ErrExists) || !strings.Contains(err.Error(), "connector there already exists") {
			t.Errorf("create again = %v, want already exists", err)
		}
		for name, call := range map[string]func(context.Context, string) error{
			"Pause": w.catalog.Pause, "Resume": w.catalog.Resume, "Stop": w.catalog.Stop, "Restart": w.catalog.Restart, "Delete": w.catalog.Delete,
		} {
			if err := call(w.t.Context(), "gone"); !errors.Is(err, oms.ErrNotFound) || !strings.Contains(err.Error(), "connector gone not found") {
				t.Errorf("%s = %v, want not found", name, err)
			}
		}
	})
}

func TestCommandsAtTheSameTimeAreAllCarriedOut(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "every.ms=10")
		w.wait(time.Second)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := w.catalog.Restart(w.t.Context(), "in"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		defs, err := w.store.List(w.t.Context())
		if err != nil || defs[0].Restarts != 10 {
			t.Errorf("%d of 10 restarts were counted, %v", defs[0].Restarts, err)
		}
		w.wait(time.Minute)
		w.wantState("in", connect.Running)
	})
}

func TestSecretsStandInNoError(t *testing.T) {
	def := connect.ConfigDef{Keys: []connect.Key{
		{Name: "pin", Type: connect.Int, Secret: true, Doc: "A secret number.", Max: 10},
		{Name: "color", Secret: true, Doc: "A secret choice.", Values: []string{"red"}},
		{Name: "token", Secret: true, Doc: "Checked.", Check: func(v string) error { return fmt.Errorf("%q is not good, nor is %s", v, v) }},
	}}
	inWorld(t, func(w *world) {
		w.start()
		w.plugins.Register(connect.Plugin{
			Class: "secret-source", Kind: connect.KindSource, Def: def, New: func(connect.Env) (connect.Connector, error) { return connect.Hooks{}, nil },
		})
		const secret = `hunter2"\'`
		for _, config := range [][]string{
			{"pin=" + secret},
			{"color=" + secret},
			{"token=" + secret},
			{"pin=31337"},
			{"broker=oms:mem://user:" + secret + "@"},
			{"broker=user:" + secret},
			{"broker=oms:rabbit://user:hunter2@host/"},
		} {
			err := w.tryCreate("in", "secret-source", append(config, "topic=t")...)
			if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "31337") {
				t.Errorf("%.12s: error %v; want one without the secret", config[0], err)
			}
		}
	})
}

func TestConnectorIsFoundByItsOwnAccessPoint(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("in", "test-source", "last=5", "broker=oms:mem:///")
		w.create("out", "test-sink")
		w.wait(time.Minute)
		if got := len(w.sink.bodies()); got != 5 {
			t.Errorf("%d records came through the broker, want 5", got)
		}
		for name, want := range map[string]bool{"": true, "mem": true, "nowhere": false} {
			client, err := w.source.env(0).Broker(w.t.Context(), name)
			if (err == nil) != want || want && client.Check(w.t.Context()) != nil {
				t.Errorf("Env.Broker(%q) = %v, want it to work: %v", name, err, want)
			}
		}
		_, err := w.catalog.Create(w.t.Context(), connect.Request{Name: "late", Target: offsets.TargetStopped, Config: settings("test-source", "name=other")})
		if err == nil || !strings.Contains(err.Error(), "doesn't match") {
			t.Errorf("two names for one connector: %v", err)
		}
	})
}
