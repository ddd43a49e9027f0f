package rocketmq

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// The numbers of the library's requests about half messages, and of the
// broker's own.
const (
	libEndHalf   = 37
	fakeAskCheck = 39
)

// A fakeHalf is a half message without a verdict.
type fakeHalf struct {
	topic, group string
	queue        int
	message      fakeMessage
	ask          time.Time // not before
}

// holdHalf stores a half message: the place of one in the log is its number,
// from 1 on. The lock must be held.
func (f *fake) holdHalf(topic, number string, m fakeMessage) *command {
	queue, _ := strconv.Atoi(number)
	f.halfNumber++
	h := &fakeHalf{topic: topic, group: m.property(primitive.PropertyProducerGroup), queue: queue, message: m, ask: time.Now().Add(f.checkAfter)}
	f.halves[f.halfNumber] = h
	return ok(map[string]string{
		"msgId": fmt.Sprintf("7F00000100002A9F%016X", f.halfNumber), "queueId": number, "queueOffset": strconv.FormatInt(f.halfNumber, 10),
		"transactionId": m.property(primitive.PropertyUniqueClientMessageIdKeyIndex),
	})
}

func (m fakeMessage) property(name string) string {
	for item := range strings.SplitSeq(m.properties, "\x02") {
		if n, v, _ := strings.Cut(item, "\x01"); n == name {
			return v
		}
	}
	return ""
}

// endHalf does what a verdict says. The lock must be held.
func (f *fake) endHalf(cmd *command) *command {
	n, _ := strconv.ParseInt(cmd.Fields["commitLogOffset"], 10, 64)
	h := f.halves[n]
	if h == nil || h.group != cmd.Fields["producerGroup"] {
		return refusal(resError, "the prepared message is not there")
	}
	switch v, _ := strconv.Atoi(cmd.Fields["commitOrRollback"]); v {
	case primitive.TransactionCommitType:
		if topic := f.topics[h.topic]; topic != nil {
			topic.queues[h.queue] = append(topic.queues[h.queue], h.message)
			close(f.changed)
			f.changed = make(chan struct{})
		}
		delete(f.halves, n)
	case primitive.TransactionRollbackType:
		delete(f.halves, n)
	}
	return ok(nil)
}

// askHalves asks a member of its group about each half message that is due.
func (f *fake) askHalves() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			return
		}
		for n, h := range f.halves {
			members := f.producers[h.group]
			if time.Now().Before(h.ask) || len(members) == 0 {
				continue
			}
			h.ask = time.Now().Add(f.checkAfter)
			f.checks++
			number := strconv.FormatInt(n, 10)
			ask := &command{
				Code: fakeAskCheck, Language: "JAVA", Flag: 2,
				Fields: map[string]string{"commitLogOffset": number, "tranStateTableOffset": number},
				body:   encodeStored(h.topic, h.queue, 0, h.message),
			}
			go members[f.checks%len(members)].put(ask)
		}
		f.mu.Unlock()
	}
}

// forgetProducer forgets a member of groups of half messages. The lock must be
// held.
func (f *fake) forgetProducer(c *fakeConn) {
	for group, members := range f.producers {
		f.producers[group] = slices.DeleteFunc(members, func(at *fakeConn) bool { return at == c })
	}
}
