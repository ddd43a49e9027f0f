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

// A request asks for a batch of messages. It ends with its last message or
// with a status.
type request struct {
	number  int
	left    int // messages
	bytes   int // of its bound; 0: none
	expires time.Time
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
		if pt.halted || pt.broken || r.paused[pt.at] {
			continue
		}
		pt.appetite = max(pt.appetite, least)
		pending := pt.pending()
		room := min(pt.appetite-pending, r.cfg.MaxUnacked-records)
		// Few large requests: the next is made when half of one has come.
		if room <= 0 || pending > pt.appetite/2 || records > 0 && pending > 0 && room < pt.appetite/4 {
			continue
		}
		byteRoom := share - pt.bytes - pt.pendingBytes()
		switch {
		case pt.tight && bytes > 0:
			continue // until everything is acknowledged
		case pt.tight && pending == 0:
			room, byteRoom = 1, 0
		case pt.tight || byteRoom <= 0 || pending > 0 && byteRoom < share/2:
			continue
		}
		expires := requestLong
		switch {
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
	n := 0
	for _, q := range pt.asked {
		n += q.left
	}
	return n
}

func (pt *part) pendingBytes() int {
	n := 0
	for _, q := range pt.asked {
		n += max(q.bytes, 0)
	}
	return n
}

// ask sends a request.
func (pt *part) ask(n, bytes int, expires time.Duration) {
	pt.count++
	q := &request{number: pt.count, left: n, bytes: bytes, expires: time.Now().Add(expires)}
	body := fmt.Appendf(nil, `{"batch":%d,"expires":%d`, n, expires)
	if bytes > 0 {
		body = fmt.Appendf(body, `,"max_bytes":%d`, bytes)
	}
	body = append(body, '}')
	reply := pt.inbox + "." + strconv.Itoa(q.number)
	subject := "$JS.API.CONSUMER.MSG.NEXT." + pt.stream + "." + pt.durable
	if pt.session.nc.PublishRequest(subject, reply, body) == nil {
		pt.asked = append(pt.asked, q)
	}
}

// used notes that a message of the oldest request has come.
func (pt *part) used(size int) {
	for len(pt.asked) > 0 {
		q := pt.asked[0]
		q.left--
		if q.bytes > 0 {
			q.bytes = max(q.bytes-size, 1)
		}
		if q.left > 0 {
			return
		}
		pt.asked = pt.asked[1:]
		if q.left == 0 {
			pt.tight = false
			pt.appetite = min(2*pt.appetite, pt.receiver.cfg.MaxUnacked)
			return
		}
	}
}

// answered deals with the status that ends a request.
func (pt *part) answered(m *nats.Msg) {
	number, err := strconv.Atoi(m.Subject[len(pt.inbox)+1:])
	if err != nil || pt.over || pt.halted {
		return
	}
	for i, q := range pt.asked {
		if q.number == number {
			pt.asked = append(pt.asked[:i:i], pt.asked[i+1:]...)
			break
		}
	}
	switch status, text := m.Header.Get("Status"), m.Header.Get("Description"); {
	case status == "408", status == "404", text == "Batch Completed":
		pt.appetite, pt.tight = 0, false // nothing comes
	case text == "Message Size Exceeds MaxBytes":
		pt.tight = true
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
		if len(pt.asked) > 0 && now.After(pt.asked[0].expires.Add(requestSlack)) {
			pt.asked = nil
		}
	}
	r.pull()
}
