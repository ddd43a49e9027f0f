package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/omconnect/omconnect/oms"
)

// open opens the file or makes it, locks it, mends its end and notes that it
// is being written.
func (s *sink) open() (err error) {
	f, err := s.openLocked()
	if err != nil {
		return s.cannotOpen(err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the first error tells more
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return s.failed("open", err)
	}
	n, err := readNote(s.path)
	if err != nil {
		return s.failed("open", err)
	}
	_, cut, err := mend(f, info, n)
	if err != nil {
		return s.failed("mend", err)
	}
	if cut > 0 {
		s.log.Warn("a crash had left a line unfinished; it was cut off, and comes again as a whole", "file", s.path, "bytes", cut)
	}
	if err := s.note(f, true); err != nil {
		return s.failed("note", err)
	}
	s.f = f
	return nil
}

// openLocked opens the file until the one that it has locked is the one that
// has the name.
func (s *sink) openLocked() (*os.File, error) {
	for {
		info, err := os.Stat(s.path)
		if err == nil {
			err = regular(info) // opening a pipe would wait for a reader
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		f, err := os.OpenFile(s.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644) //nolint:gosec // as readable as the umask lets it be
		if err != nil {
			return nil, err
		}
		locked, err := lock(f)
		if err == nil && !locked {
			err = &oms.Error{Code: oms.ErrBusy, Err: errors.New("another sink writes it; give each its own file")}
		}
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		open, errOpen := f.Stat()
		named, errNamed := os.Stat(s.path)
		if errOpen == nil && errNamed == nil && os.SameFile(open, named) {
			return f, nil
		}
		_ = f.Close()
		if err := errors.Join(errOpen, errNamed); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// note writes the note that goes with the file as it is.
func (s *sink) note(f *os.File, open bool) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	id, err := identify(f, info, info.Size())
	if err != nil {
		return err
	}
	return note{ID: id.String(), Size: info.Size(), Open: open}.write(s.path)
}

func (s *sink) cannotOpen(err error) error {
	e := &oms.Error{Op: "open", Driver: sinkClass, Target: s.path, Code: oms.CodeOf(err)}
	switch {
	case e.Code != "":
		e.Err = fmt.Errorf("key file: %w", errors.Unwrap(err))
	case errors.Is(err, fs.ErrNotExist):
		e.Code = oms.ErrNotFound
		e.Err = fmt.Errorf("key file: the folder %s does not exist; make it, or correct the path", filepath.Dir(s.path))
	default:
		e.Code = codeOf(err)
		e.Err = fmt.Errorf("key file: %w; %s", err, advice(e.Code))
	}
	return e
}
