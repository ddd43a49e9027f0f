package connecttest_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func (s *tape) lane(o oms.Origin) (lane string, n int64, err error) {
	_, err = fmt.Sscanf(o.Partition+" "+o.Position, `{"lane":%q} {"n":%d}`, &lane, &n)
	if err != nil && s.is("positions are not canonical") {
		_, err = fmt.Sscanf(o.Partition+" "+o.Position, `{"lane":%q} { "n": %d }`, &lane, &n)
	}
	if err != nil && s.is("it starts over at a position it does not know") {
		return lane, 0, nil
	}
	return lane, n, err
}

func (s *tape) Seek(_ context.Context, positions []oms.Origin) error {
	for _, o := range positions {
		lane, n, err := s.lane(o)
		if err != nil {
			return err
		}
		switch {
		case s.is("a resumed source skips a record"):
			n++
		case s.is("a resumed source repeats a record"):
			n--
		}
		s.at[lane] = n
	}
	return nil
}

func (s *tape) Committed(_ context.Context, positions []oms.Origin) error {
	for _, o := range positions {
		lane, n, err := s.lane(o)
		if err != nil {
			return err
		}
		if s.is("Committed lets go of too much") {
			n++
		}
		s.lanes[lane].Ack(n)
	}
	return nil
}

func (s *tape) Poll(ctx context.Context) ([]*oms.Message, error) {
	parent := ctx
	switch {
	case s.is("Poll does not return without records"):
	case s.is("Poll does not look at its context"):
		time.Sleep(25 * time.Second)
	default:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
	}
	for range s.mine {
		lane := s.mine[s.next%len(s.mine)]
		s.next++
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if records, before := s.lanes[lane].Read(gone, s.at[lane], s.batch); len(records) > 0 {
			s.at[lane] = before + int64(len(records))
			if s.is("resumer whose cut Poll drops what it took") && parent.Err() != nil {
				return nil, parent.Err()
			}
			return s.messages(lane, records, before)
		}
	}
	if strings.HasPrefix(s.fault, "finite") && !s.is("finite that does not end") || s.is("it ends when there is nothing") {
		if s.is("finite that wraps io.EOF") {
			return nil, fmt.Errorf("read: %w", io.EOF)
		}
		return nil, io.EOF
	}
	<-ctx.Done()
	if s.is("nothing is an error") {
		return nil, ctx.Err()
	}
	return nil, nil
}

func (s *tape) messages(lane string, records []string, before int64) ([]*oms.Message, error) {
	if s.is("it acknowledges in Poll") {
		s.lanes[lane].Ack(before + int64(len(records)))
	}
	var msgs []*oms.Message
	if s.is("the list is used again") {
		msgs = s.list[:0]
		defer func() { s.list = msgs }()
	}
	for i, text := range records {
		n := before + int64(i) + 1
		m := &oms.Message{Body: []byte(text), Origin: &oms.Origin{Partition: fmt.Sprintf(`{"lane":%q}`, lane), Position: fmt.Sprintf(`{"n":%d}`, n)}}
		switch s.fault {
		case "positions are not canonical":
			m.Origin.Position = fmt.Sprintf(`{ "n": %d }`, n)
		case "positions are not objects":
			m.Origin.Partition = strconv.Quote(lane)
		case "positions repeat":
			m.Origin.Position = fmt.Sprintf(`{"n":%d}`, n+n%2)
		case "a message has no origin":
			m.Origin = nil
		case "a topic is not valid":
			m.Topic = "a b\n"
		case "bodies share a buffer":
			s.buffer = append(s.buffer[:0], text+"    "...)
			m.Body = s.buffer[:4]
			clear(s.buffer[len(text):4])
			copy(s.buffer[len(text):4], "    ")
		case "a record comes twice":
			if n == 2 {
				msgs = append(msgs, m.Clone())
			}
		}
		msgs = append(msgs, m)
	}
	switch {
	case s.is("it goes backwards"):
		slices.Reverse(msgs)
	case s.is("a message is nil"):
		msgs = append(msgs, nil)
	}
	return msgs, nil
}
