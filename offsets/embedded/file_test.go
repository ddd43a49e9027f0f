package embedded_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/embedded"
	"github.com/omconnect/omconnect/oms"
)

// refused opens the store in dir and wants an error with the code that names
// the file and has the text.
func refused(t *testing.T, dir string, code oms.Code, text string) {
	t.Helper()
	s, err := embedded.Open(dir)
	if err == nil {
		s.Close()
	}
	if oms.CodeOf(err) != code {
		t.Fatalf("Open: %v, want the code %q", err, code)
	}
	for _, part := range []string{filepath.Join(dir, embedded.FileName), text} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error %q does not say %q", err, part)
		}
	}
}

func TestFileAndFolderAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	open(t, dir).Close()
	path := filepath.Join(dir, embedded.FileName)
	for name, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %v", name, info.Mode(), err, want)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, dir).Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a file that was readable for all stays %v, %v", info.Mode(), err)
	}
}

func TestSecondOpenIsRefusedUntilTheFirstIsClosed(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	refused(t, dir, oms.ErrHeld, "another gateway")
	first.Close()
	open(t, dir)
}

func TestFolderThatIsNoneIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, file, oms.ErrInvalid, "name another data folder")
	refused(t, filepath.Join(file, "below"), oms.ErrInvalid, "name another data folder")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, embedded.FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, oms.ErrInvalid, "not a file")
}

func TestFileThatIsNoStoreIsRefused(t *testing.T) {
	for name, content := range map[string][]byte{
		"text": []byte("hello"), "zeros": make([]byte, 1<<16), "noise": []byte(strings.Repeat("noise!", 10_000)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, embedded.FileName)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, oms.ErrFormat, "bring back a copy")
			if left, err := os.ReadFile(path); err != nil || string(left) != string(content) {
				t.Errorf("the file was changed: %d bytes, %v", len(left), err)
			}
		})
	}
}

func TestFileThatWasCutOffIsRefused(t *testing.T) {
	whole := t.TempDir()
	s := open(t, whole)
	l, err := s.Acquire(t.Context(), offsets.Owner{Connector: "c"}, "a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		ps := make(map[offsets.Partition]offsets.Position)
		for i := range 200 {
			ps[offsets.Partition(fmt.Sprintf(`{"n":%d,"i":%d}`, n, i))] = `{}`
		}
		if err := s.Commit(t.Context(), l, ps); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	content, err := os.ReadFile(filepath.Join(whole, embedded.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1 << 13, 1 << 14, len(content) / 2, len(content)/2 + 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, embedded.FileName), content[:size], 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, oms.ErrFormat, "bring back a copy")
		})
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir).Close()
	for value, text := range map[string]string{"2": "newer omconnect", "x": "who may read it"} {
		edit(t, dir, func(tx *bolt.Tx) error { return tx.Bucket([]byte("meta")).Put([]byte("min_reader"), []byte(value)) })
		refused(t, dir, oms.ErrFormat, text)
	}
}

func TestDamagedDefinitionIsNamed(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	for _, name := range []string{"good", "orders"} {
		if _, err := s.Put(ctx, offsets.Definition{Name: name, Target: offsets.TargetRunning}); err != nil {
			t.Fatal(err)
		}
	}
	for record, text := range map[string]string{
		`x`: "damaged", `{"v":2}`: "newer omconnect", `{"v":1,"name":"good","target":"RUNNING","revision":2}`: `that of "good"`,
		`{"v":1,"name":"orders","target":"DANCING","revision":2}`: "DANCING", `{"v":1,"name":"orders","target":"RUNNING"}`: "no revision",
	} {
		if err := embedded.Overwrite(s, record, "definitions", "orders"); err != nil {
			t.Fatal(err)
		}
		_, list := s.List(ctx)
		_, put := s.Put(ctx, offsets.Definition{Name: "orders", Target: offsets.TargetRunning, Revision: 2})
		remove := s.Remove(ctx, "orders", 2, false)
		for call, err := range map[string]error{"List": list, "Put": put, "Remove": remove} {
			if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "orders") || !strings.Contains(err.Error(), text) {
				t.Errorf("%s with the record %s: %v, want ErrFormat naming orders and %q", call, record, err, text)
			}
		}
		var good, bad int
		for d, err := range s.Watch(ctx, 0) {
			switch {
			case err == nil:
				good++
			case errors.Is(err, oms.ErrFormat):
				bad++
			default:
				t.Fatalf("Watch yields %v", err)
			}
			if good == 1 && bad == 1 {
				break
			}
			if good > 1 || bad > 1 {
				t.Fatalf("Watch yields %v, %v again", d, err)
			}
		}
	}
}

func TestDamagedLeaseIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	l, err := s.Acquire(t.Context(), offsets.Owner{Connector: "c"}, "a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range []string{`x`, `{}`, `{"v":2}`} {
		if err := embedded.Overwrite(s, record, "connectors", "c", "leases", "0"); err != nil {
			t.Fatal(err)
		}
		_, acquire := s.Acquire(t.Context(), l.Owner, "a", time.Hour)
		for call, err := range map[string]error{
			"Acquire": acquire, "Commit": s.Commit(t.Context(), l, nil), "Release": s.Release(t.Context(), l),
			"Alter": s.Alter(t.Context(), "c", nil, nil), "Adopt": s.Adopt(t.Context(), "c", "", "first", true),
		} {
			if oms.CodeOf(err) != oms.ErrFormat {
				t.Errorf("%s with the record %s: %v, want ErrFormat", call, record, err)
			}
		}
	}
}

func TestDamagedBrokerIsNamed(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	if err := errors.Join(s.Adopt(ctx, "orders", "", "first", false), s.Adopt(ctx, "good", "", "first", false)); err != nil {
		t.Fatal(err)
	}
	for record, text := range map[string]string{`x`: "damaged", `{"v":2,"id":"first"}`: "newer omconnect", `{"v":1}`: "no broker"} {
		if err := embedded.Overwrite(s, record, "connectors", "orders", "broker"); err != nil {
			t.Fatal(err)
		}
		_, broker := s.Broker(ctx, "orders")
		for call, err := range map[string]error{"Broker": broker, "Adopt": s.Adopt(ctx, "orders", "first", "second", true)} {
			if oms.CodeOf(err) != oms.ErrFormat || !strings.Contains(err.Error(), "orders") || !strings.Contains(err.Error(), text) {
				t.Errorf("%s with the record %s: %v, want ErrFormat naming orders and %q", call, record, err, text)
			}
		}
	}
	if id, err := s.Broker(ctx, "good"); err != nil || id != "first" {
		t.Errorf("the broker of another connector is %q, %v", id, err)
	}
}

func TestLeaseOfAClockThatWasSetBackHasEnded(t *testing.T) {
	s := open(t, t.TempDir())
	o := offsets.Owner{Connector: "c"}
	if _, err := s.Acquire(t.Context(), o, "a", time.Hour); err != nil {
		t.Fatal(err)
	}
	record := fmt.Sprintf(`{"v":1,"epoch":1,"token":"1:x","holder":"a","from":%q,"until":%q}`,
		time.Now().Add(24*time.Hour).Format(time.RFC3339), time.Now().Add(25*time.Hour).Format(time.RFC3339))
	if err := embedded.Overwrite(s, record, "connectors", "c", "leases", "0"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), o, "b", time.Hour); err != nil {
		t.Errorf("acquiring what was granted tomorrow: %v", err)
	}
}

func TestErrorsOfTheDiskHaveTheirCode(t *testing.T) {
	for err, want := range map[error]oms.Code{
		syscall.ENOSPC: oms.ErrFull, syscall.EDQUOT: oms.ErrFull, syscall.EACCES: oms.ErrDenied, syscall.EPERM: oms.ErrDenied,
		syscall.EROFS: oms.ErrDenied, syscall.EIO: oms.ErrUnavailable, syscall.ENOTDIR: oms.ErrInvalid,
	} {
		if got := embedded.Classify(&fs.PathError{Op: "write", Path: "x", Err: err}); got != want {
			t.Errorf("%v has the code %q, want %q", err, got, want)
		}
	}
	s := open(t, t.TempDir())
	l, err := s.Acquire(t.Context(), offsets.Owner{Connector: "c"}, "a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	long := offsets.Partition(`{"p":"` + strings.Repeat("x", 40_000) + `"}`)
	err = s.Commit(t.Context(), l, map[offsets.Partition]offsets.Position{long: `{}`, `{}`: `{}`})
	if oms.CodeOf(err) != oms.ErrTooLarge {
		t.Errorf("committing a partition of 40,000 bytes: %v, want ErrTooLarge", err)
	}
	if ps, err := s.Load(t.Context(), "c"); err != nil || len(ps) != 0 {
		t.Errorf("a part of the commit is stored: %v, %v", ps, err)
	}
}
