package embedded

import (
	"strconv"
	"sync"

	"github.com/omconnect/omconnect/oms"
)

// lanes are the lanes of a connection, made when they are first needed.
type lanes struct {
	conn    *conn
	working sync.WaitGroup

	mu sync.Mutex
	by map[oms.Partition]*lane
}

func (ls *lanes) of(p oms.Partition) *lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.by[p]
	if l == nil {
		if ls.by == nil {
			ls.by = make(map[oms.Partition]*lane)
		}
		l = &lane{
			conn: ls.conn, at: p, subject: subjectOf(p.Topic, p.Number), token: "p" + strconv.Itoa(len(ls.by)),
			kick: make(chan struct{}, 1), window: 1,
		}
		ls.by[p] = l
	}
	return l
}

// work runs a lane until it has nothing to do.
func (ls *lanes) work(l *lane) {
	ls.working.Go(l.work)
}

// wait returns when no lane works: with the link closed, that is soon.
func (ls *lanes) wait() { ls.working.Wait() }

func (ls *lanes) all() []*lane {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := make([]*lane, 0, len(ls.by))
	for _, l := range ls.by {
		all = append(all, l)
	}
	return all
}

// abandon gives up what a sender has in the lanes. Nobody will send it again,
// so nothing is remembered of it.
func (ls *lanes) abandon(s *sender) {
	for _, l := range ls.all() {
		var out []outcome
		l.mu.Lock()
		kept := l.queue[:0:0]
		for _, r := range l.queue {
			if r.sender == s {
				out = append(out, outcome{r, l.unsent()})
			} else {
				kept = append(kept, r)
			}
		}
		l.queue = kept
		for i, r := range l.onWire {
			if r.sender != s {
				continue
			}
			out = append(out, outcome{r, l.conn.code("send", l.at.Topic, oms.ErrUnknown, "the sender was closed before the broker answered")})
			l.onWire[i] = r.orphan()
		}
		l.mu.Unlock()
		tell(out)
	}
}

// forget drops what is remembered of a sender's messages.
func (ls *lanes) forget(s *sender) {
	for _, l := range ls.all() {
		l.mu.Lock()
		for m, d := range l.doubts {
			if d.sender == s {
				delete(l.doubts, m)
			}
		}
		l.mu.Unlock()
	}
}

// orphan returns a record for what is on the wire of a sender that is not
// interested any more.
func (r *record) orphan() *record {
	return &record{sender: r.sender.conn.newSender(oms.SenderConfig{}), size: r.size, flight: r.flight}
}

// unsent is the outcome of what its sender gave up before it was on the wire.
func (l *lane) unsent() error {
	return l.conn.code("send", l.at.Topic, oms.ErrAborted, "the sender was closed before it was sent")
}
