package omconnect

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADataFolderBelongsToOneGateway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	p := begin(t, "run", "--data", dir, "--listen", "127.0.0.1:0")
	p.await("gateway started")
	code, _, stderr := run(t, "run", "--data", dir, "--listen", "127.0.0.1:0")
	want := fmt.Sprintf("omconnect: data folder %s: another gateway (process %d) uses it; stop that one, or name another folder with --data\n", dir, os.Getpid())
	if code != exitUsage || stderr != want {
		t.Errorf("exit %d, %q, want %d, %q", code, stderr, exitUsage, want)
	}
	p.stop()
	p.wait()
	if f, err := openDataFolder(dir); err != nil {
		t.Errorf("the folder was not given back: %v", err)
	} else if err := f.close(); err != nil {
		t.Error(err)
	}
}

func TestADataFolderThatCannotBeIsBadUsage(t *testing.T) {
	file := write(t, "file", "")
	noFile := t.TempDir()
	if err := os.Mkdir(filepath.Join(noFile, lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		file:                         "cannot be made: not a directory; name another one with --data",
		filepath.Join(file, "below"): "cannot be made: not a directory; name another one with --data",
		noFile:                       "cannot be written: is a directory; give this user the right to, or name another one with --data",
	} {
		code, _, stderr := run(t, "run", "--data", dir, "--listen", "127.0.0.1:0")
		if want := "omconnect: data folder " + dir + ": " + want + "\n"; code != exitUsage || stderr != want {
			t.Errorf("exit %d, %q, want %d, %q", code, stderr, exitUsage, want)
		}
	}
}

func TestAGatewayKeepsItsID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var ids []string
	for range 2 {
		f, err := openDataFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, f.id)
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
	}
	if ids[0] != ids[1] || len(ids[0]) != 32 {
		t.Errorf("the ids are %q, want one of 32 digits twice", ids)
	}
	if other := newID(); other == ids[0] {
		t.Errorf("two gateways have the id %s", other)
	}
}

func TestTheDataFolderIsNobodyElses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	f, err := openDataFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != folderMode {
		t.Errorf("the folder's mode is %v, %v, want %o", info.Mode(), err, folderMode)
	}
	for _, name := range []string{lockFile, gatewayFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != fileMode {
			t.Errorf("the mode of %s is %v, %v, want %v", name, info.Mode(), err, fileMode)
		}
	}
}

func TestWhatIsRememberedIsReplacedAsAWhole(t *testing.T) {
	f, err := openDataFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if text, err := f.recall("x"); text != "" || err != nil {
		t.Errorf("what was never remembered is %q, %v", text, err)
	}
	for _, text := range []string{"a long text to begin with", "short"} {
		if err := f.remember("x", text); err != nil {
			t.Fatal(err)
		}
		if got, err := f.recall("x"); got != text || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".new") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}
