package embedded

import (
	"maps"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A wire is the NATS message that a lane puts on the wire, one at a time: the
// client has copied it when it returns, and making one for each message, with
// its map of headers, costs as much as sending it.
type wire struct {
	msg                  nats.Msg
	id, before, envelope [1]string
}

// dress makes the NATS message of a record, good until the next. The lock must
// be held.
func (l *lane) dress(r *record) *nats.Msg {
	w := &l.wire
	if w.msg.Header == nil {
		w.msg.Header = make(nats.Header)
	}
	clear(w.msg.Header)
	maps.Copy(w.msg.Header, r.plain)
	number := strconv.FormatUint(r.number, 10)
	w.id[0] = l.conn.instance + "." + number // never its own id, which two messages may share
	w.before[0], w.envelope[0] = l.before, r.envelope
	w.msg.Header[jetstream.MsgIDHeader] = w.id[:]
	w.msg.Header[envelopeHeader] = w.envelope[:]
	if l.before != "" {
		w.msg.Header[jetstream.ExpectedLastMsgIDHeader] = w.before[:]
	}
	w.msg.Subject, w.msg.Reply, w.msg.Data = l.subject, l.session.reply(l.token)+"."+number, r.msg.Body
	return &w.msg
}
