package omconnect

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The gateway's own files in the data folder, beside state.db and the
// embedded broker's folder.
const (
	lockFile    = "lock"       // held as long as the gateway runs; has its process id
	gatewayFile = "gateway.id" // who this gateway is to others
	storeFile   = "state.id"   // which store it knows
	tokenFile   = "token"      // what calls of the API need, with rest.tokens: auto
	folderMode  = 0o700        // positions and payloads are nobody else's
	fileMode    = os.FileMode(0o600)
)

// A dataFolder is the folder of one gateway, locked against others.
type dataFolder struct {
	path string
	lock *os.File
	id   string // the gateway's: stays the same over restarts, so that it takes its own leases back
}

// openDataFolder makes the folder where it is missing, and locks it.
func openDataFolder(path string) (*dataFolder, error) {
	if err := os.MkdirAll(path, folderMode); err != nil {
		return nil, badUsage("data folder %s: cannot be made: %w; name another one with --data", path, cause(err))
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, fileMode) //nolint:gosec // the operator's choice
	if err != nil {
		return nil, notWritable(path, err)
	}
	f := &dataFolder{path: path, lock: lock}
	if err := f.claim(); err != nil {
		_ = lock.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

func notWritable(path string, err error) error {
	return badUsage("data folder %s: cannot be written: %w; give this user the right to, or name another one with --data", path, cause(err))
}

// claim takes the lock, and finds or makes the gateway's id.
func (f *dataFolder) claim() error {
	err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return badUsage("data folder %s: another gateway%s uses it; stop that one, or name another folder with --data", f.path, f.holder())
	}
	if err != nil {
		return badUsage("data folder %s: cannot be locked: %w; use a local file system, or name another folder with --data", f.path, err)
	}
	err = f.lock.Truncate(0)
	if err == nil {
		_, err = f.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err == nil {
		f.id, err = f.recall(gatewayFile)
	}
	if err == nil && f.id == "" {
		f.id = newID()
		err = f.remember(gatewayFile, f.id)
	}
	if err != nil {
		return notWritable(f.path, err)
	}
	return nil
}

// holder tells the process that has the lock, if it says so.
func (f *dataFolder) holder() string {
	text, err := os.ReadFile(f.lock.Name())
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}

// recall returns what a file of the folder has, "" when there is none.
func (f *dataFolder) recall(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(f.path, name)) //nolint:gosec // the names are those above
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// remember replaces a file of the folder as a whole, durably.
func (f *dataFolder) remember(name, text string) error {
	path := filepath.Join(f.path, name)
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fileMode) //nolint:gosec // as above
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// close gives the folder back.
func (f *dataFolder) close() error { return f.lock.Close() }

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
