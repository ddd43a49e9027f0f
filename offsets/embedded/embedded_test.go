package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/embedded"
	"github.com/omconnect/omconnect/offsets/offsetstest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		os.Exit(child(dir))
	}
	leaks.Main(m)
}

func TestFileKeepsTheContract(t *testing.T) {
	offsetstest.Run(t, func(t *testing.T) offsetstest.Harness {
		t.Helper()
		dir := t.TempDir()
		var open *embedded.Store
		return offsetstest.Harness{
			Open: func() (offsets.Store, error) {
				s, err := embedded.Open(dir)
				open = s
				return s, err
			},
			Reopens: true,
			Corrupt: func(connector string, p offsets.Partition, record string) error {
				return embedded.Overwrite(open, record, "connectors", connector, "positions", string(p))
			},
		}
	})
}

// edit changes the closed file in dir.
func edit(t *testing.T, dir string, f func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, embedded.FileName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(f), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
