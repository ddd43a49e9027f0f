package embedded

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// How stale a look at the free space may be: in time, and in bytes sent since.
const (
	diskLookEvery = 200 * time.Millisecond
	diskLookBytes = 1 << 20
)

// A disk watches the free space under the broker's folder.
type disk struct {
	path  string
	floor int64 // sends are refused when less than this is free

	mu     sync.Mutex
	looked time.Time
	since  int64 // bytes sent since
	free   int64
}

// newDisk finds out the floor: what was asked for, or the larger of 1 GiB and
// 5 % of the disk, but never more than a tenth of it.
func newDisk(path string, floor int64) (*disk, error) {
	free, total, err := space(path)
	if err != nil {
		return nil, err
	}
	if floor < 0 {
		floor = min(max(1<<30, total/20), total/10)
	}
	return &disk{path: path, floor: floor, free: free}, nil
}

// admit returns ErrFull when there is no room for n more bytes.
func (d *disk) admit(n int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.since += int64(n)
	if d.since > diskLookBytes || time.Since(d.looked) > diskLookEvery {
		free, _, err := space(d.path)
		if err != nil {
			return fmt.Errorf("free space of %s: %w", d.path, err)
		}
		d.free, d.since, d.looked = free, 0, time.Now()
	}
	if d.free-d.since < d.floor {
		d.looked = time.Time{} // look again at the next call
		return d.full()
	}
	return nil
}

// full reports whether the disk is too full for the server, as an error. A
// disk of which less than a block of the server's is free counts as well:
// there the next write fails, whatever the floor.
func (d *disk) isFull() bool {
	free, _, err := space(d.path)
	return err == nil && free < max(d.floor, 256<<10)
}

func (d *disk) full() error {
	return &oms.Error{Code: oms.ErrFull, Target: d.path, Err: fmt.Errorf(
		"%d MiB are free, and min.free.bytes keeps %d MiB; sending goes on by itself when there is more", d.free>>20, d.floor>>20)}
}

// roomy reports whether there is room again to write, with some to spare so
// that the server is not restarted for a single message.
func (d *disk) roomy() bool {
	free, total, err := space(d.path)
	return err == nil && free >= d.floor+min(64<<20, total/20)
}

// space asks the file system what is free for this user, and the whole size.
func space(path string) (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	size := int64(s.Bsize)                                     //nolint:unconvert // its type differs between systems
	return int64(s.Bavail) * size, int64(s.Blocks) * size, nil //nolint:gosec // no disk is that large
}

// used is what a folder takes already.
func used(path string) int64 {
	var sum int64
	_ = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read counts for nothing
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
