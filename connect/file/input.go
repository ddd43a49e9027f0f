package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/omconnect/omconnect/oms"
)

// chunk is how much is read at once. Bodies are parts of the chunk that they
// were read with.
const chunk = 512 << 10

// byteOrderMark is what some programs begin UTF-8 files with.
const byteOrderMark = "\xef\xbb\xbf"

// errReplaced is why a file cannot be read on: what stands there now is not
// what was being read.
var errReplaced = errors.New("replaced")

// settings say how files are read.
type settings struct {
	format, keyField string
	limit            int  // longest record in bytes
	batch            int  // most records at once
	follow           bool // wait for more at the end
}

// An input is an open file and how far it has been read.
type input struct {
	settings
	f     *os.File
	path  string // as it was when the file was opened
	id    identity
	split splitter
	off   int64  // of the next record
	line  int64  // lines before off
	buf   []byte // what has been read from off on
	found []found
}

// found is a record, and where the next one begins.
type found struct {
	key, body       []byte
	line, end, tail int64
}

// openInput opens the regular file of that name, at its beginning.
func openInput(path string, cfg settings) (*input, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := regular(info); err != nil {
		return nil, err // before it is opened: opening a pipe waits for a writer
	}
	f, err := os.Open(path) //nolint:gosec // the configured file
	if err != nil {
		return nil, err
	}
	in := &input{settings: cfg, f: f, path: path}
	if err := in.restart(); err != nil {
		_ = f.Close() // the first error tells more
		return nil, err
	}
	return in, nil
}

// regular returns nil, or why the file cannot be read or written in parts.
func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return &oms.Error{Code: oms.ErrInvalid, Err: errors.New("it is a folder; name a file in it")}
	case !info.Mode().IsRegular():
		return &oms.Error{Code: oms.ErrInvalid, Err: errors.New("it is a device, pipe or socket; name a regular file")}
	}
	return nil
}

func (in *input) close() { _ = in.f.Close() } // nothing was written

// restart goes to the beginning of the file, whatever it is by now.
func (in *input) restart() error {
	info, err := in.f.Stat()
	if err != nil {
		return err
	}
	if err := regular(info); err != nil {
		return err
	}
	if in.id, err = identify(in.f, info, 0); err != nil {
		return err
	}
	in.split = newSplitter(in.format, in.keyField)
	in.off, in.line, in.buf = 0, 0, nil
	return nil
}

// identified has the identity cover what has been read, while that is short.
// It covers no more: the writer may still take back an unfinished line, as
// file-sink does after a crash.
func (in *input) identified() error {
	if in.off <= int64(in.id.covered) || in.id.covered == maxCovered {
		return nil
	}
	info, err := in.f.Stat()
	if err != nil {
		return err
	}
	in.id, err = identify(in.f, info, in.off)
	return err
}

// fill reads what there is behind off, and reports whether that is not what is
// in buf already. It reads the beginning of a record again, for the same
// reason, and makes a new buffer each time: bodies go on living in the old one.
func (in *input) fill() (bool, error) {
	info, err := in.verify()
	if err != nil {
		return false, err
	}
	rest := info.Size() - in.off
	want := len(in.buf) + max(chunk, len(in.buf)) // doubled for long records, so that these are not read over and over
	buf := make([]byte, min(int64(want), rest))
	n, err := in.f.ReadAt(buf, in.off)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	before := in.buf
	in.buf = buf[:n]
	return !bytes.Equal(before, in.buf), nil
}

// verify returns errReplaced when the file was truncated or written anew.
func (in *input) verify() (fs.FileInfo, error) {
	info, err := in.f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < in.off {
		return nil, fmt.Errorf("%w: it was truncated to %d bytes", errReplaced, info.Size())
	}
	same, err := in.id.sameContent(in.f)
	if err == nil && !same {
		err = fmt.Errorf("%w: it does not begin as it did", errReplaced)
	}
	return info, err
}

// records finds the next records, as many as are there but no more than a
// batch. With last, a last line without a newline is one. The slice is valid
// until the next call; records that were found before an error count.
func (in *input) records(last bool) ([]found, error) {
	in.found = in.found[:0]
	for len(in.found) < in.batch {
		n, err := in.step(last)
		if err != nil {
			return in.found, errors.Join(err, in.identified())
		}
		if n > 0 {
			continue
		}
		if last || len(in.found) > 0 {
			break
		}
		if more, err := in.fill(); err != nil || !more {
			return nil, err
		}
	}
	return in.found, in.identified()
}

// step takes one record off buf, and returns its length: 0 when buf does not
// have all of it.
func (in *input) step(last bool) (int, error) {
	if len(in.buf) == 0 {
		return 0, nil
	}
	if in.off == 0 && in.format != formatLines {
		if mark := min(len(in.buf), len(byteOrderMark)); string(in.buf[:mark]) == byteOrderMark[:mark] {
			if mark < len(byteOrderMark) && !last {
				return 0, nil
			}
			in.advance(mark, 0)
			return mark, nil
		}
	}
	rec, n, err := in.split.next(in.buf, last)
	length := n
	if n == 0 {
		length = len(in.buf)
	}
	content := bytes.TrimSuffix(in.buf[:length], []byte("\n"))
	if in.format != formatLines {
		content = bytes.TrimSuffix(content, []byte("\r"))
	}
	if len(content) > in.limit {
		return 0, in.tooLong()
	}
	if err != nil {
		return 0, in.malformed(err)
	}
	if n == 0 {
		return 0, nil
	}
	tail := int64(0)
	if in.buf[n-1] != '\n' {
		tail = int64(n)
	}
	in.advance(n, rec.lines)
	if !rec.skip {
		in.found = append(in.found, found{key: rec.key, body: rec.body, line: in.line, end: in.off, tail: tail})
	}
	return n, nil
}

func (in *input) advance(n int, lines int64) {
	in.off += int64(n)
	in.line += lines
	in.buf = in.buf[n:]
}

func (in *input) tooLong() error {
	hint := ""
	if in.format == formatCSV {
		hint = ", or look for a quote that is never closed"
	}
	return &oms.Error{Op: "read", Driver: sourceClass, Target: in.path, Code: oms.ErrTooLarge, Err: fmt.Errorf(
		"line %d has more than %d bytes, the limit that key max.line.bytes sets; raise it%s", in.line+1, in.limit, hint)}
}

func (in *input) malformed(err error) error {
	code, line := oms.ErrFormat, in.line+1
	if fe, ok := errors.AsType[*formatError](err); ok {
		code, line = fe.code, line+fe.line
	}
	return &oms.Error{Op: "read", Driver: sourceClass, Target: in.path, Code: code, Err: fmt.Errorf("line %d: %w", line, err)}
}
