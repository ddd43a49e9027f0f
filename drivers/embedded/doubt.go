package embedded

import (
	"context"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// A doubt is a message that may have been stored.
type doubt struct {
	sender *sender
	number uint64
}

// suspect remembers the number of a message that may have been stored. Few are
// never sent again; a sender that closes takes its own along.
func (l *lane) suspect(r *record) {
	if l.doubts == nil {
		l.doubts = make(map[*oms.Message]doubt)
	}
	l.doubts[r.msg] = doubt{r.sender, r.number}
}

// prepare gets a session, and finds out what the stream holds of what may have
// been stored.
func (l *lane) prepare() error {
	ctx, cancel := context.WithTimeout(context.Background(), l.conn.options.publishTimeout)
	defer cancel()
	s, err := l.conn.link.session(ctx)
	if err != nil {
		return l.unavailable(err)
	}
	stream, err := s.js.Stream(ctx, streamName(l.at.Topic, l.at.Number))
	if err != nil {
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			l.conn.topics.forget(l.at.Topic)
			return l.conn.code("send", l.at.Topic, oms.ErrNotFound, "the topic does not exist")
		}
		return l.unavailable(err)
	}
	last := stream.CachedInfo().State.LastSeq
	l.mu.Lock()
	from, maybe := l.answered, len(l.queue) > 0 && l.queue[0].maybe
	l.mu.Unlock()
	var found map[uint64]bool
	if maybe {
		if found, err = l.look(ctx, stream, from, last); err != nil {
			return l.unavailable(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = found
	if l.session != s {
		l.session = s
		l.before, l.window = "", 1
		s.answer(l.token, func(rest string, m *nats.Msg) { l.answer(s, rest, m) })
	}
	if !maybe && len(l.doubts) == 0 || last < l.answered {
		l.answered = last
	}
	return nil
}

// unavailable is the error of what was not tried because the broker is away. A
// message that may have been stored already stays unknown.
func (l *lane) unavailable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		if full := l.conn.backend.unanswered(); full != nil {
			err = full
		}
	}
	return l.conn.fail("send", l.at.Topic, err)
}

// look reads the stream behind from and returns the numbers of our messages.
func (l *lane) look(ctx context.Context, stream jetstream.Stream, from, last uint64) (map[uint64]bool, error) {
	found := make(map[uint64]bool)
	for seq := from + 1; seq <= last; seq++ {
		m, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		instance, number, ok := cutID(m.Header.Get(jetstream.MsgIDHeader))
		if ok && instance == l.conn.instance {
			found[number] = true
		}
	}
	return found, nil
}

func cutID(id string) (instance string, number uint64, ok bool) {
	for i := range len(id) {
		if id[i] == '.' {
			number, err := strconv.ParseUint(id[i+1:], 10, 64)
			return id[:i], number, err == nil
		}
	}
	return "", 0, false
}
