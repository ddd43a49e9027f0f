package mem

import (
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// SetDown makes the broker unavailable, or available again with nil. All
// connections are lost: what was sent and not yet confirmed is ErrUnknown,
// receivers lose their partitions. While the broker is down every call returns
// err (ErrUnavailable, where it has no code), except Receive, which waits if
// the error is temporary.
func (d *Driver) SetDown(err error) {
	b := d.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.loseSessions()
	}
	b.down = err
	b.wakeMembers()
}

// PowerCut loses all connections, and what was confirmed less than
// DurableAfter ago.
func (d *Driver) PowerCut() {
	b := d.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loseSessions()
	now := time.Now()
	safe := now.Add(-b.opts.ConfirmAfter - b.opts.DurableAfter)
	b.loseHalves(safe)
	for topic, logs := range b.topics {
		for n, p := range logs {
			p.advance(now)
			gone := p.lose(safe)
			for _, g := range b.groups {
				if c := g.cursors[oms.Partition{Topic: topic, Number: n}]; c != nil {
					before, _ := slices.BinarySearch(gone, c.pos)
					c.moveTo(c.pos - int64(before))
					clear(c.deliveries)
				}
			}
		}
	}
	b.wakeMembers()
}

// Trim removes the messages of a partition before an offset, as retention
// would.
func (d *Driver) Trim(id oms.Partition, before int64) {
	b := d.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	logs := b.topics[id.Topic]
	if id.Number < 0 || id.Number >= len(logs) {
		return
	}
	logs[id.Number].advance(time.Now())
	logs[id.Number].trim(before)
	b.wakeMembers()
}
