//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package file

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// deviceAndInode returns what the file system knows the file by.
func deviceAndInode(info fs.FileInfo) (dev, inode uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), uint64(st.Ino) //nolint:unconvert // signed or narrower on some systems; compared only
	}
	return 0, 0
}

// lock locks the open file, or reports that somebody else has. Closing the
// file unlocks it.
func lock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// syncFolder makes names in the folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // the folder of the configured file
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
