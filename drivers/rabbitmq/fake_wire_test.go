package rabbitmq_test

import (
	"encoding/binary"
	"io"
)

// A wire reads the arguments of an AMQP method.
type wire struct{ b []byte }

func (w *wire) octet() byte {
	v := w.b[0]
	w.b = w.b[1:]
	return v
}

func (w *wire) short() uint16 {
	v := binary.BigEndian.Uint16(w.b)
	w.b = w.b[2:]
	return v
}

func (w *wire) longlong() uint64 {
	v := binary.BigEndian.Uint64(w.b)
	w.b = w.b[8:]
	return v
}

func (w *wire) text() string {
	n := int(w.octet())
	v := string(w.b[:n])
	w.b = w.b[n:]
	return v
}

func short(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

func long(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func longlong(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func text(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func longText(s string) []byte { return append(long(uint32(len(s))), s...) }

// field is a text of a table.
func field(name, value string) []byte {
	return append(append(text(name), 'S'), longText(value)...)
}

func table(fields ...[]byte) []byte {
	var all []byte
	for _, f := range fields {
		all = append(all, f...)
	}
	return append(long(uint32(len(all))), all...)
}

// The kinds of frames.
const (
	frameMethod = 1
	frameHeader = 2
	frameBody   = 3
	frameMax    = 128 << 10
)

type frame struct {
	kind    byte
	channel uint16
	payload []byte
}

func readFrame(r io.Reader) (frame, error) {
	var head [7]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[0], channel: binary.BigEndian.Uint16(head[1:]), payload: make([]byte, binary.BigEndian.Uint32(head[3:])+1)}
	_, err := io.ReadFull(r, f.payload)
	if err == nil {
		f.payload = f.payload[:len(f.payload)-1] // without the end mark
	}
	return f, err
}

func (f frame) append(out []byte) []byte {
	out = append(out, f.kind)
	out = binary.BigEndian.AppendUint16(out, f.channel)
	out = binary.BigEndian.AppendUint32(out, uint32(len(f.payload)))
	out = append(out, f.payload...)
	return append(out, 0xce)
}
