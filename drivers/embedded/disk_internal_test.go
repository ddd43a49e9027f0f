package embedded

import (
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestEveryTroubleWithTheFolderHasItsCode(t *testing.T) {
	for err, want := range map[error]oms.Code{
		os.ErrPermission: oms.ErrDenied, syscall.EROFS: oms.ErrDenied, syscall.EACCES: oms.ErrDenied,
		syscall.ENOSPC: oms.ErrFull, syscall.ENOTDIR: oms.ErrInvalid, os.ErrExist: oms.ErrInvalid,
		oms.ErrFormat: oms.ErrFormat, io.ErrUnexpectedEOF: oms.ErrUnavailable,
	} {
		if got := folderCode(&os.PathError{Op: "open", Path: "x", Err: err}); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

func TestTheServersComplaintsAreHeard(t *testing.T) {
	full := 0
	var fatal error
	l := fatalLog{serverLog{log: slog.New(slog.DiscardHandler), full: func() { full++ }}, &fatal}
	l.Noticef("no space left, says a notice that is none")
	l.Debugf("no space left")
	l.Tracef("no space left")
	l.Warnf("slow %s", "consumer")
	if full != 0 || fatal != nil {
		t.Errorf("heard a full disk %d times, and fatal %v, in harmless lines", full, fatal)
	}
	l.Warnf("write %s: no space left on device", "x")
	l.Errorf("write %s: no space left on device", "x")
	if full != 2 {
		t.Errorf("heard %d of 2 times that the disk is full", full)
	}
	l.Fatalf("port %d is taken", 7)
	if fatal == nil || fatal.Error() != "port 7 is taken" {
		t.Errorf("what the server would have ended with is %v", fatal)
	}
}

func TestADiskKnowsItsFloor(t *testing.T) {
	dir := t.TempDir()
	free, total, err := space(dir)
	if err != nil || free <= 0 || total < free {
		t.Fatalf("%d of %d bytes are free, %v", free, total, err)
	}
	own, err := newDisk(dir, -1)
	if err != nil || own.floor <= 0 || own.floor > total/10 {
		t.Errorf("the floor is %v, %v; want at most a tenth of %d", own, err, total)
	}
	none, err := newDisk(dir, 0)
	if err != nil || none.admit(1) != nil {
		t.Errorf("without a floor: %v, %v", err, none.admit(1))
	}
	high, err := newDisk(dir, math.MaxInt64/2)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := high.admit(1); !errors.Is(err, oms.ErrFull) || !strings.Contains(err.Error(), "min.free.bytes") {
			t.Errorf("below the floor: %v, want ErrFull that names min.free.bytes", err)
		}
	}
	if !high.isFull() || high.roomy() {
		t.Error("a disk below its floor is not full, or has room")
	}
	gone := filepath.Join(dir, "gone")
	if _, err := newDisk(gone, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a disk that is not there: %v", err)
	}
	if err := (&disk{path: gone}).admit(1); err == nil || !strings.Contains(err.Error(), gone) {
		t.Errorf("admitting to a disk that is gone: %v", err)
	}
	if d := (&disk{path: gone}); d.isFull() || d.roomy() {
		t.Error("a disk that cannot be looked at is full, or has room")
	}
}

func TestWhatAFolderTakesIsCounted(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o700),
		os.WriteFile(filepath.Join(dir, "a"), make([]byte, 100), 0o600),
		os.WriteFile(filepath.Join(dir, "sub", "b"), make([]byte, 23), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if n := used(dir); n != 123 {
		t.Errorf("the folder takes %d bytes, want 123", n)
	}
	if n := used(filepath.Join(dir, "gone")); n != 0 {
		t.Errorf("a folder that is not there takes %d bytes", n)
	}
}
