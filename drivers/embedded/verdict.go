package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// answer takes the server's answer to a message.
func (l *lane) answer(s *session, rest string, m *nats.Msg) {
	number, err := strconv.ParseUint(rest, 10, 64)
	if err != nil {
		return
	}
	seq, refused, err := parseAck(m)
	l.mu.Lock()
	i := l.find(s, number)
	if i < 0 {
		l.mu.Unlock()
		return // given up before
	}
	var out []outcome
	if err != nil {
		if errors.Is(err, nats.ErrNoResponders) {
			// Nobody has the subject: the topic is gone, or not there yet.
			l.gone = true
			l.conn.topics.forget(l.at.Topic)
		}
		out = l.verdict(l.onWire[i], l.conn.fail("send", l.at.Topic, err), refused)
	} else {
		l.answered = max(l.answered, seq)
		l.window = min(2*l.window, laneRecords)
		out = l.confirm(i)
	}
	l.mu.Unlock()
	tell(out)
	l.wake()
}

func (l *lane) find(s *session, number uint64) int {
	if s != l.session {
		return -1
	}
	for i, r := range l.onWire {
		if r.number == number {
			return i
		}
	}
	return -1
}

// confirm ends onWire[i] and all before it that have no verdict. The lock must
// be held.
func (l *lane) confirm(i int) []outcome {
	out := make([]outcome, 0, i+1)
	kept := l.onWire[:0:0]
	for _, r := range l.onWire[:i+1] {
		if r.err != nil || r.refused {
			kept = append(kept, r)
			continue
		}
		l.open--
		l.bytes -= r.size
		out = append(out, outcome{r, nil})
	}
	if len(kept) == 0 {
		l.onWire = l.onWire[i+1:]
	} else {
		l.onWire = append(kept, l.onWire[i+1:]...)
	}
	if l.draining && l.open == 0 {
		out = append(out, l.drained()...)
	}
	return out
}

// verdict notes that the server, or the client, did not take a message. The
// lock must be held.
func (l *lane) verdict(r *record, err error, refused bool) []outcome {
	if r.err == nil && !r.refused {
		l.open--
	}
	if r.refused = refused; !refused {
		r.err = err
	}
	l.draining = true
	if l.open > 0 {
		return nil
	}
	return l.drained()
}

// drained deals with what was on the wire when the last of it is answered and
// some of it was refused: a sender whose message failed has everything behind
// it failed, untried; everybody else's goes again. The lock must be held.
func (l *lane) drained() []outcome {
	var out []outcome
	var again []*record
	failed := make(map[*sender]bool)
	for _, r := range l.onWire {
		switch s := r.sender; {
		case r.err != nil:
			out = append(out, outcome{r, r.err})
			failed[s] = true
		case failed[s]:
			out = append(out, outcome{r, errBehindFailure})
		default:
			again = append(again, r)
		}
	}
	l.clear()
	if l.gone {
		l.gone, l.session = false, nil
	}
	l.queue = append(again, l.queue...)
	return append(out, l.sweep(failed)...)
}

// sweep fails what waits behind a failure of its sender, and blocks what is to
// come. The lock must be held.
func (l *lane) sweep(failed map[*sender]bool) []outcome {
	if len(failed) == 0 {
		return nil
	}
	var out []outcome
	kept := l.queue[:0:0]
	for _, r := range l.queue {
		if failed[r.sender] {
			out = append(out, outcome{r, errBehindFailure})
			if r.maybe { // it still is
				l.suspect(r)
			}
			continue
		}
		kept = append(kept, r)
	}
	l.queue = kept
	for s := range failed {
		s.book.Block(l.at)
	}
	return out
}

// clear takes everything off the wire and breaks the chain. The lock must be
// held.
func (l *lane) clear() {
	l.onWire, l.open, l.bytes = nil, 0, 0
	l.before, l.window, l.draining = "", 1, false
}

// lose gives up what is on the wire: it may have been stored. The lock must be
// held.
func (l *lane) lose(err error) []outcome {
	failed := make(map[*sender]bool)
	var out []outcome
	for _, r := range l.onWire {
		failed[r.sender] = true
		if r.err == nil && !r.refused {
			l.suspect(r)
			out = append(out, outcome{r, err})
			continue
		}
		out = append(out, outcome{r, either(r.err, errBehindFailure)})
	}
	l.clear()
	l.session, l.found = nil, nil
	return append(out, l.sweep(failed)...)
}

func either(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// drop fails all that waits: the first of each sender with the cause. The lock
// must be held.
func (l *lane) drop(err error) []outcome {
	failed := make(map[*sender]bool)
	var out []outcome
	for _, r := range l.queue {
		s := r.sender
		if failed[s] {
			out = append(out, outcome{r, errBehindFailure})
		} else {
			out = append(out, outcome{r, err})
		}
		failed[s] = true
		if r.maybe {
			l.suspect(r)
		}
	}
	l.queue = nil
	for s := range failed {
		s.book.Block(l.at)
	}
	return out
}

func (l *lane) fail(err error) {
	l.mu.Lock()
	out := l.drop(err)
	l.mu.Unlock()
	tell(out)
}

// overdue gives up what the server did not answer in time, and finds out why.
func (l *lane) overdue() {
	err := l.conn.code("send", l.at.Topic, oms.ErrUnknown, "the broker did not answer in time")
	if full := l.conn.backend.unanswered(); full != nil {
		err = l.conn.fail("send", l.at.Topic, full)
	}
	l.mu.Lock()
	out := l.lose(err)
	l.mu.Unlock()
	tell(out)
}

// parseAck reads the server's answer. refused: the message stands behind a
// hole, or somebody else wrote in between; it was not stored.
func parseAck(m *nats.Msg) (seq uint64, refused bool, err error) {
	if len(m.Data) == 0 {
		if m.Header.Get("Status") == "503" {
			return 0, false, nats.ErrNoResponders
		}
		return 0, false, errors.New("the server's answer is empty")
	}
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	// Nearly all answers are of one form; reading it as JSON would be half of
	// what an answer costs here.
	if _, rest, ok := bytes.Cut(m.Data, []byte(`"seq":`)); ok && !bytes.Contains(m.Data, []byte(`"error"`)) {
		for _, c := range rest {
			if c < '0' || c > '9' {
				break
			}
			seq = seq*10 + uint64(c-'0')
		}
		return seq, false, nil
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, false, err
	}
	if ack.Error != nil {
		return 0, ack.Error.ErrorCode == apiWrongLastMsgID, ack.Error
	}
	return ack.Sequence, false, nil
}
