package file

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// maxCovered is how many of a file's first bytes its identity covers.
const maxCovered = 1024

// An identity tells a file from another of the same name. Device and inode
// alone do not: an inode is given to the next file as soon as it is free.
type identity struct {
	dev, inode uint64
	covered    int    // how many first bytes sum is of
	sum        uint64 // FNV-1a of these
}

// String returns the form that positions have.
func (id identity) String() string {
	return fmt.Sprintf("%x-%x-%d-%016x", id.dev, id.inode, id.covered, id.sum)
}

// parseIdentity is the inverse of String.
func parseIdentity(s string) (id identity, err error) {
	parts := strings.Split(s, "-")
	if len(parts) != 4 {
		return id, fmt.Errorf("%.80q is not the identity of a file", s)
	}
	covered, err := strconv.Atoi(parts[2])
	if err != nil || covered < 0 || covered > maxCovered {
		return id, fmt.Errorf("%.80q is not the identity of a file", s)
	}
	id.covered = covered
	for i, to := range []*uint64{0: &id.dev, 1: &id.inode, 3: &id.sum} {
		if to == nil {
			continue
		}
		if *to, err = strconv.ParseUint(parts[i], 16, 64); err != nil {
			return id, fmt.Errorf("%.80q is not the identity of a file", s)
		}
	}
	return id, nil
}

// identify returns the identity of an open file, over up to n first bytes.
func identify(f io.ReaderAt, info fs.FileInfo, n int64) (identity, error) {
	var id identity
	id.dev, id.inode = deviceAndInode(info)
	var err error
	id.covered, id.sum, err = fingerprint(f, int(min(n, maxCovered)))
	return id, err
}

// fingerprint hashes up to n first bytes, and says how many there were.
func fingerprint(f io.ReaderAt, n int) (covered int, sum uint64, err error) {
	var first [maxCovered]byte
	covered, err = f.ReadAt(first[:n], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	h := fnv.New64a()
	h.Write(first[:covered])
	return covered, h.Sum64(), nil
}

// sameInode reports whether both are of one file by device and inode. The
// device counts only as long as the content tells too little: reboots and
// mounts number devices anew.
func (id identity) sameInode(other identity) bool {
	return id.inode == other.inode && (id.dev == other.dev || id.covered == maxCovered)
}

// sameContent reports whether f still begins with the bytes of the identity.
func (id identity) sameContent(f io.ReaderAt) (bool, error) {
	covered, sum, err := fingerprint(f, id.covered)
	return err == nil && covered == id.covered && sum == id.sum, err
}
