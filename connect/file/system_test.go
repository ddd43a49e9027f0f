//go:build linux

package file_test

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestPipeIsRefusedAtOnce(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, class := range []string{"file-source", "file-sink"} {
		c, config, _ := instance(t, class, oms.KeyValue{"file": pipe})
		wantError(t, c.OnStart(t.Context(), config), oms.ErrInvalid, "key file", pipe, "name a regular file")
	}
}

// asNobody calls f with the file rights of a user that has none, also when the
// tests are run by root.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			const nobody = 65534
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0); errno != 0 {
				t.Error(errno)
			}
		}
		f()
	}()
	<-done
}

func TestUnreadableFileIsDenied(t *testing.T) {
	path := file(t, "x\n")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	c, config, _ := instance(t, "file-source", oms.KeyValue{"file": path, "follow": "true"})
	var err error
	asNobody(t, func() { err = c.OnStart(t.Context(), config) })
	wantError(t, err, oms.ErrDenied, "key file", path, "allow the gateway's user")
}

func TestUnwritableFolderIsDenied(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "out.txt")
	c, config, _ := instance(t, "file-sink", oms.KeyValue{"file": path})
	var err error
	asNobody(t, func() { err = c.OnStart(t.Context(), config) })
	wantError(t, err, oms.ErrDenied, "key file", path, "allow the gateway's user")
}

// withFileLimit bounds the size of every file that the process writes, which
// tears a write as a full disk does.
func withFileLimit(t *testing.T, size uint64, f func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = size
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func TestFullDiskIsTemporaryAndLeavesNothingTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	s := start(t, oms.KeyValue{"file": path})
	s.put("first")
	var err error
	withFileLimit(t, 10, func() { err = s.Put(t.Context(), messages("second", "third")) })
	wantError(t, err, oms.ErrFull, path)
	if !oms.IsTemporary(err) || !errors.Is(err, syscall.EFBIG) {
		t.Errorf("error %v is not temporary, or has lost its cause", err)
	}
	if got := content(t, path); got != "first\n" {
		t.Errorf("the file has %q", got)
	}
	s.put("second", "third") // there is room again
	if got := content(t, path); got != "first\nsecond\nthird\n" {
		t.Errorf("the file has %q", got)
	}
}
