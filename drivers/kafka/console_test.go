package kafka_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// The tests in this file send and receive with the programs that Kafka itself
// comes with.

// console runs one of them with what it reads, and returns what it writes.
func (b *broker) console(t *testing.T, input, class string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd, err := servers.KafkaTool(ctx, class, append([]string{"--bootstrap-server", b.AddrOf(servers.Plain)}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	cmd.Stdin, cmd.Stderr = strings.NewReader(input), &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v; it says:\n%s", class, err, told.String())
	}
	return string(out)
}

func property(pairs ...string) (args []string) {
	for _, p := range pairs {
		args = append(args, "--property", p)
	}
	return args
}

func TestWhatTheConsoleProducerSendsIsReceived(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	topic := b.topic(t, 1)
	b.console(t, "name:one,name:two\tkey\tbody\n-\t-\tbody only\n-\tkey\t-\noms-h-oms-id:x,traceparent:tp\tkey\tbody\n",
		"org.apache.kafka.tools.ConsoleProducer", append(property("parse.headers=true", "parse.key=true", "null.marker=-"), "--topic", topic)...)
	want := []*oms.Message{
		{Key: []byte("key"), Body: []byte("body"), Headers: oms.Headers{{Name: "name", Value: []byte("one")}, {Name: "name", Value: []byte("two")}}},
		{Body: []byte("body only")},
		{Key: []byte("key")},
		{Key: []byte("key"), Body: []byte("body"), TraceParent: "tp", Headers: oms.Headers{{Name: "oms-id", Value: []byte("x")}}},
	}
	got := b.all(t, topic, len(want))
	for _, m := range got {
		if since := time.Since(m.BornAt); since < 0 || since > time.Hour {
			t.Errorf("the message is born at %v, want the record's timestamp", m.BornAt)
		}
		m.BornAt = time.Time{}
	}
	if diff := cmp.Diff(want, got, onlyContents); diff != "" {
		t.Errorf("the messages (-want +got):\n%s", diff)
	}
}

func TestWhatIsSentIsReadByTheConsoleConsumer(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	topic := b.topic(t, 1)
	before := time.Now().UnixMilli()
	msgs := []*oms.Message{
		{Topic: topic, ID: "id 1", Key: []byte("key"), Body: []byte("body"), Headers: oms.Headers{{Name: "name", Value: []byte("one")}, {Name: "name", Value: []byte("two")}, {Name: "null"}}},
		{Topic: topic, Key: []byte("key")},
		{Topic: topic, Body: []byte("body only"), Headers: oms.Headers{{Name: "oms-id", Value: []byte("x")}}},
	}
	if err := outcome(t, sender(t, openAt(t, b.point(""))), msgs...); err != nil {
		t.Fatal(err)
	}
	out := b.console(t, "", "org.apache.kafka.tools.consumer.ConsoleConsumer",
		append(property("print.timestamp=true", "print.headers=true", "print.key=true", "null.literal=-"),
			"--topic", topic, "--from-beginning", "--max-messages", strconv.Itoa(len(msgs)))...)
	var got []string
	for line := range strings.Lines(out) {
		stamp, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		at, err := strconv.ParseInt(strings.TrimPrefix(stamp, "CreateTime:"), 10, 64)
		if err != nil || at < before {
			t.Errorf("the timestamp is %q, want when it was sent, after %d", stamp, before)
		}
		got = append(got, rest)
	}
	want := []string{"name:one,name:two,null:-,oms-id:id 1\tkey\tbody", "NO_HEADERS\tkey\t-", "oms-h-oms-id:x\t-\tbody only"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the consumer prints (-want +got):\n%s", diff)
	}
}

func TestKeysLandWhereJavaPutsThem(t *testing.T) {
	t.Parallel()
	const partitions, n = 7, 300
	b := realBroker(t)
	topic := b.topic(t, partitions)
	var lines strings.Builder
	var msgs []*oms.Message
	for i := range n {
		key := fmt.Sprintf("%s %d é", strings.Repeat("k", i%20), i)
		fmt.Fprintf(&lines, "%s\tjava\n", key)
		msgs = append(msgs, &oms.Message{Topic: topic, Key: []byte(key), Body: []byte("oms")})
	}
	b.console(t, lines.String(), "org.apache.kafka.tools.ConsoleProducer", append(property("parse.key=true"), "--topic", topic)...)
	if err := outcome(t, sender(t, openAt(t, b.point(""))), msgs...); err != nil {
		t.Fatal(err)
	}
	where := make(map[string]map[string]int)
	for _, m := range b.all(t, topic, 2*n) {
		key := string(m.Key)
		if where[key] == nil {
			where[key] = make(map[string]int)
		}
		where[key][string(m.Body)] = m.Partition
	}
	used := make(map[int]bool)
	for key, at := range where {
		if len(at) != 2 || at["java"] != at["oms"] {
			t.Errorf("key %q stands in %v", key, at)
		}
		used[at["java"]] = true
	}
	if len(where) != n || len(used) != partitions {
		t.Errorf("%d keys in %d partitions came, want %d in %d", len(where), len(used), n, partitions)
	}
}
