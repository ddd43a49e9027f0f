package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/connect"
	_ "github.com/omconnect/omconnect/connect/file"
	"github.com/omconnect/omconnect/oms"
)

// A logBuffer is what a connector has logged.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// instance makes a connector as the runtime does: its configuration has been
// checked and completed.
func instance(tb testing.TB, class string, config oms.KeyValue) (connect.Connector, oms.KeyValue, *logBuffer) {
	tb.Helper()
	plugin, err := connect.DefaultPlugins.Lookup(class)
	if err != nil {
		tb.Fatal(err)
	}
	if err := plugin.Def.Validate(config); err != nil {
		tb.Fatal(err)
	}
	config = plugin.Def.Complete(config)
	log := new(logBuffer)
	c, err := plugin.New(connect.Env{
		Connector: "test", Tasks: 1, Config: config, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c, config, log
}

// A reader drives a file-source.
type reader struct {
	t testing.TB
	connect.Source
	log *logBuffer
}

// read starts a file-source at the stored position; "" is a first start.
func read(tb testing.TB, config oms.KeyValue, stored string) *reader {
	tb.Helper()
	c, config, log := instance(tb, "file-source", config)
	src, ok := c.(connect.Source)
	if !ok {
		tb.Fatal("file-source is not a source")
	}
	if err := src.OnStart(tb.Context(), config); err != nil {
		tb.Fatal(err)
	}
	r := &reader{t: tb, Source: src, log: log}
	tb.Cleanup(func() { r.stop() })
	if stored != "" {
		if err := r.seek(partition(tb, config["file"]), stored); err != nil {
			tb.Fatal(err)
		}
	}
	return r
}

func partition(tb testing.TB, path string) string {
	tb.Helper()
	o, err := oms.NewOrigin(map[string]string{"file": path}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return o.Partition
}

func (r *reader) seek(partition, stored string) error {
	positioned, ok := r.Source.(connect.Positioned)
	if !ok {
		r.t.Fatal("file-source is not Positioned")
	}
	return positioned.Seek(context.Background(), []oms.Origin{{Partition: partition, Position: stored}})
}

func (r *reader) stop() {
	if err := r.OnStop(context.Background()); err != nil {
		r.t.Error(err)
	}
}

// all polls to the end of the file.
func (r *reader) all() []*oms.Message {
	r.t.Helper()
	msgs, err := r.untilError()
	if !errors.Is(err, io.EOF) {
		r.t.Fatalf("after %d messages: %v, want io.EOF", len(msgs), err)
	}
	return msgs
}

// untilError polls until there is an error, io.EOF included.
func (r *reader) untilError() (all []*oms.Message, err error) {
	r.t.Helper()
	for range 1_000_000 {
		msgs, err := r.Poll(context.Background())
		all = append(all, msgs...)
		if err != nil {
			return all, err
		}
	}
	r.t.Fatal("there is no end of polling")
	return nil, nil
}

// next polls until n messages have come, for some ten seconds of a bubble.
func (r *reader) next(n int) []*oms.Message {
	r.t.Helper()
	var all []*oms.Message
	for range 100 {
		msgs, err := r.Poll(context.Background())
		if err != nil {
			r.t.Fatal(err)
		}
		if all = append(all, msgs...); len(all) >= n {
			break
		}
	}
	if len(all) != n {
		r.t.Fatalf("got %d messages %q, want %d; log:\n%s", len(all), bodies(all), n, r.log)
	}
	return all
}

// nothing polls a few times and wants no message.
func (r *reader) nothing() {
	r.t.Helper()
	for range 15 {
		if msgs, err := r.Poll(context.Background()); len(msgs) > 0 || err != nil {
			r.t.Fatalf("got %q, %v, want nothing", bodies(msgs), err)
		}
	}
}

func (r *reader) logged(text string) {
	r.t.Helper()
	if !strings.Contains(r.log.String(), text) {
		r.t.Errorf("the log does not have %q:\n%s", text, r.log)
	}
}

func bodies(msgs []*oms.Message) []string {
	texts := make([]string, len(msgs))
	for i, m := range msgs {
		texts[i] = string(m.Body)
	}
	return texts
}

func wantBodies(tb testing.TB, msgs []*oms.Message, want ...string) {
	tb.Helper()
	if got := bodies(msgs); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		tb.Errorf("bodies\n%q, want\n%q", got, want)
	}
}

func wantError(tb testing.TB, err error, code oms.Code, texts ...string) {
	tb.Helper()
	if err == nil || oms.CodeOf(err) != code {
		tb.Fatalf("error %v, want code %q", err, code)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			tb.Errorf("error %q does not have %q", err, text)
		}
	}
}

func last(msgs []*oms.Message) string { return msgs[len(msgs)-1].Origin.Position }

// file writes a file of that content and returns its path.
func file(tb testing.TB, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "input.txt")
	write(tb, path, content)
	return path
}

func write(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func appendTo(tb testing.TB, path, content string) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		tb.Fatal(err)
	}
}

func rename(tb testing.TB, from, to string) {
	tb.Helper()
	if err := os.Rename(from, to); err != nil {
		tb.Fatal(err)
	}
}

func content(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// done returns a context that is done, so that a Poll does not wait.
func done(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	return ctx
}
