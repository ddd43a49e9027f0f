package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// openFile opens the file, and names what is wrong and what to do about it.
func openFile(dir, path string) (db *bolt.DB, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, err)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is not a file; name another data folder", oms.ErrInvalid)
	}
	db, err = openBolt(path)
	switch {
	case err == nil:
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("%w: another gateway has this file open; stop it, or give this one a data folder of its own", oms.ErrHeld)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch),
		errors.Is(err, errDamaged):
		return nil, fmt.Errorf("%w: it is damaged or no state file (%w); bring back a copy, or name another data folder", oms.ErrFormat, err)
	default:
		return nil, unusable(dir, err)
	}
	if err := os.Chmod(path, 0o600); err != nil { // bolt's mode is for new files
		return nil, errors.Join(unusable(dir, err), db.Close())
	}
	return db, nil
}

var errDamaged = errors.New("it ends before its content does")

// openBolt opens and reads through the file. The file is mapped into memory:
// where it was cut off, reading is a fault, and would end the process.
func openBolt(path string) (db *bolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err == nil {
		err = db.View(func(tx *bolt.Tx) error {
			if info.Size() < tx.Size() {
				return errDamaged
			}
			return nil
		})
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// unusable explains why nothing can be stored in the folder.
func unusable(dir string, err error) error {
	code, advice := classify(err), "name another data folder"
	if code == oms.ErrDenied {
		advice = "make the folder " + dir + " writable for this user, or name another one"
	}
	return fmt.Errorf("%w: %w; %s", code, err, advice)
}

// classify gives errors of the file system and of bbolt their code. A code
// that the caller has set goes before.
func classify(err error) oms.Code {
	switch {
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen), errors.Is(err, bolterrors.ErrTxClosed):
		return oms.ErrClosed
	case errors.Is(err, bolterrors.ErrKeyTooLarge), errors.Is(err, bolterrors.ErrValueTooLarge):
		return oms.ErrTooLarge
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG), errors.Is(err, bolterrors.ErrMaxSizeReached):
		return oms.ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return oms.ErrDenied
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		return oms.ErrInvalid
	}
	return oms.ErrUnavailable // the disk: it may come back
}

// prepare makes what a new file needs, and checks that of an old one.
func (s *Store) prepare() error {
	return s.fail("open", s.path, s.db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketDefinitions, bucketConnectors} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if id := meta.Get(keyStoreID); id != nil {
			s.id = string(id)
			oldest, err := strconv.Atoi(string(meta.Get(keyMinReader)))
			if err != nil {
				return fmt.Errorf("%w: it does not say who may read it", oms.ErrFormat)
			}
			return offsets.CheckFormat(oldest)
		}
		s.id = uuid.NewString()
		version := []byte(strconv.Itoa(offsets.FormatVersion))
		return errors.Join(meta.Put(keyStoreID, []byte(s.id)), meta.Put(keySchema, version), meta.Put(keyMinReader, version))
	}))
}
