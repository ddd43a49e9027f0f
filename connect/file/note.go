package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// noteSuffix is what the name of the note has behind that of the file.
const noteSuffix = ".omc"

// A note stands beside a file that a sink writes. It is what tells a line that
// the sink has left unfinished from one that was so before.
type note struct {
	Version int    `json:"version"`
	ID      string `json:"id"`   // of the file, as in positions
	Size    int64  `json:"size"` // the file was whole up to here
	Open    bool   `json:"open"` // what is behind was written by the sink
}

const noteVersion = 1

// readNote reads the note of a file. None, and a torn one, is nil: without a
// note nothing is cut off.
func readNote(path string) (*note, error) {
	data, err := os.ReadFile(path + noteSuffix) //nolint:gosec // beside the configured file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var n note
	if json.Unmarshal(data, &n) != nil {
		return nil, nil //nolint:nilerr // one that makes no sense is none
	}
	if n.Version > noteVersion {
		return nil, fmt.Errorf("%s was written by a newer version of this program", path+noteSuffix)
	}
	return &n, nil
}

// write replaces the note of a file. It is durable when write returns, and so
// is the name of the file, which is in the same folder.
func (n note) write(path string) error {
	n.Version = noteVersion
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	name := path + noteSuffix
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) //nolint:gosec // as readable as the file itself
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(name + ".new")
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// wrote reports whether the sink has written what is behind the note's size.
func (n *note) wrote(f *os.File, info fs.FileInfo) (bool, error) {
	if n == nil || !n.Open || info.Size() < n.Size {
		return false, nil
	}
	id, err := parseIdentity(n.ID)
	if err != nil {
		return false, nil //nolint:nilerr // a note that makes no sense is none
	}
	if _, inode := deviceAndInode(info); inode != id.inode {
		return false, nil // the device is not asked for: it may be numbered anew after a power cut
	}
	return id.sameContent(f)
}

// mend makes the file end with a newline: it cuts off what the sink has left
// of a line, and ends a line of somebody else. It returns the size after that,
// and how many bytes were cut off.
func mend(f *os.File, info fs.FileInfo, n *note) (size, cut int64, err error) {
	size = info.Size()
	whole, err := lastLineEnd(f, size, max(0, size-1))
	if err != nil || size == 0 || whole == size {
		return size, 0, err
	}
	ours, err := n.wrote(f, info)
	if err != nil {
		return size, 0, err
	}
	if !ours {
		_, err = f.Write([]byte("\n"))
		return size + 1, 0, errors.Join(err, f.Sync())
	}
	if whole, err = lastLineEnd(f, size, n.Size); err != nil {
		return size, 0, err
	}
	return whole, size - whole, errors.Join(f.Truncate(whole), f.Sync())
}

// lastLineEnd returns the offset behind the last newline of the first size
// bytes of f, but no less than from.
func lastLineEnd(f io.ReaderAt, size, from int64) (int64, error) {
	block := make([]byte, 64<<10)
	for size > from {
		part := block[:min(size-from, int64(len(block)))]
		start := size - int64(len(part))
		if _, err := f.ReadAt(part, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		size = start
	}
	return size, nil
}
