package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestWhatCannotWorkIsRefusedAtCreation(t *testing.T) {
	source := func(config ...string) []string { return append([]string{"broker-source"}, config...) }
	sink := func(config ...string) []string { return append([]string{"broker-sink"}, config...) }
	for name, c := range map[string]struct {
		config []string
		code   oms.Code
		say    []string
	}{
		"no broker":              {source("source.topics=t"), oms.ErrInvalid, []string{"source.broker"}},
		"no topics":              {source("source.broker=b"), oms.ErrInvalid, []string{"source.topics: missing"}},
		"topics and a regex":     {source("source.broker=b", "source.topics=t", "source.topics.regex=u"), oms.ErrInvalid, []string{"source.topics.regex", "choose one"}},
		"no regex":               {source("source.broker=b", "source.topics.regex=("), oms.ErrInvalid, []string{"source.topics.regex", "missing closing )"}},
		"no such broker":         {source("source.broker=oms:nowhere://h/", "source.topics=t"), oms.ErrInvalid, []string{"source.broker", "nowhere"}},
		"a password":             {source("source.broker=oms:nowhere://u:swordfish@h/", "source.topics=t"), oms.ErrInvalid, []string{"source.broker"}},
		"a reserved topic":       {source("source.broker=b", "source.topics=t,__offsets"), oms.ErrInvalid, []string{"source.topics", "__offsets", "reserved"}},
		"a reserved target":      {source("source.broker=b", "source.topics=t", "topic=$SYS.${topic}"), oms.ErrInvalid, []string{"topic", "reserved"}},
		"no start":               {source("source.broker=b", "source.topics=t", "source.start=yesterday"), oms.ErrInvalid, []string{"source.start", "yesterday"}},
		"another mark":           {source("source.broker=b", "source.topics=t", "topic=${key}"), oms.ErrInvalid, []string{"topic", "${topic}"}},
		"another fidelity":       {source("source.broker=b", "source.topics=t", "fidelity=best"), oms.ErrInvalid, []string{"fidelity", "envelope"}},
		"itself":                 {source("source.broker=a", "source.topics=t"), oms.ErrInvalid, []string{"topic", "read what it writes"}},
		"itself by its name":     {source("source.broker=alias", "broker=b", "source.topics=t,u", "topic=u"), oms.ErrInvalid, []string{"topic", "read what it writes"}},
		"itself by a regex":      {source("source.broker=a", "source.topics.regex=.*", "topic=u"), oms.ErrInvalid, []string{"topic", "read what it writes"}},
		"no groups":              {source("source.broker=c", "source.topics=t"), oms.ErrUnsupported, []string{"groups", "source.broker"}},
		"no list of topics":      {source("source.broker=c", "source.topics.regex=t.*"), oms.ErrUnsupported, []string{"create-topic", "source.topics.regex"}},
		"no time":                {source("source.broker=c", "source.topics=t", "source.start=2024-05-01T12:00:00Z"), oms.ErrUnsupported, []string{"offset-for-time", "source.start"}},
		"no seek":                {source("source.broker=c", "source.topics=t", "consumer.offset.out.of.range=latest"), oms.ErrUnsupported, []string{"seek", "consumer.offset.out.of.range"}},
		"no target":              {sink("topics=t"), oms.ErrInvalid, []string{"sink.broker"}},
		"no such target":         {sink("topics=t", "sink.broker=x y"), oms.ErrInvalid, []string{"sink.broker"}},
		"a target to itself":     {sink("topics=t,u", "sink.broker=oms:a:///", "sink.topic=u"), oms.ErrInvalid, []string{"sink.topic", "read what it writes"}},
		"itself by topics.regex": {sink("topics.regex=t.*", "sink.broker=oms:a:///", "sink.topic=t2"), oms.ErrInvalid, []string{"sink.topic", "read what it writes"}},
		"to what it matches":     {sink("topics.regex=t.*", "sink.broker=a"), oms.ErrInvalid, []string{"sink.topic", "read what it writes"}},
		"a reserved sink":        {sink("topics=t", "sink.broker=b", "sink.topic=amq.topic"), oms.ErrInvalid, []string{"sink.topic", "reserved"}},
		"a topic with spaces":    {sink("topics=t", "sink.broker=b", "sink.topic=a b"), oms.ErrInvalid, []string{"sink.topic", "space"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.limits["c"] = []oms.Capability{oms.Groups, oms.CreateTopic, oms.OffsetForTime, oms.Seek}
				w.start()
				err := w.tryCreate("x", c.config[0], c.config[1:]...)
				if oms.CodeOf(err) != c.code {
					w.t.Fatalf("create: %v, want it to be %s", err, c.code)
				}
				for _, part := range c.say {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%q does not say %q", err, part)
					}
				}
				if strings.Contains(err.Error(), "swordfish") {
					t.Errorf("%q has the password", err)
				}
			})
		})
	}
}

func TestABridgeOnOneBrokerIsFineWhereItChangesTopics(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("copy", "broker-source", "source.broker=a", "source.topics=t", "topic=${topic}.copy")
		w.create("route", "broker-sink", "topics=t.copy", "sink.broker=a",
			"transforms=r", "transforms.r.type=RegexRouter", "transforms.r.regex=(.*).copy", "transforms.r.replacement=$1-routed")
		w.number("a", "t", 0, 10)
		w.has("a", "t-routed", 10)
		same(t, w.bodies("a", "t-routed"), numbers(10))
	})
}

func TestWhatThePairCannotCarryIsSaidAtCreation(t *testing.T) {
	inWorld(t, map[string]mem.Options{"c": {DurableAfter: 10 * time.Second, MaxBody: 1000}}, func(w *world) {
		w.limits["c"] = []oms.Capability{oms.Tombstones, oms.OrderPerKey, oms.CreateTopic}
		w.start()
		for _, fidelity := range []string{"native", "strict", "envelope"} {
			w.create(fidelity, "broker-sink", "topics=t", "sink.broker=c", "sink.topic="+fidelity, "fidelity="+fidelity)
		}
		for _, part := range []string{
			"a nil body: the body becomes an empty one", "a nil body: it fails the task",
		} {
			if n := w.log.count(part); n != 1 {
				t.Errorf("%q is said %d times, want once", part, n)
			}
		}
		for _, part := range []string{
			"does not keep the order of a key", "topics are not made at the target", "at most 1000 bytes", "durable within 10s", "inflight.max.records",
		} {
			if n := w.log.count(part); n != 3 {
				t.Errorf("%q is said %d times, want of each of three", part, n)
			}
		}
		if n := w.log.count("a record with a nil body"); n != 2 {
			t.Errorf("that a nil body is not carried is said %d times, want not for envelopes", n)
		}
		if w.log.count("headers") > 0 {
			t.Error("something is said of headers, which both brokers carry")
		}
	})
}
