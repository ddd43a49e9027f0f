package rocketmq

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// A message of a batch is its length, three numbers that the broker fills in or
// that are 0, the length of the body, the body, the length of the properties,
// and these.
const (
	packedHead = 5 * 4
	packedMore = 2
)

// largestPool is the largest buffer that is kept for the next batch.
const largestPool = 2 * requestBytes

// buffers are those of batches that were sent. The library has written a
// request when it returns, and keeps nothing of it.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// packed makes a batch of the messages, also of one: with a message by itself
// the library tells the broker to make a missing topic. One that is delayed has
// to go by itself. The message is the caller's until it calls recycle.
func packed(topic string, q queue, out []outgoing) (m *primitive.Message, recycle func()) {
	to := &primitive.MessageQueue{Topic: topic, BrokerName: q.broker, QueueId: q.id}
	if !out[0].due.IsZero() {
		m := single(topic, to, &out[0])
		m.WithDelayTimestamp(out[0].due)
		return m, func() {}
	}
	buffer := buffers.Get().(*[]byte)
	body := (*buffer)[:0]
	uniq := newUniqIDs(time.Now())
	for i := range out {
		body = appendPacked(body, &out[i], uniq)
	}
	*buffer = body
	return &primitive.Message{Topic: topic, Queue: to, Body: body, Batch: true}, func() {
		if cap(*buffer) <= largestPool {
			buffers.Put(buffer)
		}
	}
}

// single makes a message that goes by itself.
func single(topic string, to *primitive.MessageQueue, o *outgoing) *primitive.Message {
	m := primitive.NewMessage(topic, o.body)
	m.UnmarshalProperties(o.properties)
	m.WithProperty(primitive.PropertyUniqueClientMessageIdKeyIndex, newUniqIDs(time.Now()).next())
	m.Queue = to
	return m
}

func appendPacked(b []byte, o *outgoing, uniq uniqIDs) []byte {
	properties := len(o.properties) + len(primitive.PropertyUniqueClientMessageIdKeyIndex) + 1 + uniqLength + 1
	size := packedHead + len(o.body) + packedMore + properties
	b = binary.BigEndian.AppendUint32(b, uint32(size))        //nolint:gosec // bodies are bounded
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)         // magic code, sum of the body, flag
	b = binary.BigEndian.AppendUint32(b, uint32(len(o.body))) //nolint:gosec // likewise
	b = append(b, o.body...)
	b = binary.BigEndian.AppendUint16(b, uint16(properties)) //nolint:gosec // wrap sees to that
	b = append(b, o.properties...)
	b = append(append(b, primitive.PropertyUniqueClientMessageIdKeyIndex...), nameEnd)
	return append(uniq.append(b), valueEnd)
}

// uniqIDs makes UNIQ_KEYs as RocketMQ's clients do, since its tools read the
// time out of them: 10 bytes that tell processes apart, the milliseconds of the
// month, and a number.
type uniqIDs struct{ ms uint32 }

const uniqLength = 32

var (
	// uniqPrefix has the address and the process as the library writes them,
	// and something random where it writes nothing: the library's own ids, and
	// those of another process of that number, are others.
	uniqPrefix = func() string {
		var some [4]byte
		_, _ = rand.Read(some[:]) // never fails
		return primitive.CreateUniqID()[:12] + strings.ToUpper(hex.EncodeToString(some[:]))
	}()
	uniqNumber atomic.Uint32
)

func newUniqIDs(now time.Time) uniqIDs {
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
	return uniqIDs{ms: uint32(now.Sub(month).Milliseconds())} //nolint:gosec // a month has fewer
}

func (u uniqIDs) append(b []byte) []byte {
	const digits = "0123456789ABCDEF"
	b = append(b, uniqPrefix...)
	for n, shift := uint64(u.ms)<<16|uint64(uniqNumber.Add(1)&0xffff), 44; shift >= 0; shift -= 4 {
		b = append(b, digits[n>>shift&15])
	}
	return b
}

func (u uniqIDs) next() string { return string(u.append(nil)) }
