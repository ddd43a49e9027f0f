package embedded

import (
	"encoding/binary"
	"testing"
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
