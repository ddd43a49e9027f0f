package rocketmq

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RocketMQ's signatures are HMAC-SHA1
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// The numbers of requests.
const (
	reqPull              = 11
	reqQueryOffset       = 14
	reqUpdateOffset      = 15
	reqCreateTopic       = 17 // or to change one
	reqRuntimeInfo       = 28
	reqSearchOffset      = 29
	reqMaxOffset         = 30
	reqMinOffset         = 31
	reqHeartbeat         = 34
	reqUnregister        = 35
	reqConsumerList      = 38
	reqMembersChanged    = 40 // from the broker
	reqLock              = 41
	reqUnlock            = 42
	reqRoute             = 105
	reqClusterInfo       = 106
	reqCreateGroup       = 200
	reqTopicList         = 206
	reqDeleteGroup       = 207
	reqDeleteTopic       = 215
	reqDeleteTopicInName = 216
	reqTopicConfig       = 351
	reqGroupConfig       = 352
)

// The numbers of answers.
const (
	resSuccess        = 0
	resError          = 1
	resBusy           = 2
	resNotSupported   = 3
	resIllegalMessage = 13
	resNotAvailable   = 14
	resVersion        = 15 // of the broker, which does not have what is asked for
	resNoPermission   = 16
	resTopicNotFound  = 17
	resTopicExists    = 18
	resPullNotFound   = 19 // nothing new
	resPullRetry      = 20 // nothing that matches
	resPullMoved      = 21 // the offset is not there
	resQueryNotFound  = 22
	resBadFilter      = 23
	resNoGroup        = 26
	resFlowControl    = 215
)

// A command is a request or an answer.
type command struct {
	Code     int               `json:"code"`
	Language string            `json:"language"`
	Version  int               `json:"version"`
	Opaque   int32             `json:"opaque"` // ties the answer to its request
	Flag     int               `json:"flag"`
	Remark   string            `json:"remark,omitempty"`
	Fields   map[string]string `json:"extFields,omitempty"`
	body     []byte
}

const (
	flagAnswer   = 1
	wireVersion  = 317
	largestFrame = 128 << 20
)

// write puts the command on the wire: the length of the rest, that of the
// header, the header as JSON, the body.
func (c *command) write(w *bufio.Writer) error {
	header, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var lengths [8]byte
	binary.BigEndian.PutUint32(lengths[:4], uint32(4+len(header)+len(c.body))) //nolint:gosec // bodies are bounded
	binary.BigEndian.PutUint32(lengths[4:], uint32(len(header)))               //nolint:gosec // so are headers
	for _, part := range [][]byte{lengths[:], header, c.body} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Flush()
}

// readCommand is the inverse of write. The highest byte of the header's length
// says how the header is written; brokers answer as they were asked, in JSON.
func readCommand(r *bufio.Reader) (*command, error) {
	var lengths [8]byte
	if _, err := io.ReadFull(r, lengths[:]); err != nil {
		return nil, err
	}
	frame, header := binary.BigEndian.Uint32(lengths[:4]), binary.BigEndian.Uint32(lengths[4:])
	if format := header >> 24; format != 0 {
		return nil, fmt.Errorf("a header of format %d; is this a RocketMQ broker's port?", format)
	}
	if frame < 4 || frame > largestFrame || header > frame-4 {
		return nil, fmt.Errorf("a frame of %d bytes with a header of %d; is this a RocketMQ broker's port?", frame, header)
	}
	buf := make([]byte, frame-4)
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, err
	}
	c := &command{body: buf[header:]}
	if err := json.Unmarshal(buf[:header], c); err != nil {
		return nil, fmt.Errorf("an answer's header: %w", err)
	}
	return c, nil
}

// sign adds what the broker knows the user by.
func (c *command) sign(accessKey, secretKey string) {
	if accessKey == "" {
		return
	}
	signed := maps.Clone(c.Fields)
	if signed == nil {
		signed = make(map[string]string)
	}
	signed["AccessKey"] = accessKey
	mac := hmac.New(sha1.New, []byte(secretKey))
	for _, key := range slices.Sorted(maps.Keys(signed)) {
		mac.Write([]byte(signed[key]))
	}
	mac.Write(c.body)
	signed["Signature"] = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	c.Fields = signed
}

// An answerError is an answer that is not a success.
type answerError struct {
	from   string // the address
	code   int
	remark string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("%s answers %d: %.300s", e.from, e.code, e.remark)
}
