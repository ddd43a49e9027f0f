package omconnect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
)

// usedState returns a data folder with the state of a gateway that has run: a
// source that has come to its end, one of the file, and a paused sink.
func usedState(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	in := write(t, "in", "1\n2\n3\n")
	config := write(t, "gateway.yaml", fmt.Sprintf(
		"connectors:\n  of-the-file:\n    connector.class: file-source\n    topic: t\n    file: %s\n", in))
	p := begin(t, "run", "-c", config, "--data", dir, "--listen", "127.0.0.1:0")
	url := p.url()
	p.await("gateway started")
	for _, command := range []string{
		"connectors create --url URL over-rest connector.class=file-source topic=u file=" + in,
		"connectors create --url URL sink connector.class=log-sink topics=u",
		"connectors pause --url URL sink",
	} {
		must(t, "", strings.Fields(strings.ReplaceAll(command, "URL", url))...)
	}
	for _, name := range []string{"of-the-file", "over-rest"} {
		eventually(t, name+" to finish", func() bool {
			_, body := p.get("/connectors/" + name + "/omconnect")
			return strings.Contains(body, "FINISHED")
		})
	}
	p.stop()
	if code := p.wait(); code != exitGood {
		t.Fatalf("exit %d: %s", code, p.err)
	}
	return dir
}

func TestAStateMovesIntoRedis(t *testing.T) {
	dir := usedState(t)
	redis := miniredis.RunT(t)
	url := "redis://" + redis.Addr() + "/0"
	exported, stderr := must(t, "", "state", "export", "--data", dir)
	if stderr != "exported 3 connectors and 2 positions\n" {
		t.Errorf("export said %q", stderr)
	}
	for _, name := range []string{"of-the-file", "over-rest"} { // the sink may have been paused before it ran
		if !strings.Contains(exported, `{"broker":{"connector":"`+name+`","id":"`) {
			t.Errorf("the broker of %s is not in the export:\n%s", name, exported)
		}
	}
	for range 2 { // again changes nothing
		if _, stderr := must(t, exported, "state", "import", "--data", dir, "--state", url); stderr != "imported 3 connectors and 2 positions\n" {
			t.Errorf("import said %q", stderr)
		}
	}
	again, _ := must(t, "", "state", "export", "--data", dir, "--state", url)
	if diff := cmp.Diff(likened(exported), likened(again)); diff != "" {
		t.Errorf("(-embedded +redis):\n%s", diff)
	}
	// The gateway goes on there, without being told to accept another store.
	p := begin(t, "run", "--data", dir, "--state", url, "--listen", "127.0.0.1:0")
	p.url()
	p.await("gateway started")
	eventually(t, "the source of REST to be finished, at its position", func() bool {
		_, body := p.get("/connectors/over-rest/omconnect")
		return strings.Contains(body, "FINISHED") && strings.Contains(body, `"records":0`)
	})
	eventually(t, "the sink to be paused", func() bool {
		_, body := p.get("/connectors/sink/omconnect")
		return strings.Contains(body, "PAUSED")
	})
}

// likened leaves out what each store gives itself: its id, and revisions.
func likened(exported string) []string {
	var lines []string
	for i, line := range strings.Split(exported, "\n") {
		if i == 0 {
			continue
		}
		if at := strings.Index(line, `,"revision":`); at >= 0 {
			line = line[:at]
		}
		lines = append(lines, line)
	}
	return lines
}

func TestAnExportGoesIntoANewFile(t *testing.T) {
	dir := usedState(t)
	path := filepath.Join(t.TempDir(), "export")
	must(t, "", "state", "export", "--data", dir, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v; it may hold passwords", info, err)
	}
	stdout, _ := must(t, "", "state", "export", "--data", dir)
	if diff := cmp.Diff(stdout, read(t, path)); diff != "" {
		t.Error(diff)
	}
	if code, _, stderr := feed(t, "", "state", "export", "--data", dir, path); code != exitUsage || !strings.Contains(stderr, path) {
		t.Errorf("over a file: exit %d, %s", code, stderr)
	}
}

func TestPositionsWithoutADefinitionMoveToo(t *testing.T) {
	dir := usedState(t)
	p := begin(t, "run", "--data", dir, "--listen", "127.0.0.1:0") // without the file: its connector is dropped, its positions kept
	url := p.url()
	p.await("gateway started")
	eventually(t, "the file's connector to be gone", func() bool {
		code, _ := p.get("/connectors/of-the-file")
		return code == 404
	})
	_ = url
	p.stop()
	p.wait()
	exported, stderr := must(t, "", "state", "export", "--data", dir)
	if stderr != "exported 2 connectors and 2 positions\n" || !strings.Contains(exported, `{"position":{"connector":"of-the-file","partition":{`) ||
		!strings.Contains(exported, `{"broker":{"connector":"of-the-file","id":"`) {
		t.Errorf("export said %q:\n%s", stderr, exported)
	}
}

func TestAnImportOverOtherConnectorsIsRefusedWhole(t *testing.T) {
	dir := usedState(t)
	exported, _ := must(t, "", "state", "export", "--data", dir)
	other := strings.Replace(exported, `"topic":"u"`, `"topic":"v"`, 1)
	if other == exported {
		t.Fatalf("there is no topic u in\n%s", exported)
	}
	code, _, stderr := feed(t, other, "state", "import", "--data", dir)
	if code != exitUsage || !strings.Contains(stderr, "over-rest") || strings.Contains(stderr, "sink") || !strings.Contains(stderr, "--replace") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	unchanged, _ := must(t, "", "state", "export", "--data", dir)
	if diff := cmp.Diff(exported, unchanged); diff != "" {
		t.Errorf("the state has changed:\n%s", diff)
	}
	must(t, other, "state", "import", "--data", dir, "--replace")
	replaced, _ := must(t, "", "state", "export", "--data", dir)
	if diff := cmp.Diff(likened(other), likened(replaced)); diff != "" {
		t.Error(diff)
	}
}

func TestAStateInUseIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	p := begin(t, "run", "--data", dir, "--listen", "127.0.0.1:0")
	p.url()
	p.await("gateway started")
	for _, command := range []string{"export", "import"} {
		code, _, stderr := feed(t, emptyExport, "state", command, "--data", dir)
		if code != exitUsage || !strings.Contains(stderr, "another gateway") {
			t.Errorf("%s: exit %d, %s", command, code, stderr)
		}
	}
}

const emptyExport = `{"omconnect_state":{"version":1,"store":"s","by":"0.1"}}` + "\n" + `{"end":{"definitions":0,"positions":0,"brokers":0}}` + "\n"

func TestWhatIsNoExportIsRefusedByItsLine(t *testing.T) {
	const (
		head       = `{"omconnect_state":{"version":1,"store":"s","by":"0.1"}}` + "\n"
		definition = `{"definition":{"name":"a","config":{"connector.class":"log-sink"},"target":"RUNNING","origin":"api","revision":1}}` + "\n"
		position   = `{"position":{"connector":"a","partition":{"p":1},"position":{"n":1}}}` + "\n"
		broker     = `{"broker":{"connector":"a","id":"b"}}` + "\n"
		end        = `{"end":{"definitions":1,"positions":1,"brokers":1}}` + "\n"
	)
	dir := t.TempDir()
	for _, tt := range []struct {
		name, in string
		texts    []string
	}{
		{"nothing", "", []string{"has no end"}},
		{"another file", "name: x\n", []string{"line 1", "not a line of an export"}},
		{"no beginning", definition, []string{"line 1", "no export"}},
		{"a newer one", `{"omconnect_state":{"version":2,"by":"9.0","colour":1},"x":2}` + "\n", []string{"line 1", "9.0", "version 2", "upgrade"}},
		{"no version", `{"omconnect_state":{}}` + "\n", []string{"line 1", "version"}},
		{"cut short", head + definition + position, []string{"no end", "part of it is missing"}},
		{"a line lost", head + definition + broker + end, []string{"line 4", "1 positions", "0 positions"}},
		{"a broker lost", head + definition + position + end, []string{"line 4", "1 brokers", "0 brokers"}},
		{"more behind the end", emptyExport + definition, []string{"line 3", "behind the end"}},
		{"two beginnings", head + head, []string{"line 2", "two beginnings"}},
		{"twice the same", head + definition + definition, []string{"line 3", "a is defined twice"}},
		{"a position twice", head + position + position, []string{"line 3", "twice"}},
		{"a broker twice", head + broker + strings.Replace(broker, `"b"`, `"c"`, 1), []string{"line 3", "a has a broker twice"}},
		{"nobody's broker", head + strings.Replace(broker, `"a"`, `""`, 1), []string{"line 2", "names no connector"}},
		{"a broker without an id", head + strings.Replace(broker, `"b"`, `""`, 1), []string{"line 2", "connector a has no id"}},
		{"an unknown key", head + `{"definition":{"nome":"a"}}` + "\n", []string{"line 2", "nome"}},
		{"two in one", head + `{"definition":{},"position":{}}` + "\n", []string{"line 2", "one of"}},
		{"a bad target", head + strings.Replace(definition, "RUNNING", "FLYING", 1), []string{"line 2", "FLYING"}},
		{"a bad position", head + strings.Replace(position, `{"n":1}`, `"7"`, 1), []string{"line 2", "connector a", "not a JSON object"}},
		{"nobody's position", head + strings.Replace(position, `"a"`, `""`, 1), []string{"line 2", "names no connector"}},
	} {
		code, _, stderr := feed(t, tt.in, "state", "import", "--data", dir)
		if code != exitUsage {
			t.Errorf("%s: exit %d, %s", tt.name, code, stderr)
		}
		for _, text := range tt.texts {
			if !strings.Contains(stderr, text) {
				t.Errorf("%s: %q does not say %q", tt.name, stderr, text)
			}
		}
	}
	if code, _, stderr := feed(t, "", "state", "export", "--data", filepath.Join(dir, "nowhere")); code != exitUsage || !strings.Contains(stderr, "--data") {
		t.Errorf("a missing folder: exit %d, %s", code, stderr)
	}
}

// FuzzExport holds that an export that is taken is written again the same.
func FuzzExport(f *testing.F) {
	f.Add(emptyExport)
	f.Add(`{"omconnect_state":{"version":1}}` + "\n" + `{"position":{"connector":"a","partition":"{ \"p\":1 }","position":{"n":9007199254740993}}}` + "\n" + `{"end":{"definitions":0,"positions":1}}`)
	f.Add(`{"omconnect_state":{"version":1}}` + "\n" + `{"broker":{"connector":"a","id":"<&> \u2028"}}` + "\n" + `{"end":{"definitions":0,"positions":0,"brokers":1}}`)
	f.Fuzz(func(t *testing.T, in string) {
		c, err := readExport(strings.NewReader(in), "in")
		if err != nil {
			return
		}
		var out strings.Builder
		if err := writeExport(&out, "s", c); err != nil {
			t.Fatalf("%q was taken and cannot be written: %v", in, err)
		}
		again, err := readExport(strings.NewReader(out.String()), "out")
		if err != nil {
			t.Fatalf("%q became %q: %v", in, out.String(), err)
		}
		if diff := cmp.Diff(c.positions, again.positions) + cmp.Diff(c.definitions, again.definitions) + cmp.Diff(c.brokers, again.brokers); diff != "" {
			t.Errorf("%q (-first +second):\n%s", in, diff)
		}
	})
}
