package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func encodeState(floor, delivered uint64, pending ...uint64) []byte {
	b := []byte{stateMagic, stateVersion}
	for _, v := range []uint64{floor + 7, floor, delivered + 7, delivered, uint64(len(pending))} {
		b = binary.AppendUvarint(b, v)
	}
	if len(pending) > 0 {
		b = binary.AppendVarint(b, 1_700_000_000)
	}
	for _, seq := range pending {
		b = binary.AppendUvarint(b, seq-floor)
		b = binary.AppendUvarint(b, 3)
		b = binary.AppendVarint(b, -300)
	}
	return append(b, 0)
}

func TestAConsumersStateIsRead(t *testing.T) {
	s, err := readState(encodeState(10, 300, 11, 13, 299))
	if err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[uint64]bool{1: true, 10: true, 11: false, 12: true, 13: false, 299: false, 300: true, 301: false} {
		if got := s.acknowledged(seq); got != want {
			t.Errorf("acknowledged(%d) is %v", seq, got)
		}
	}
}

func FuzzConsumersState(f *testing.F) {
	f.Add(encodeState(0, 0))
	f.Add(encodeState(10, 300, 11, 13, 299))
	f.Add([]byte{stateMagic, 1})
	f.Fuzz(func(_ *testing.T, b []byte) {
		s, err := readState(b)
		if err == nil {
			s.acknowledged(5)
		}
	})
}

// consumerFolder makes the folder of a consumer as the server would, with a
// state file if there is content.
func consumerFolder(t *testing.T, content []byte) (b *broker, file string) {
	t.Helper()
	b = &broker{folder: &folder{path: t.TempDir()}}
	dir := filepath.Join(b.folder.store(), "jetstream", "$G", "streams", "t-0", "obs", "g")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "o.dat")
	if content != nil {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b, file
}

func TestAStateOfAnotherFormIsNoAnswer(t *testing.T) {
	whole := encodeState(10, 300)
	newer := append([]byte{stateMagic, stateVersion + 1}, whole[2:]...)
	other := append([]byte{stateMagic + 1, stateVersion}, whole[2:]...)
	for name, content := range map[string][]byte{"a newer version": newer, "something else": other} {
		b, _ := consumerFolder(t, content)
		if err := b.written(t.Context(), "t-0", "g", 5); !errors.Is(err, oms.ErrFormat) || !errors.Is(err, errStateForm) {
			t.Errorf("%s: written returns %v, want ErrFormat", name, err)
		}
		if floor, err := b.floor(t.Context(), "t-0", "g", 10); !errors.Is(err, oms.ErrFormat) {
			t.Errorf("%s: floor returns %d, %v; want ErrFormat", name, floor, err)
		}
	}
	b, _ := consumerFolder(t, whole)
	for name, err := range map[string]error{
		"another stream":   b.written(t.Context(), "t-1", "g", 5),
		"another consumer": b.written(t.Context(), "t-0", "h", 5),
	} {
		if !errors.Is(err, errNoState) || oms.IsTemporary(err) {
			t.Errorf("%s: %v, want one that says where nothing is", name, err)
		}
	}
}

func TestAStateThatIsNotWholeIsReadAgain(t *testing.T) {
	whole := encodeState(10, 300, 11, 13)
	for name, content := range map[string][]byte{"missing": nil, "empty": {}, "cut": whole[:len(whole)-4], "late": encodeState(4, 300, 10)} {
		b, file := consumerFolder(t, content)
		short, cancel := context.WithTimeout(t.Context(), 3*stateEvery)
		if err := b.written(short, "t-0", "g", 10); !errors.Is(err, oms.ErrTimeout) {
			t.Errorf("%s: %v, want ErrTimeout", name, err)
		}
		cancel()
		done := make(chan error, 1)
		go func() { done <- b.written(t.Context(), "t-0", "g", 10) }()
		if err := errors.Join(os.WriteFile(file+".tmp", whole, 0o600), os.Rename(file+".tmp", file)); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s, then whole: %v", name, err)
		}
	}
}

func TestAFloorIsTheLowerOfWhatIsToldAndWritten(t *testing.T) {
	b, _ := consumerFolder(t, encodeState(10, 300, 11))
	for told, want := range map[uint64]uint64{3: 3, 10: 10, 17: 10} {
		if got, err := b.floor(t.Context(), "t-0", "g", told); err != nil || got != want {
			t.Errorf("told %d and 10 written, the floor is %d, %v; want %d", told, got, err, want)
		}
	}
}
