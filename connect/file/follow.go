package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/omconnect/omconnect/oms"
)

const (
	// followInterval is how long Poll waits at the end of a followed file.
	followInterval = 100 * time.Millisecond
	// renamedGrace is how long the end of a renamed file is watched: its
	// writer goes on until it is told.
	renamedGrace = time.Second
)

// opened opens the file, and reports whether one is open: one that is
// followed may come later.
func (s *source) opened() (bool, error) {
	if len(s.inputs) > 0 {
		return true, nil
	}
	in, err := openInput(s.path, s.settings)
	if err == nil {
		s.inputs = append(s.inputs, in)
		return true, nil
	}
	if errors.Is(err, fs.ErrNotExist) && s.settings.follow {
		return false, nil
	}
	return false, s.cannotOpen(err)
}

func (s *source) cannotOpen(err error) error {
	e := &oms.Error{Op: "open", Driver: sourceClass, Target: s.path, Code: oms.CodeOf(err)}
	switch {
	case e.Code != "":
		e.Err = fmt.Errorf("key file: %w", errors.Unwrap(err))
	case errors.Is(err, fs.ErrNotExist):
		e.Code = oms.ErrNotFound
		e.Err = errors.New("key file: there is no such file; create it, correct the path, or set follow to true to wait for it")
	default:
		e.Code = codeOf(err)
		e.Err = fmt.Errorf("key file: %w; %s", err, advice(e.Code))
	}
	return e
}

// resume goes to the stored position, in the file that it is of.
func (s *source) resume() error {
	p := *s.stored
	in := s.inputs[0]
	err := in.seek(p, s.settings.follow)
	if errors.Is(err, errReplaced) {
		if err := s.failed(in.restart()); err != nil {
			return err
		}
		if renamed := s.findRenamed(p); renamed != nil {
			s.log.Warn("the file was renamed while the source was not running; it is read to its end before the one that has its name now. "+
				"Files that had the name in between are not read",
				"file", s.path, "renamed", renamed.path, "offset", p.offset)
			s.inputs = []*input{renamed, in}
		} else {
			s.log.Warn("the file is not the one that was read before; it is read from its beginning, and what the other had behind the offset may have been missed",
				"file", s.path, "reason", err.Error(), "offset", p.offset)
		}
		err = nil
	}
	if err == nil {
		s.stored = nil
	}
	return s.failed(err)
}

func (s *source) findRenamed(p position) *input {
	if !s.settings.follow || p.id == nil {
		return nil
	}
	return findRenamed(s.path, p, s.settings)
}

// watch opens the file that has the name, if it is not one that is open, so
// that it is not lost when it is renamed as well.
func (s *source) watch() error {
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // renamed, and not yet made anew
	}
	if err != nil {
		return s.failed(err)
	}
	var named identity
	named.dev, named.inode = deviceAndInode(info)
	if newest := s.inputs[len(s.inputs)-1]; named.dev == newest.id.dev && named.inode == newest.id.inode {
		return nil
	}
	in, err := openInput(s.path, s.settings)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return s.cannotOpen(err)
	}
	s.log.Info("another file has the name now; it is read when the one before it is at its end", "file", s.path)
	s.inputs = append(s.inputs, in)
	return nil
}

// atEnd goes on with the next file when there is one, and this one has not
// grown for a while.
func (s *source) atEnd() ([]*oms.Message, error) {
	if len(s.inputs) == 1 {
		return nil, nil
	}
	if s.endedAt.IsZero() {
		s.endedAt = time.Now()
	}
	if time.Since(s.endedAt) < renamedGrace {
		return nil, nil
	}
	in := s.inputs[0]
	found, err := in.records(true) // nobody will end its last line any more
	if len(found) > 0 || err != nil {
		return s.messages(in, found), s.failed(err)
	}
	in.close()
	s.inputs, s.endedAt = s.inputs[1:], time.Time{}
	return s.poll()
}

// replaced begins again with a file that was truncated or written anew.
func (s *source) replaced(reason error) error {
	in := s.inputs[0]
	s.log.Warn("the file was truncated or written anew; it is read from its beginning, and what it had behind the offset may have been missed",
		"file", s.path, "reason", reason.Error(), "offset", in.off, "unfinished", len(in.buf))
	return s.failed(in.restart())
}
