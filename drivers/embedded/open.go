package embedded

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/oms"
)

// open finds the position of a partition and subscribes to what will be asked
// for. What a former member held is made to come again first, in order. With a
// seek that is not negative the group begins there.
func (r *receiver) open(ctx context.Context, s *session, p oms.Partition, seek int64) (*part, error) {
	if err := r.conn.ensureConsumer(ctx, r.cfg.Group, p, r.cfg.Start); err != nil {
		return nil, err
	}
	pt := &part{
		receiver: r, session: s, at: p, stream: streamName(p.Topic, p.Number), durable: encode(r.cfg.Group),
		window: make(map[int64]*held), early: make(map[uint64]*held),
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	if seek >= 0 {
		if err := r.conn.seekConsumer(ctx, s, pt.stream, pt.durable, seek); err != nil {
			return nil, err
		}
	}
	// The consumer first: what it has delivered by then, the stream holds.
	info, err := pt.consumerInfo(ctx)
	if err != nil {
		return nil, err
	}
	if seek >= 0 {
		startedAt(info, seek)
	}
	stream, err := s.js.Stream(ctx, pt.stream)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	if info, err = pt.comeBack(ctx, info, int64(state.LastSeq)); err != nil { //nolint:gosec // a sequence
		return nil, err
	}
	if err := pt.rewind(ctx, info, nil); err != nil {
		return nil, err
	}
	pt.made = info.Created
	pt.due = info.NumAckPending
	pt.serial, pt.high = info.Delivered.Consumer, int64(info.Delivered.Stream) //nolint:gosec // sequences
	pt.dueTo = pt.high
	if first := int64(state.FirstSeq); first > pt.high+1 { //nolint:gosec // as above
		pt.gaps = append(pt.gaps, oms.Gap{Partition: p, From: pt.high + 1, To: first})
		pt.high = first - 1
	}
	err = pt.subscribe()
	return pt, err
}

func (pt *part) consumerInfo(ctx context.Context) (*jetstream.ConsumerInfo, error) {
	consumer, err := pt.session.js.Consumer(ctx, pt.stream, pt.durable)
	if err != nil {
		return nil, err
	}
	return consumer.CachedInfo(), nil
}

// comeBack deals with a position beyond the end of the stream, which a power
// cut or somebody's stored offset may leave: the server would wait for that
// number and pass over everything that is stored before it. The group is told
// of the gap and goes on at the end, or at the first message that it has not
// acknowledged.
func (pt *part) comeBack(ctx context.Context, info *jetstream.ConsumerInfo, last int64) (*jetstream.ConsumerInfo, error) {
	next := int64(info.Delivered.Stream) + 1 //nolint:gosec // a sequence
	if next <= last+1 {
		return info, nil
	}
	pt.gaps = append(pt.gaps, oms.Gap{Partition: pt.at, From: next, To: last + 1})
	to := min(int64(info.AckFloor.Stream), last) + 1 //nolint:gosec // as above
	if err := pt.receiver.conn.seekConsumer(ctx, pt.session, pt.stream, pt.durable, to); err != nil {
		return nil, err
	}
	info, err := pt.consumerInfo(ctx)
	if err != nil {
		return nil, err
	}
	startedAt(info, to)
	return info, nil
}

// startedAt corrects what a server tells of a consumer that has just been
// moved: now and then, when it had delivered something a moment before, it
// still tells the numbers from before the move. Deliveries are told apart by
// these numbers, and one that comes with a number that was known already is
// ignored.
func startedAt(info *jetstream.ConsumerInfo, offset int64) {
	if info.NumAckPending > 0 {
		return // it has delivered since
	}
	before := uint64(max(offset, 1) - 1)
	info.Delivered = jetstream.SequenceInfo{Stream: before}
	info.AckFloor = jetstream.SequenceInfo{Stream: before}
}
