package logsink_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/omconnect/omconnect/connect"
	_ "github.com/omconnect/omconnect/connect/log"
	"github.com/omconnect/omconnect/oms"
)

// put has a log-sink log messages, and returns the records.
func put(t *testing.T, config oms.KeyValue, msgs ...*oms.Message) []map[string]any {
	t.Helper()
	plugin, err := connect.DefaultPlugins.Lookup("log-sink")
	if err != nil {
		t.Fatal(err)
	}
	if err := plugin.Def.Validate(config); err != nil {
		t.Fatal(err)
	}
	config = plugin.Def.Complete(config)
	var log bytes.Buffer
	c, err := plugin.New(connect.Env{Connector: "test", Config: config, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	sink, ok := c.(connect.Sink)
	if !ok {
		t.Fatal("log-sink is not a sink")
	}
	if err := errors.Join(sink.OnStart(t.Context(), config), sink.Put(t.Context(), msgs), sink.OnStop(t.Context())); err != nil {
		t.Fatal(err)
	}
	var records []map[string]any
	for line := range strings.Lines(log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		delete(record, "time")
		records = append(records, record)
	}
	if len(records) != len(msgs) {
		t.Fatalf("%d records of %d messages:\n%s", len(records), len(msgs), &log)
	}
	return records
}

func TestEachMessageIsLogged(t *testing.T) {
	records := put(t, oms.KeyValue{},
		&oms.Message{Topic: "a", Key: []byte("k"), Body: []byte("hello"), Headers: oms.Headers{}.With("x", "1").With("x", "2")},
		&oms.Message{Topic: "b", Key: []byte{}, Body: []byte{}},
		&oms.Message{Topic: "c"})
	for i, want := range []map[string]any{
		{"level": "INFO", "msg": "message", "topic": "a", "key": "k", "body": "hello", "headers": 2.0},
		{"level": "INFO", "msg": "message", "topic": "b", "key": "", "body": "", "headers": 0.0},
		{"level": "INFO", "msg": "message", "topic": "c", "tombstone": true, "headers": 0.0},
	} {
		if len(records[i]) != len(want) {
			t.Errorf("record %v, want %v", records[i], want)
		}
		for key, value := range want {
			if records[i][key] != value {
				t.Errorf("record %v, want %v", records[i], want)
			}
		}
	}
}

func TestTombstonesAreHandled(t *testing.T) {
	plugin, err := connect.DefaultPlugins.Lookup("log-sink")
	if err != nil {
		t.Fatal(err)
	}
	c, err := plugin.New(connect.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if h, ok := c.(connect.TombstoneHandler); !ok || !h.HandlesTombstones() {
		t.Error("log-sink does not take tombstones")
	}
}

func TestUnprintableTextIsEscaped(t *testing.T) {
	for body, want := range map[string]string{
		"plain é 日本 😀 \"quoted\"":   "plain é 日本 😀 \"quoted\"",
		"a\nb\r\tc":                 `a\nb\r\tc`,
		"\x1b[31m\x00\x7f":          `\x1b[31m\x00\x7f`,
		"\xff\xc3(":                 `\xff\xc3(`,
		`back\slash \n`:             `back\\slash \\n`,
		"\u202e\u2028\u0085\ufffd ": `\u202e\u2028\u0085� `,
	} {
		record := put(t, oms.KeyValue{}, &oms.Message{Body: []byte(body), Key: []byte(body)})[0]
		if record["body"] != want || record["key"] != want {
			t.Errorf("%q is logged as %q and %q, want %q", body, record["body"], record["key"], want)
		}
	}
}

func TestLongBodiesAreCut(t *testing.T) {
	for _, tt := range []struct{ limit, body, want string }{
		{"5", "12345", "12345"},
		{"5", "123456", "12345… (1 bytes more)"},
		{"5", "1234é", "1234… (2 bytes more)"},
		{"6", "12😀45", "12😀… (2 bytes more)"},
		{"5", "12😀45", "12… (6 bytes more)"},
		{"2", "\xff\xff\xff", `\xff\xff… (1 bytes more)`},
		{"5", "\x80\x80\x80\x80\x80\x80", `\x80\x80\x80\x80\x80… (1 bytes more)`},
		{"0", "é", "… (2 bytes more)"},
		{"0", "", ""},
	} {
		record := put(t, oms.KeyValue{"body.max.bytes": tt.limit}, &oms.Message{Body: []byte(tt.body)})[0]
		if record["body"] != tt.want {
			t.Errorf("%q cut to %s is %q, want %q", tt.body, tt.limit, record["body"], tt.want)
		}
	}
	long := put(t, oms.KeyValue{}, &oms.Message{Body: bytes.Repeat([]byte("x"), 1000)})[0]
	if want := strings.Repeat("x", 256) + "… (744 bytes more)"; long["body"] != want {
		t.Errorf("by default %q", long["body"])
	}
}

func FuzzWhatIsLoggedIsPrintable(f *testing.F) {
	f.Add([]byte("a\nb\x1b\xff\\"), uint16(3))
	f.Add([]byte("日本"), uint16(4))
	f.Fuzz(func(t *testing.T, body []byte, limit uint16) {
		config := oms.KeyValue{"body.max.bytes": string(rune('0' + limit%10))}
		text, ok := put(t, config, &oms.Message{Key: body, Body: []byte{}})[0]["key"].(string)
		if body != nil && (!ok || !utf8.ValidString(text)) {
			t.Fatalf("%q is logged as %q", body, text)
		}
		for _, r := range text {
			if !unicode.IsPrint(r) {
				t.Errorf("%q is logged with %q", body, r)
			}
		}
	})
}
