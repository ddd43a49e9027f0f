package embedded

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/omconnect/omconnect/oms"
)

// The files in the broker's folder, beside the server's own.
const (
	lockFile     = "lock"
	identityFile = "VERSION"
	endpointFile = "endpoint"
	storeFolder  = "store"
)

// folderVersion is the version of the folder's layout. A newer one is refused,
// not guessed.
const folderVersion = 1

// A folder is the broker's place on disk, locked against other processes.
type folder struct {
	path     string
	identity string
	lock     *os.File
}

// openFolder makes the folder where it is missing, and locks it.
func openFolder(path string) (*folder, error) {
	fail := func(code oms.Code, err error) (*folder, error) {
		return nil, &oms.Error{Op: "open", Driver: Name, Target: path, Code: code, Err: err}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fail(folderCode(err), fmt.Errorf("the broker's folder cannot be made: %w", err))
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600) //nolint:gosec // the folder is the operator's choice
	if err != nil {
		return fail(folderCode(err), fmt.Errorf("the broker's folder cannot be written: %w; give this user the right to, or name another folder with the option dir", err))
	}
	f := &folder{path: path, lock: lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fail(oms.ErrHeld, fmt.Errorf("another broker%s runs in this folder; stop it, reach it through the file %s, or name another folder with the option dir",
				holder(path), filepath.Join(path, endpointFile)))
		}
		return fail(oms.ErrUnavailable, fmt.Errorf("the folder cannot be locked: %w", err))
	}
	if f.identity, err = readIdentity(path); err == nil {
		err = f.claim()
	}
	if err != nil {
		_ = lock.Close()
		return fail(folderCode(err), err)
	}
	return f, nil
}

// claim notes who holds the folder and removes what a killed process left.
func (f *folder) claim() error {
	if err := os.Remove(filepath.Join(f.path, endpointFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := f.lock.Truncate(0); err != nil {
		return err
	}
	_, err := f.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// close unlocks the folder.
func (f *folder) close() error { return f.lock.Close() }

func (f *folder) store() string { return filepath.Join(f.path, storeFolder) }

func holder(path string) string {
	b, err := os.ReadFile(filepath.Join(path, lockFile)) //nolint:gosec // the folder is the operator's choice
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}

func folderCode(err error) oms.Code {
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return oms.ErrDenied
	case errors.Is(err, syscall.ENOSPC):
		return oms.ErrFull
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, os.ErrExist):
		return oms.ErrInvalid
	case oms.CodeOf(err) != "":
		return oms.CodeOf(err)
	}
	return oms.ErrUnavailable
}

// identity is what stands in the file of that name.
type identity struct {
	Version  int    `json:"version"`
	Identity string `json:"identity"`
}

// readIdentity reads the broker's identity, or gives it one.
func readIdentity(path string) (string, error) {
	file := filepath.Join(path, identityFile)
	b, err := os.ReadFile(file) //nolint:gosec // the folder is the operator's choice
	if errors.Is(err, os.ErrNotExist) {
		id := identity{Version: folderVersion, Identity: newUUID()}
		if b, err = json.Marshal(id); err != nil {
			return "", err
		}
		return id.Identity, writeFile(file, append(b, '\n'))
	}
	if err != nil {
		return "", err
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil || id.Identity == "" {
		return "", &oms.Error{Target: file, Code: oms.ErrFormat, Err: errors.New("this is no broker's folder, or the file is damaged; restore it, or name another folder with the option dir")}
	}
	if id.Version > folderVersion {
		return "", &oms.Error{Target: file, Code: oms.ErrFormat, Err: fmt.Errorf("the folder was written by a newer release (version %d, this one knows %d)", id.Version, folderVersion)}
	}
	return id.Identity, nil
}

// writeFile replaces a file as a whole: readers see the old or the new one.
func writeFile(file string, content []byte) error {
	temporary := file + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // as above
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// announce writes the endpoint file.
func (f *folder) announce(address, user, password string) error {
	ap := oms.AccessPoint{Driver: NATSName, User: user, Password: oms.Secret(password), Hosts: []string{address}}
	return writeFile(filepath.Join(f.path, endpointFile), []byte(ap.Reveal()+"\n"))
}

// withdraw removes the endpoint file.
func (f *folder) withdraw() error {
	err := os.Remove(filepath.Join(f.path, endpointFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Endpoint returns the access point at which another process of the same user
// reaches the embedded broker that runs in a folder. It holds a password and
// is good until that broker stops. It is ErrNotFound while none runs there.
func Endpoint(dir string) (accessPoint string, err error) {
	file := filepath.Join(dir, endpointFile)
	b, err := os.ReadFile(file) //nolint:gosec // the folder is the operator's choice
	if err != nil {
		code := folderCode(err)
		if errors.Is(err, os.ErrNotExist) {
			code, err = oms.ErrNotFound, errors.New("no broker runs in this folder; start the gateway whose data it is")
		}
		return "", &oms.Error{Op: "find", Driver: Name, Target: dir, Code: code, Err: err}
	}
	accessPoint = strings.TrimSpace(string(b))
	if _, err := oms.ParseAccessPoint(accessPoint); err != nil {
		return "", &oms.Error{Op: "find", Driver: Name, Target: file, Code: oms.ErrFormat, Err: errors.New("the file is damaged; restart the broker")}
	}
	return accessPoint, nil
}
