package omconnect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// feed runs the program with something on stdin.
func feed(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, errs := newBuffer(), newBuffer()
	code = Run(t.Context(), args, strings.NewReader(stdin), out, errs)
	return code, out.String(), errs.String()
}

// must is feed for what has to succeed.
func must(t *testing.T, stdin string, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := feed(t, stdin, args...)
	if code != exitGood {
		t.Fatalf("%q: exit %d: %s", args, code, stderr)
	}
	return stdout, stderr
}

// brokerFolder returns a data folder in which an embedded broker can run.
func brokerFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "broker"), folderMode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLinesAreSentAndReceived(t *testing.T) {
	dir := brokerFolder(t)
	_, stderr := must(t, "one\ntwo\r\n\nlast", "send", "--data", dir, "-t", "t")
	if want := "made the topic t\nsent 4 messages to t\n"; stderr != want {
		t.Errorf("send said %q, want %q", stderr, want)
	}
	stdout, stderr := must(t, "", "receive", "--data", dir, "-t", "t", "--until-end")
	if want := "one\ntwo\r\n\nlast\n"; stdout != want || stderr != "" {
		t.Errorf("received %q, want %q; stderr %q", stdout, want, stderr)
	}
	// Nobody's position moved: it was a group of the command's own.
	stdout, _ = must(t, "", "receive", "--data", dir, "-t", "t", "-n", "2")
	if stdout != "one\ntwo\r\n" {
		t.Errorf("received %q", stdout)
	}
}

func TestAGroupGoesOnWhereItWas(t *testing.T) {
	dir := brokerFolder(t)
	must(t, "1\n2\n3\n", "send", "--data", dir, "-t", "t")
	for _, want := range []string{"1\n2\n", "3\n", ""} {
		args := []string{"receive", "--data", dir, "-t", "t", "-g", "g", "--until-end"}
		if len(want) > 2 {
			args = append(args, "-n", "2")
		}
		if stdout, _ := must(t, "", args...); stdout != want {
			t.Errorf("received %q, want %q", stdout, want)
		}
	}
}

func TestARunningGatewaysBrokerIsReached(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	config := write(t, "gateway.yaml", fmt.Sprintf(
		"connectors:\n  load:\n    connector.class: file-sink\n    topics: t\n    file: %s\n", out))
	p := begin(t, "run", "-c", config, "--data", dir, "--listen", "127.0.0.1:0")
	p.url()
	p.await("gateway started")
	must(t, "a\nb\n", "send", "--data", dir, "-t", "t")
	stdout, _ := must(t, "", "receive", "-c", config, "--data", dir, "-t", "t", "-n", "2")
	if stdout != "a\nb\n" {
		t.Errorf("received %q", stdout)
	}
	eventually(t, "the sink to have both", func() bool {
		text, err := os.ReadFile(out)
		return err == nil && string(text) == "a\nb\n"
	})
}

func TestRecordsKeepEverything(t *testing.T) {
	dir := brokerFolder(t)
	in := `{"id":"x","key":"","body":"<&>\n","headers":[{"name":"h","value":"1"},{"name":"h","value":{"base64":"/w=="}},{"name":"e","value":""}],` +
		`"born_at":"2026-02-28T12:00:00.25Z","correlation_id":"c","trace_parent":"p","trace_state":"s"}` + "\n" +
		`{"key":{"base64":"AP8="},"body":{"base64":"gA=="}}` + "\n" +
		`{"key":"k","body":null}` + "\n" + `{"body":""}` + "\n"
	must(t, in, "send", "--data", dir, "-t", "a", "--format", "json")
	first, _ := must(t, "", "receive", "--data", dir, "-t", "a", "--until-end", "--format", "json")
	must(t, first, "send", "--data", dir, "-t", "b", "--format", "json")
	second, _ := must(t, "", "receive", "--data", dir, "-t", "b", "--until-end", "--format", "json")
	if diff := cmp.Diff(strings.ReplaceAll(first, `"topic":"a"`, `"topic":"b"`), second); diff != "" {
		t.Errorf("what was received changes when it is sent again (-first +second):\n%s", diff)
	}
	var got []record
	for line := range strings.Lines(first) {
		r, err := parseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		r.Topic, r.Partition, r.Offset, r.Deliveries = "", nil, nil, 0
		got = append(got, r)
	}
	var want []record
	for i, line := range strings.Split(strings.TrimSpace(in), "\n") {
		r, err := parseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			r.ID, r.BornAt = got[i].ID, got[i].BornAt
		}
		want = append(want, r)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-sent +received):\n%s", diff)
	}
	stdout, stderr := must(t, "", "receive", "--data", dir, "-t", "a", "--until-end")
	if stdout != "<&>\n\n\x80\n\n\n" || !strings.Contains(stderr, "1 message had line breaks") || !strings.Contains(stderr, "1 message had no body") {
		t.Errorf("as lines: %q, stderr %q", stdout, stderr)
	}
}

func TestKeysAndHeadersOfLines(t *testing.T) {
	dir := brokerFolder(t)
	must(t, "a:1\n:2\n", "send", "--data", dir, "-t", "t", "--key-separator", ":", "-H", "x=1,2", "-H", "y=")
	must(t, "3\n", "send", "--data", dir, "-t", "t", "--key", "k")
	stdout, _ := must(t, "", "receive", "--data", dir, "-t", "t", "--until-end", "--format", "json")
	var got []string
	for line := range strings.Lines(stdout) {
		r, err := parseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%q %s %v", r.Key, r.Body, len(r.Headers)))
	}
	if diff := cmp.Diff([]string{`"a" 1 2`, `"" 2 2`, `"k" 3 0`}, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(stdout, `"headers":[{"name":"x","value":"1,2"},{"name":"y","value":""}]`) {
		t.Errorf("the headers are not there: %s", stdout)
	}
}

func TestWhatCannotBeSentIsNamedByItsLine(t *testing.T) {
	dir := brokerFolder(t)
	for _, tt := range []struct {
		in    string
		args  []string
		texts []string
	}{
		{"a:1\nb\n", []string{"--key-separator", ":"}, []string{"stdin line 2", `no ":" behind a key`}},
		{`{"body":"x"}` + "\n{\n", []string{"--format", "json"}, []string{"stdin line 2", "not a record"}},
		{`{"key":"x"}` + "\n", []string{"--format", "json"}, []string{"line 1", "no body", "tombstone"}},
		{`{"body":"x","colour":"red"}`, []string{"--format", "json"}, []string{"line 1", "colour"}},
		{`{"body":{"base64":"?"}}`, []string{"--format", "json"}, []string{"line 1", "base64"}},
		{`{"body":"x"} {"body":"y"}`, []string{"--format", "json"}, []string{"line 1", "behind the record"}},
		{`null`, []string{"--format", "json"}, []string{"line 1", "no JSON object"}},
		{"{\"body\":\"\xff\"}", []string{"--format", "json"}, []string{"line 1", "UTF-8"}},
		{`{"body":"x","priority":5}`, []string{"--format", "json"}, []string{"line 1", "capability priority"}},
		{"x\n" + strings.Repeat("y", 20<<20) + "\n", nil, []string{"line 2", "20971520 bytes"}},
		{"x\n", []string{"--no-create", "-t", "missing"}, []string{"line 1", "missing", "does not exist"}},
	} {
		args := append([]string{"send", "--data", dir, "-t", "t"}, tt.args...)
		code, _, stderr := feed(t, tt.in, args...)
		if code != exitFailed {
			t.Errorf("%.40q: exit %d, want %d: %s", tt.in, code, exitFailed, stderr)
		}
		for _, text := range tt.texts {
			if !strings.Contains(stderr, text) {
				t.Errorf("%.40q: %q does not name %q", tt.in, stderr, text)
			}
		}
	}
}

func TestBadUsageOfSendAndReceive(t *testing.T) {
	dir := brokerFolder(t)
	for _, tt := range []struct {
		args []string
		text string
	}{
		{[]string{"send"}, "--topic"},
		{[]string{"send", "-t", "a b"}, "has a space"},
		{[]string{"send", "-t", "t", "-H", "novalue"}, "NAME=VALUE"},
		{[]string{"send", "-t", "t", "--format", "json", "--key-separator", ":"}, "--key-separator"},
		{[]string{"send", "-t", "t", "no-such-file"}, "no-such-file: cannot be read"},
		{[]string{"send", "-t", "t", "--data", filepath.Join(dir, "nowhere")}, "--data"},
		{[]string{"send", "-t", "t", "--broker", "oms:carrier-pigeon:///"}, "carrier-pigeon"},
		{[]string{"receive", "-t", "t", "--from", "yesterday"}, "--from"},
		{[]string{"receive", "-t", "t", "-n", "-1"}, "--count"},
		{[]string{"receive", "-t", ""}, "--topic"},
	} {
		if code, _, stderr := feed(t, "", append([]string{tt.args[0], "--data", dir}, tt.args[1:]...)...); code != exitUsage || !strings.Contains(stderr, tt.text) {
			t.Errorf("%q: exit %d, %q, want %d and %q", tt.args, code, stderr, exitUsage, tt.text)
		}
	}
	if code, _, stderr := feed(t, "", "receive", "-t", "none", "--until-end", "--data", dir); code != exitFailed || !strings.Contains(stderr, "there is no topic none") {
		t.Errorf("a missing topic: exit %d, %q", code, stderr)
	}
}

// A closed pipe is what writing to a program that has ended looks like.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestAReaderThatHasEnoughEndsReceiving(t *testing.T) {
	dir := brokerFolder(t)
	must(t, "1\n2\n", "send", "--data", dir, "-t", "t")
	stderr := newBuffer()
	if code := Run(t.Context(), []string{"receive", "--data", dir, "-t", "t", "-g", "g"}, strings.NewReader(""), closedPipe{}, stderr); code != exitGood {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if stdout, _ := must(t, "", "receive", "--data", dir, "-t", "t", "-g", "g", "--until-end"); stdout != "1\n2\n" {
		t.Errorf("received %q: what was not printed must come again", stdout)
	}
}

func TestSendEndsWhenItIsTold(t *testing.T) {
	dir := brokerFolder(t)
	in, hold := io.Pipe()
	defer hold.Close()
	args := []string{"send", "--data", dir, "-t", "t"}
	ctx, cancel := context.WithCancel(t.Context())
	out := newBuffer()
	ended := make(chan int)
	go func() { ended <- Run(ctx, args, in, io.Discard, out) }()
	if _, err := hold.Write([]byte("1\n2\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := hold.Write([]byte("3")); err != nil { // read when 1 and 2 have been
		t.Fatal(err)
	}
	cancel()
	if code := <-ended; code != exitGood {
		t.Errorf("exit %d: %s", code, out)
	}
	stdout, _ := must(t, "", "receive", "--data", dir, "-t", "t", "--until-end")
	if !slices.Contains([]string{"", "1\n", "1\n2\n"}, stdout) || !strings.Contains(out.String(), fmt.Sprintf("sent %d message", strings.Count(stdout, "\n"))) {
		t.Errorf("received %q, send said %q", stdout, out)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("id", []byte("key"), []byte("body"), "name", []byte{0xff}, true, true)
	f.Add("", []byte{}, []byte{}, "", []byte{}, false, true)
	f.Fuzz(func(t *testing.T, id string, key, body []byte, name string, value []byte, hasKey, hasBody bool) {
		m := &oms.Message{ID: strings.ToValidUTF8(id, "?"), Headers: oms.Headers{{Name: strings.ToValidUTF8(name, "?"), Value: value}}}
		if hasKey {
			m.Key = append([]byte{}, key...)
		}
		if hasBody {
			m.Body = append([]byte{}, body...)
		}
		var line bytes.Buffer
		if err := writeRecord(&line, recordOf(m)); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(line.Bytes()) || bytes.Count(line.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("%q is not one line of JSON", line.Bytes())
		}
		r, err := parseRecord(line.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", line.Bytes(), err)
		}
		got := r.message()
		if diff := cmp.Diff(m.Headers, got.Headers); diff != "" || got.ID != m.ID ||
			!bytes.Equal(got.Key, m.Key) || (got.Key == nil) != (m.Key == nil) ||
			!bytes.Equal(got.Body, m.Body) || (got.Body == nil) != (m.Body == nil) {
			t.Errorf("%s became %+v", line.Bytes(), got)
		}
	})
}
