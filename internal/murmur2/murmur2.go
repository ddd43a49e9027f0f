// Package murmur2 is the hash by which Kafka's Java client spreads keys over
// partitions. Every driver that chooses partitions itself uses it, so that a
// key has the same partition number whichever broker is behind a topic.
package murmur2

import "encoding/binary"

// Sum returns the hash of data, with the seed that Kafka's clients use.
func Sum(data []byte) uint32 {
	const (
		seed  = 0x9747b28c
		mix   = 0x5bd1e995
		shift = 24
	)
	h := seed ^ uint32(len(data)) //nolint:gosec // the hash is defined over the low 32 bits of the length
	for len(data) >= 4 {
		k := binary.LittleEndian.Uint32(data)
		k *= mix
		k ^= k >> shift
		k *= mix
		h = h*mix ^ k
		data = data[4:]
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= mix
	}
	h ^= h >> 13
	h *= mix
	return h ^ h>>15
}

// Partition returns which of n partitions a key belongs to. It panics when
// there are none.
func Partition(key []byte, n int) int {
	// The sign bit goes first because Java has no unsigned remainder.
	return int(Sum(key)&0x7fffffff) % n
}
