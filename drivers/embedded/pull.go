package embedded

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// How long a request for messages stays at the server: what is asked for of
// one partition cannot be had of another, so only modest requests stay long,
// and when nothing is left to ask for partitions take turns.
const (
	requestLong   = 30 * time.Second
	requestMedium = time.Second
	requestShort  = 50 * time.Millisecond
	requestSlack  = 5 * time.Second // after which one without an answer is given up
)

// appetiteLeast is how many messages are asked for of a partition of which
// none came lately: what is asked for counts as if it were there. The number
// doubles with every request that is met.
const appetiteLeast = 32

// A request asks for a batch of messages of one partition. It ends with its
// last message, with the message that uses up its bytes, or with a status.
//
// A partition has one open request at a time. The server serves several in
// turns and does not say which of them a message is of, so what is left of
// each would be a guess, and one that used up its bytes would be waited for.
type request struct {
	number  int
	left    int // messages
	bytes   int // left of its bound; 0: none
	made    time.Time
	expires time.Time
	came    int // messages
	size    int // of those
}

// pull asks for what there is room for, partition by partition in turn. The
// lock must be held.
func (r *receiver) pull() {
	n := len(r.order)
	if n == 0 || r.closed {
		return
	}
	records, bytes := 0, 0
	for _, pt := range r.order {
		records += len(pt.window) + pt.pending()
		bytes += pt.bytes
	}
	least, share := max(min(appetiteLeast, r.cfg.MaxUnacked/n), 1), max(r.cfg.MaxUnackedBytes/n, 1)
	for i := range n {
		pt := r.order[(r.next+i)%n]
		if pt.halted || pt.broken || pt.muddled || pt.asked != nil || r.paused[pt.at] {
			continue
		}
		pt.appetite = max(pt.appetite, least)
		room, byteRoom := min(pt.appetite, r.cfg.MaxUnacked-records), share-pt.bytes
		switch {
		case room <= 0:
			continue
		case pt.tight && bytes > 0:
			continue // until everything is acknowledged
		case pt.tight:
			room, byteRoom = 1, 0
		case byteRoom <= 0:
			continue
		// Few large requests: as long as something can be handed out, it is
		// waited for more room.
		case len(pt.buffer) > 0 && (room < pt.appetite/4 || byteRoom < share/4):
			continue
		}
		if pt.due > 0 {
			room = min(room, pt.due) // which is there, so that the request ends well
		} else {
			var rest bool
			if room, rest = pt.trail.room(room, pt.left); rest {
				pt.rest()
			}
		}
		if room == 0 {
			continue
		}
		expires := requestLong
		switch {
		case pt.due > 0:
		case byteRoom == 0: // whether something large is there is soon known
			expires = requestMedium
		case n == 1:
		case records+room >= r.cfg.MaxUnacked:
			expires = requestShort
		case room > least:
			expires = requestMedium
		}
		pt.ask(room, byteRoom, expires)
		records += room
	}
}

// pending is how many messages were asked for and have not come.
func (pt *part) pending() int {
	if pt.asked == nil {
		return 0
	}
	return pt.asked.left
}

// ask sends a request.
func (pt *part) ask(n, bytes int, expires time.Duration) {
	pt.count++
	now := time.Now()
	q := &request{number: pt.count, left: n, bytes: bytes, made: now, expires: now.Add(expires)}
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d`, n, expires)
	if bytes > 0 {
		body = fmt.Appendf(body, `,"max_bytes":%d`, bytes)
	}
	body = append(body, '}')
	reply := pt.inbox + "." + strconv.Itoa(q.number)
	subject := "$JS.API.CONSUMER.MSG.NEXT." + pt.stream + "." + pt.durable
	if pt.session.nc.PublishRequest(subject, reply, body) == nil {
		pt.asked = q
	}
}

// used notes that a message of the request has come.
func (pt *part) used(size int) {
	q := pt.asked
	if q == nil {
		return
	}
	q.left--
	q.came++
	q.size += size
	if q.bytes > 0 {
		if q.bytes -= size; q.bytes == 0 {
			q.left = 0 // the server ends it without a word
		}
	}
	if q.left > 0 {
		return
	}
	pt.asked, pt.tight = nil, false
	pt.appetite = min(2*pt.appetite, pt.receiver.cfg.MaxUnacked)
	if pt.receiver.conn.backend.inProcess() {
		pt.trail.measure(q, time.Now())
	}
}

// answered deals with the status that ends a request.
func (pt *part) answered(m *nats.Msg) {
	number, err := strconv.Atoi(m.Subject[len(pt.inbox)+1:])
	if err != nil || pt.over || pt.halted {
		return
	}
	came := 0
	open := pt.asked != nil && pt.asked.number == number
	if open {
		came, pt.asked = pt.asked.came, nil
	}
	status, text := m.Header.Get("Status"), m.Header.Get("Description")
	if open && text != "Batch Completed" {
		pt.muddle()
	}
	switch {
	case text == "Batch Completed" && !open:
		return // a request with a bound of bytes ends with a status even when it was met
	case status == "408", status == "404", text == "Batch Completed":
		// Nothing comes any more: what came lately is what to expect.
		pt.appetite, pt.tight, pt.trail = min(2*came, pt.receiver.cfg.MaxUnacked), false, trail{}
	case text == "Message Size Exceeds MaxBytes":
		// The bytes are used up, or the next message is larger than they are.
		pt.tight = came == 0
	default:
		// The consumer or the topic is gone, its leader moved, the server goes
		// down: the steward finds out.
		pt.broken = true
		pt.receiver.wakeSteward()
		return
	}
	pt.receiver.next++ // the others first
	pt.receiver.pull()
}

// extend tells the broker that what is here is being worked on, and gives up
// requests that it has forgotten.
func (r *receiver) extend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, pt := range r.order {
		for _, h := range pt.window {
			_ = pt.session.nc.Publish(h.reply, []byte("+WPI")) // fails only with the connection
		}
		if pt.asked != nil && now.After(pt.asked.expires.Add(requestSlack)) {
			pt.asked = nil
			pt.muddle()
		}
	}
	r.pull()
}
