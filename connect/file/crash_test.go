package file_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// crash ends a sink as kill -9 does: its lock goes, and nothing is noted.
func crash(t *testing.T, w *writer, path string) {
	t.Helper()
	note := content(t, path+".omc")
	w.stop()
	write(t, path+".omc", note)
}

func TestLineTornByACrashIsCutOff(t *testing.T) {
	batch := "first of the batch\n" + strings.Repeat("x", 200_000) + "\nthird\n"
	for _, written := range []int{0, 1, 10, 18, 19, 20, 100_000, 150_000, 200_018, 200_019, 200_020, 200_025, len(batch)} {
		t.Run(fmt.Sprint(written), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.txt")
			w := start(t, oms.KeyValue{"file": path})
			w.put("acknowledged")
			crash(t, w, path)
			appendTo(t, path, batch[:written])

			whole := batch[:strings.LastIndexByte(batch[:written], '\n')+1]
			w = start(t, oms.KeyValue{"file": path})
			wantContent(t, path, "acknowledged\n"+whole)
			if cut := written - len(whole); cut > 0 {
				if want := fmt.Sprintf("bytes=%d", cut); !strings.Contains(w.log.String(), want) || !strings.Contains(w.log.String(), "level=WARN") {
					t.Errorf("the log does not warn of %s: %s", want, w.log)
				}
			} else if w.log.String() != "" {
				t.Errorf("nothing was cut, and the log has %s", w.log)
			}
			w.put("again")
			wantContent(t, path, "acknowledged\n"+whole+"again\n")
		})
	}
}

func TestLineOfSomebodyElseIsEndedNotCut(t *testing.T) {
	folder := t.TempDir()
	t.Run("before the first start", func(t *testing.T) {
		path := filepath.Join(folder, "foreign.txt")
		write(t, path, "old\nunfinished")
		w := start(t, oms.KeyValue{"file": path})
		w.put("new")
		wantContent(t, path, "old\nunfinished\nnew\n")
		crash(t, w, path)
		start(t, oms.KeyValue{"file": path})
		wantContent(t, path, "old\nunfinished\nnew\n")
	})
	t.Run("between two starts", func(t *testing.T) {
		path := filepath.Join(folder, "shared.txt")
		w := start(t, oms.KeyValue{"file": path})
		w.put("ours")
		w.stop()
		appendTo(t, path, "theirs")
		start(t, oms.KeyValue{"file": path})
		wantContent(t, path, "ours\ntheirs\n")
	})
	t.Run("in another file of the name after a crash", func(t *testing.T) {
		path := filepath.Join(folder, "replaced.txt")
		w := start(t, oms.KeyValue{"file": path})
		w.put("ours")
		crash(t, w, path)
		write(t, path+".new", "theirs, and longer\nthan ours")
		rename(t, path+".new", path)
		start(t, oms.KeyValue{"file": path})
		wantContent(t, path, "theirs, and longer\nthan ours\n")
	})
	t.Run("in a file that was truncated after a crash", func(t *testing.T) {
		path := filepath.Join(folder, "truncated.txt")
		w := start(t, oms.KeyValue{"file": path})
		w.put("ours")
		w.stop()
		w = start(t, oms.KeyValue{"file": path})
		crash(t, w, path)
		write(t, path, "x")
		start(t, oms.KeyValue{"file": path})
		wantContent(t, path, "x\n")
	})
	t.Run("with a note that makes no sense", func(t *testing.T) {
		path := filepath.Join(folder, "senseless.txt")
		for _, note := range []string{"", "{", "[]", `{"id":"x","open":true}`, `{"open":true}`} {
			write(t, path, "theirs")
			write(t, path+".omc", note)
			w := start(t, oms.KeyValue{"file": path})
			wantContent(t, path, "theirs\n")
			w.stop()
		}
	})
}

func TestNoteOfANewerVersionIsRefused(t *testing.T) {
	path := file(t, "a\n")
	write(t, path+".omc", `{"version":99}`)
	c, config, _ := instance(t, "file-sink", oms.KeyValue{"file": path})
	if err := c.OnStart(t.Context(), config); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("got %v", err)
	}
}

// victimEnv names the file that the test binary, started as a victim, writes.
const victimEnv = "FILE_SINK_VICTIM"

func TestMain(m *testing.M) {
	path := os.Getenv(victimEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	if err := victim(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// victim puts batches until it is killed, and tells which are acknowledged.
func victim(path string) error {
	plugin, err := connect.DefaultPlugins.Lookup("file-sink")
	if err != nil {
		return err
	}
	config := plugin.Def.Complete(oms.KeyValue{"file": path})
	c, err := plugin.New(connect.Env{Config: config, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	sink, ok := c.(connect.Sink)
	if !ok {
		return errors.New("not a sink")
	}
	ctx := context.Background()
	if err := sink.OnStart(ctx, config); err != nil {
		return err
	}
	for batch := 0; ; batch++ {
		if err := sink.Put(ctx, messages(victimLines(batch)...)); err != nil {
			return err
		}
		if _, err := fmt.Println(batch); err != nil {
			return err
		}
	}
}

func victimLines(batch int) []string {
	lines := make([]string, 100)
	for i := range lines {
		lines[i] = fmt.Sprintf("%d.%d.%s", batch, i, strings.Repeat("x", 5000))
	}
	return lines
}

func TestKilledSinkLosesNothingAndLeavesNothingTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	want := make(map[string]int) // by line, how often at least
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), victimEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked := 0
		for s := bufio.NewScanner(out); s.Scan(); acked++ {
			for _, line := range victimLines(acked) {
				want[line]++
			}
			if acked == round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || acked <= round {
			t.Fatalf("the victim was not killed: %v, after %d batches", err, acked)
		}
	}
	start(t, oms.KeyValue{"file": path})
	got := make(map[string]int)
	for _, m := range read(t, oms.KeyValue{"file": path, "max.line.bytes": "6000"}, "").all() {
		got[string(m.Body)]++
	}
	for line, n := range want {
		if got[line] < n {
			t.Errorf("line %.20q is there %d times, and was acknowledged %d times", line, got[line], n)
		}
	}
	for line := range got {
		var batch, i int
		if _, err := fmt.Sscanf(line, "%d.%d.", &batch, &i); err != nil || i >= 100 || line != victimLines(batch)[i] {
			t.Errorf("torn: %.40q of %d bytes", line, len(line))
		}
	}
}

// A source that follows the file of a sink sees whole lines only, each at
// least once and the first time in order, however often the sink crashes.
func TestFollowingTheFileOfACrashingSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(3, 4))
		r := read(t, oms.KeyValue{"file": path, "follow": "true"}, "")
		w := start(t, oms.KeyValue{"file": path})
		var seen []string
		next := 0
		for range 100 {
			batch := make([]string, 1+rnd.IntN(4))
			for i := range batch {
				batch[i] = fmt.Sprintf("%d-%s", next+i, strings.Repeat("y", rnd.IntN(30)))
			}
			if rnd.IntN(2) == 0 { // killed in the middle of the write
				crash(t, w, path)
				text := strings.Join(batch, "\n") + "\n"
				appendTo(t, path, text[:rnd.IntN(len(text)+1)])
				if rnd.IntN(2) == 0 {
					seen = append(seen, bodies(poll(t, r))...)
				}
				w = start(t, oms.KeyValue{"file": path})
			}
			w.put(batch...)
			next += len(batch)
			if rnd.IntN(2) == 0 {
				seen = append(seen, bodies(poll(t, r))...)
			}
		}
		for range 5 {
			seen = append(seen, bodies(poll(t, r))...)
		}
		first, whole := 0, strings.Split(strings.TrimSuffix(content(t, path), "\n"), "\n")
		for _, body := range seen {
			var n int
			if _, err := fmt.Sscanf(body, "%d-", &n); err != nil || strings.Trim(body, "0123456789-y") != "" {
				t.Fatalf("torn: %q", body)
			}
			if n > first {
				t.Fatalf("%q came before %d", body, first)
			}
			first = max(first, n+1)
		}
		if first != next || fmt.Sprint(seen) != fmt.Sprint(whole) {
			t.Errorf("got %d of %d, %d lines where the file has %d", first, next, len(seen), len(whole))
		}
		if r.log.String() != "" {
			t.Errorf("it was logged: %s", r.log)
		}
	})
}
