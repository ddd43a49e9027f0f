package mem

import "github.com/omconnect/omconnect/oms"

// Stranger has a program of others join a group, as one that knows nothing of
// package oms does: it takes its share of the partitions of the topics, and
// does nothing with it. Members lists it by name, as foreign. Leave ends its
// membership; again it does nothing.
func (d *Driver) Stranger(group, name string, topics ...string) (leave func()) {
	b := d.broker
	r := &receiver{
		broker: b, cfg: oms.ReceiverConfig{Group: group, Topics: topics}, topics: topics, name: name, foreign: true,
		work: make(chan struct{}, 1), data: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r.join()
	return r.leave
}
