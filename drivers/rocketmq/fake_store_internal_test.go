package rocketmq

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// The numbers of the requests with which the client library sends: the names
// of the fields of the first are whole, those of the other letters.
const (
	libSend      = 10
	libSendBatch = 320
)

// store takes one message, or a batch.
func (f *fake) store(cmd *command) *command {
	name, number, msgs := cmd.Fields["topic"], cmd.Fields["queueId"], []fakeMessage{{properties: cmd.Fields["properties"], body: slices.Clone(cmd.body)}}
	if cmd.Code == libSendBatch {
		name, number, msgs = cmd.Fields["b"], cmd.Fields["e"], batched(cmd.body)
	}
	topic := f.topics[name]
	queue, _ := strconv.Atoi(number)
	if topic == nil || queue >= len(topic.queues) {
		return refusal(resTopicNotFound, "topic not exist, apply first please!")
	}
	if topic.closed {
		return refusal(resError, "request queueId["+number+"] is illegal")
	}
	if f.closed {
		return refusal(resNotAvailable, "closed")
	}
	f.sends++
	for i := range msgs {
		msgs[i].at = time.Now()
	}
	if cmd.Code == libSend && msgs[0].property(primitive.PropertyTransactionPrepared) == "true" {
		return f.holdHalf(name, number, msgs[0])
	}
	offset := topic.end(queue)
	topic.queues[queue] = append(topic.queues[queue], msgs...)
	close(f.changed)
	f.changed = make(chan struct{})
	return ok(map[string]string{"msgId": "0", "queueId": strconv.Itoa(queue), "queueOffset": strconv.FormatInt(offset, 10)})
}

// batched reads the messages of a batch: each is 20 bytes of numbers, the last
// of which is the length of the body, the body, and the properties with theirs.
func batched(in []byte) (msgs []fakeMessage) {
	for len(in) > 0 {
		n := int(binary.BigEndian.Uint32(in[16:]))
		m := fakeMessage{body: in[20 : 20+n]}
		in = in[20+n:]
		n = int(binary.BigEndian.Uint16(in))
		m.properties, in = string(in[2:2+n]), in[2+n:]
		msgs = append(msgs, m)
	}
	return msgs
}

// pull answers when there is something, or after a while.
func (f *fake) pull(cmd *command) *command {
	queue, _ := strconv.Atoi(cmd.Fields["queueId"])
	offset, _ := strconv.ParseInt(cmd.Fields["queueOffset"], 10, 64)
	most, _ := strconv.Atoi(cmd.Fields["maxMsgNums"])
	over := time.After(f.hold)
	for {
		f.mu.Lock()
		topic := f.topics[cmd.Fields["topic"]]
		if topic == nil || f.closed {
			f.mu.Unlock()
			return refusal(resTopicNotFound, "topic not exist")
		}
		first, end, changed := topic.first[queue], topic.end(queue), f.changed
		fields := map[string]string{"minOffset": strconv.FormatInt(first, 10), "maxOffset": strconv.FormatInt(end, 10), "suggestWhichBrokerId": "0"}
		if offset < first || offset > end {
			f.mu.Unlock()
			fields["nextBeginOffset"] = fields["minOffset"]
			return &command{Code: resPullMoved, Fields: fields}
		}
		if offset < end {
			a := ok(fields)
			for ; offset < end && most > 0; offset, most = offset+1, most-1 {
				a.body = append(a.body, encodeStored(cmd.Fields["topic"], queue, offset, topic.queues[queue][offset-first])...)
			}
			fields["nextBeginOffset"] = strconv.FormatInt(offset, 10)
			f.mu.Unlock()
			return a
		}
		f.mu.Unlock()
		select {
		case <-changed:
		case <-over:
			fields["nextBeginOffset"] = strconv.FormatInt(offset, 10)
			return &command{Code: resPullNotFound, Fields: fields}
		}
	}
}

func encodeStored(topic string, queue int, offset int64, m fakeMessage) []byte {
	b := binary.BigEndian.AppendUint32(nil, 0) // the total, in the end
	b = binary.BigEndian.AppendUint32(b, 0xdaa320a7)
	b = binary.BigEndian.AppendUint32(b, 0) // sum
	b = binary.BigEndian.AppendUint32(b, uint32(queue))
	b = binary.BigEndian.AppendUint32(b, 0) // flag
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	b = append(b, make([]byte, 8+4+8+8+8+8+4+8)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.body)))
	b = append(b, m.body...)
	b = append(b, byte(len(topic)))
	b = append(b, topic...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.properties)))
	b = append(b, m.properties...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}
