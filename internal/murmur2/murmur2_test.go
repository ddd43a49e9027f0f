package murmur2_test

import (
	"fmt"
	"testing"

	"github.com/omconnect/omconnect/internal/murmur2"
)

// The sums are those of UtilsTest.testMurmur2 of Kafka's Java client, which
// has them as signed numbers.
var vectors = []struct {
	data string
	sum  int32
}{
	{"21", -973932308},
	{"foobar", -790332482},
	{"a-little-bit-long-string", -985981536},
	{"a-little-bit-longer-string", -1486304829},
	{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
	{"abc", 479470107},
}

func TestSumIsThatOfTheJavaClient(t *testing.T) {
	for _, v := range vectors {
		if got := int32(murmur2.Sum([]byte(v.data))); got != v.sum {
			t.Errorf("Sum(%q) = %d, want %d", v.data, got, v.sum)
		}
	}
}

func TestPartitionDropsTheSignFirst(t *testing.T) {
	for _, v := range vectors {
		for _, n := range []int{1, 2, 3, 7, 1000} {
			want := int(int64(v.sum)&0x7fffffff) % n
			if got := murmur2.Partition([]byte(v.data), n); got != want {
				t.Errorf("Partition(%q, %d) = %d, want %d", v.data, n, got, want)
			}
		}
	}
}

func TestNilAndEmptyKeysShareAPartition(t *testing.T) {
	if a, b := murmur2.Partition(nil, 12), murmur2.Partition([]byte{}, 12); a != b {
		t.Errorf("nil key is in %d, empty key in %d", a, b)
	}
}

func TestKeysSpreadOverAllPartitions(t *testing.T) {
	const keys, parts = 10_000, 16
	counts := make([]int, parts)
	for i := range keys {
		counts[murmur2.Partition(fmt.Appendf(nil, "key-%d", i), parts)]++
	}
	for p, n := range counts {
		if n < keys/parts/2 || n > keys/parts*2 {
			t.Errorf("partition %d has %d of %d keys, want about %d", p, n, keys, keys/parts)
		}
	}
}
