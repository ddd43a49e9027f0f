package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// seek goes to a position of this file. It is errReplaced when the position
// is not of this file, or not of what it has now. The file may still grow when
// it is the one that is followed: then waits is true.
func (in *input) seek(p position, waits bool) error {
	info, err := in.f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if size < p.offset {
		return fmt.Errorf("%w: it has %d bytes", errReplaced, size)
	}
	if p.id != nil {
		if !p.id.sameInode(in.id) {
			return fmt.Errorf("%w: another file has its name", errReplaced)
		}
		if same, err := p.id.sameContent(in.f); err != nil {
			return err
		} else if !same {
			return fmt.Errorf("%w: it does not begin as it did", errReplaced)
		}
		if p, err = in.settle(p, size, waits); err != nil {
			return err
		}
	}
	if p.offset > 0 {
		if err := in.readHeader(); err != nil {
			return err
		}
	}
	in.off, in.line, in.buf = p.offset, p.line, nil
	return nil
}

// settle checks that a line ends at the position, and moves it when the one
// before it had no newline but has one or has grown since.
func (in *input) settle(p position, size int64, waits bool) (position, error) {
	from := max(0, p.offset-max(p.tail, 1))
	around := make([]byte, min(size, p.offset+2)-from)
	if n, err := in.f.ReadAt(around, from); err != nil && (!errors.Is(err, io.EOF) || n < len(around)) {
		return p, err
	}
	before, behind := around[:p.offset-from], around[p.offset-from:]
	if ended := p.offset == 0 || before[len(before)-1] == '\n'; ended != (p.tail == 0) {
		return p, fmt.Errorf("%w: the line before byte %d does not end as it did", errReplaced, p.offset)
	}
	if p.tail == 0 {
		return p, nil
	}
	if in.format != formatLines && string(behind) == "\r\n" {
		return position{offset: p.offset + 2, line: p.line + 1}, nil
	}
	if bytes.HasPrefix(behind, []byte("\n")) {
		return position{offset: p.offset + 1, line: p.line + 1}, nil
	}
	if size > p.offset || waits {
		return position{offset: from, line: p.line - int64(bytes.Count(before, []byte("\n")))}, nil
	}
	return p, nil
}

// readHeader reads what every later part of the file is read with.
func (in *input) readHeader() error {
	rows, ok := in.split.(*csvRows)
	for ok && rows.names == nil {
		n, err := in.step(false)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if more, err := in.fill(); err != nil {
			return err
		} else if !more {
			return fmt.Errorf("%w: it has no header", errReplaced)
		}
	}
	return nil
}

// findRenamed looks for the file that the position is of under another name
// in the folder, as log rotation leaves it. It returns nil if there is none.
func findRenamed(path string, p position, cfg settings) *input {
	folder := filepath.Dir(path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	// Rotation puts something behind the name, or between name and ending.
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), stem) || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			continue
		}
		if _, inode := deviceAndInode(info); inode != p.id.inode {
			continue
		}
		in, err := openInput(filepath.Join(folder, entry.Name()), cfg)
		if err != nil {
			continue
		}
		if in.seek(p, false) == nil {
			return in
		}
		in.close()
	}
	return nil
}
