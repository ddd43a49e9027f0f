package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestErrorsOfTheSystemAreClassified(t *testing.T) {
	for err, want := range map[error]oms.Code{
		syscall.ENOENT: oms.ErrNotFound, syscall.EACCES: oms.ErrDenied, syscall.EPERM: oms.ErrDenied, syscall.EROFS: oms.ErrDenied,
		syscall.ENOSPC: oms.ErrFull, syscall.EDQUOT: oms.ErrFull, syscall.EFBIG: oms.ErrFull,
		syscall.EISDIR: oms.ErrInvalid, syscall.ENOTDIR: oms.ErrInvalid, syscall.ENAMETOOLONG: oms.ErrInvalid,
		syscall.EMFILE: oms.ErrBusy, syscall.EIO: oms.ErrUnavailable, errors.New("other"): oms.ErrUnavailable,
	} {
		wrapped := fmt.Errorf("doing: %w", &fs.PathError{Op: "open", Path: "x", Err: err})
		if got := codeOf(wrapped); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
		if advice(codeOf(wrapped)) == "" {
			t.Errorf("there is no advice about %v", err)
		}
	}
}

func TestIdentityRoundTrip(t *testing.T) {
	for _, id := range []identity{{}, {dev: 1, inode: 1<<64 - 1, covered: maxCovered, sum: 1 << 63}, {dev: 0xfd01, inode: 2, covered: 3, sum: 4}} {
		if got, err := parseIdentity(id.String()); err != nil || got != id {
			t.Errorf("%v became %v, %v", id, got, err)
		}
	}
	for _, s := range []string{"", "1-2-3", "1-2-3-4-5", "g-2-3-4", "1-g-3-4", "1-2-g-4", "1-2-3-g", "1-2--3-4", "1-2-1025-4", "1-2-3-11111111111111111"} {
		if id, err := parseIdentity(s); err == nil {
			t.Errorf("%q became %v", s, id)
		}
	}
}

func TestIdentityTellsContentApart(t *testing.T) {
	text := strings.Repeat("0123456789", 200)
	for _, n := range []int{0, 1, 500, 1023, 1024, 2000} {
		covered, sum, err := fingerprint(strings.NewReader(text[:n]), maxCovered)
		if err != nil || covered != min(n, maxCovered) {
			t.Fatalf("%d bytes: %d covered, %v", n, covered, err)
		}
		id := identity{covered: covered, sum: sum}
		for other, want := range map[string]bool{
			text[:n]: true, text[:n] + "x": true, "x" + text[:max(n, 1)-1]: n == 0, text[:max(n, 1)-1]: n == 0 || n > maxCovered,
		} {
			if same, err := id.sameContent(strings.NewReader(other)); err != nil || same != want {
				t.Errorf("%d bytes are the same as %d others: %v, %v", n, len(other), same, err)
			}
		}
	}
}

func TestLastLineEndIsFoundInAnyBlock(t *testing.T) {
	const block = 64 << 10
	for _, at := range []int{0, 1, block - 1, block, block + 1, 3*block - 1} {
		text := bytes.Repeat([]byte("x"), 3*block)
		text[at] = '\n'
		for _, from := range []int64{0, int64(at), int64(at) + 1, 3 * block} {
			want := max(int64(at)+1, from)
			if got, err := lastLineEnd(bytes.NewReader(text), int64(len(text)), from); err != nil || got != want {
				t.Errorf("newline at %d, from %d: %d, %v, want %d", at, from, got, err, want)
			}
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add(`{"id":"1-2-3-4","line":5,"offset":6,"tail":7}`)
	f.Add(`{"offset":0}`)
	f.Add(`{"id":"fd01-2c4-1024-9ae16a3b2f90404f","line":12,"offset":3456}`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePosition(s)
		if err != nil {
			if oms.CodeOf(err) != oms.ErrFormat {
				t.Errorf("%q: %v has no code", s, err)
			}
			return
		}
		if p.id == nil {
			return
		}
		text := string(appendPosition(nil, p.id.String(), p.line, p.offset, p.tail))
		again, err := parsePosition(text)
		if err != nil || *again.id != *p.id || again.line != p.line || again.offset != p.offset || again.tail != p.tail {
			t.Errorf("%q became %s, and that %+v, %v", s, text, again, err)
		}
		if canonical, err := oms.CanonicalObject(json.RawMessage(text)); err != nil || canonical != text {
			t.Errorf("%s is not canonical: %s, %v", text, canonical, err)
		}
	})
}
