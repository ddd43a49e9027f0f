package rocketmq

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/omconnect/omconnect/oms"
)

// A stored message is what the broker has of one.
type stored struct {
	offset     int64
	born       time.Time
	properties map[string]string
	body       []byte
}

func storedOf(msgs []*primitive.MessageExt) ([]stored, error) {
	all := make([]stored, len(msgs))
	for i, m := range msgs {
		body, err := inflate(m.Body, m.SysFlag)
		if err != nil {
			return nil, &oms.Error{Code: oms.ErrFormat, Err: fmt.Errorf("offset %d: %w", m.QueueOffset, err)}
		}
		all[i] = stored{offset: m.QueueOffset, born: time.UnixMilli(m.BornTimestamp), properties: m.GetProperties(), body: body}
	}
	return all, nil
}

// The kinds of compression, as flags of a message. Older clients have zlib and
// say nothing.
const (
	kindShift = 8
	kindMask  = 7
	kindLZ4   = 1
	kindZstd  = 2
	kindZlib  = 3
)

// inflateLimit is beyond what brokers store.
const inflateLimit = 128 << 20

// inflate undoes the compression of another client. The client library has done
// so for zlib, and has left what it does not know as it was.
func inflate(body []byte, flags int32) ([]byte, error) {
	if flags&primitive.FlagCompressed == 0 {
		return body, nil
	}
	var r io.Reader
	switch kind := flags >> kindShift & kindMask; kind {
	case 0, kindZlib:
		return body, nil
	case kindLZ4:
		r = lz4.NewReader(bytes.NewReader(body))
	case kindZstd:
		d, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		r = d
	default:
		return nil, fmt.Errorf("the body is compressed in a way that is not known (%d)", kind)
	}
	out, err := io.ReadAll(io.LimitReader(r, inflateLimit+1))
	if err != nil {
		return nil, fmt.Errorf("a compressed body: %w", err)
	}
	if len(out) > inflateLimit {
		return nil, fmt.Errorf("a compressed body is of more than %d bytes", inflateLimit)
	}
	return out, nil
}
