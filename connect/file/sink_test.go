package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A writer drives a file-sink.
type writer struct {
	t testing.TB
	connect.Sink
	log *logBuffer
}

// start starts a file-sink.
func start(tb testing.TB, config oms.KeyValue) *writer {
	tb.Helper()
	c, config, log := instance(tb, "file-sink", config)
	sink, ok := c.(connect.Sink)
	if !ok {
		tb.Fatal("file-sink is not a sink")
	}
	if err := sink.OnStart(tb.Context(), config); err != nil {
		tb.Fatal(err)
	}
	w := &writer{t: tb, Sink: sink, log: log}
	tb.Cleanup(w.stop)
	return w
}

func (w *writer) stop() {
	if err := w.OnStop(w.t.Context()); err != nil {
		w.t.Error(err)
	}
}

func (w *writer) put(texts ...string) {
	w.t.Helper()
	if err := w.Put(w.t.Context(), messages(texts...)); err != nil {
		w.t.Fatal(err)
	}
}

func messages(texts ...string) []*oms.Message {
	msgs := make([]*oms.Message, len(texts))
	for i, text := range texts {
		msgs[i] = &oms.Message{Topic: "topic", Body: []byte(text)}
	}
	return msgs
}

func wantContent(tb testing.TB, path, want string) {
	tb.Helper()
	if got := content(tb, path); got != want {
		tb.Errorf("the file has %q, want %q", got, want)
	}
}

func TestBatchesAreAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	for _, fsync := range []string{"true", "false"} {
		w := start(t, oms.KeyValue{"file": path, "fsync": fsync})
		w.put("a", "", "c\r")
		w.put()
		w.put("d")
		w.stop()
	}
	wantContent(t, path, "a\n\nc\r\nd\na\n\nc\r\nd\n")
}

func TestWhatTheSinkWritesTheSourceReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	w := start(t, oms.KeyValue{"file": path})
	want := []string{"", "\r", "a\r", "\x00\xff", "\xef\xbb\xbf", strings.Repeat("x", 700_000), " b "}
	w.put(want...)
	wantBodies(t, read(t, oms.KeyValue{"file": path}, "").all(), want...)
}

func TestJSONIsWrittenOnOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	w := start(t, oms.KeyValue{"file": path, "format": "json"})
	w.put("{\n  \"a\": 9007199254740993.10,\r\n\t\"b\": \"x y<\u2028\"\n}", " 1 ")
	wantContent(t, path, "{\"a\":9007199254740993.10,\"b\":\"x y<\u2028\"}\n1\n")
}

func TestRefusedBodiesAreNamedAndTheOnesBeforeAreSafe(t *testing.T) {
	for _, tt := range []struct{ format, bad, hint string }{
		{"lines", "1\n2", "line break at byte 1"},
		{"lines", "1\n", "format to json"},
		{"json", "{", "not JSON"},
		{"json", "", "not JSON"},
		{"json", "1 2", "not JSON"},
	} {
		t.Run(tt.format+" "+tt.bad, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.txt")
			w := start(t, oms.KeyValue{"file": path, "format": tt.format})
			err := w.Put(t.Context(), messages("1", "2", tt.bad, "4", tt.bad))
			wantError(t, err, oms.ErrFormat, tt.hint)
			partial, ok := errors.AsType[*connect.PartialError](err)
			if !ok || partial.Index != 2 || len(partial.Also) != 1 || partial.Also[4] == nil {
				t.Errorf("error %#v does not name 2 and 4", err)
			}
			wantContent(t, path, "1\n2\n")
			w.put("4")
			wantContent(t, path, "1\n2\n4\n")
			err = w.Put(t.Context(), messages(tt.bad))
			wantError(t, err, oms.ErrFormat)
			wantContent(t, path, "1\n2\n4\n")
		})
	}
}

func TestTombstonesAreNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	w := start(t, oms.KeyValue{"file": path})
	if _, ok := w.Sink.(connect.TombstoneHandler); ok {
		t.Error("file-sink says that it handles tombstones")
	}
	wantError(t, w.Put(t.Context(), []*oms.Message{{Topic: "topic"}}), oms.ErrUnsupported, "tombstone")
	wantContent(t, path, "")
}

func TestTwoSinksOnOneFileAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	link := path + ".link"
	w := start(t, oms.KeyValue{"file": path})
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		c, config, _ := instance(t, "file-sink", oms.KeyValue{"file": name})
		err := c.OnStart(t.Context(), config)
		wantError(t, err, oms.ErrBusy, "key file", name, "another sink writes it")
		if err := c.OnStop(t.Context()); err != nil {
			t.Error(err)
		}
		// Deleting the second leaves the first one's note alone.
		if err := c.OnDestroyed(t.Context()); err != nil {
			t.Error(err)
		}
	}
	content(t, path+".omc")
	w.put("a")
	w.stop()
	start(t, oms.KeyValue{"file": path}).put("b")
	wantContent(t, path, "a\nb\n")
}

func TestSinkPathThatCannotBeWrittenIsClear(t *testing.T) {
	folder := t.TempDir()
	plain := file(t, "x\n")
	for _, tt := range []struct {
		name, path string
		code       oms.Code
		texts      []string
	}{
		{"folder", folder, oms.ErrInvalid, []string{"it is a folder"}},
		{"no folder", filepath.Join(folder, "none", "out.txt"), oms.ErrNotFound, []string{"the folder " + filepath.Join(folder, "none"), "make it"}},
		{"below a file", filepath.Join(plain, "out.txt"), oms.ErrInvalid, []string{"correct the path"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, config, _ := instance(t, "file-sink", oms.KeyValue{"file": tt.path})
			wantError(t, c.OnStart(t.Context(), config), tt.code, append(tt.texts, "key file", tt.path)...)
		})
	}
}

func TestFileThatWasMovedAwayIsBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	w := start(t, oms.KeyValue{"file": path})
	w.put("a")
	rename(t, path, path+".1")
	w.put("b")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.put("c")
	wantContent(t, path+".1", "a\n")
	wantContent(t, path, "c\n")
	if n := strings.Count(w.log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d warnings: %s", n, w.log)
	}
}

func TestFailureToOpenAgainIsReportedUntilItIsMended(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "out.txt")
	w := start(t, oms.KeyValue{"file": path})
	rename(t, folder, folder+".away")
	for range 2 {
		wantError(t, w.Put(t.Context(), messages("a")), oms.ErrNotFound, folder)
	}
	rename(t, folder+".away", folder)
	w.put("a")
	wantContent(t, path, "a\n")
}

func TestDeletingTheConnectorLeavesTheWholeFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	w := start(t, oms.KeyValue{"file": path})
	w.put("a")
	crash(t, w, path)
	appendTo(t, path, "b\ntor")
	for range 2 { // the second time there is nothing left to do
		c, _, _ := instance(t, "file-sink", oms.KeyValue{"file": path})
		if err := c.OnDestroyed(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, "a\nb\n")
		if _, err := os.Stat(path + ".omc"); !os.IsNotExist(err) {
			t.Errorf("the note is still there: %v", err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
