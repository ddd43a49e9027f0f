package kafka

import (
	"testing"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

func TestARunEndsAtItsBounds(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		unacked, body, there int
		from                 int64
		want                 int
		first                int64
	}{
		"all there is":          {1000, 10, 5, 0, 5, 0},
		"messages":              {1000, 10, runMessages + 5, 0, runMessages, 0},
		"bytes":                 {1000, runBytes / 4, 20, 0, 4, 0},
		"one that is larger":    {1000, runBytes, 20, 0, 1, 0},
		"what may be out":       {3, 10, 20, 0, 3, 0},
		"what was asked before": {1000, 10, 20, 15, 5, 15},
		"nothing that is new":   {1000, 10, 20, 100, 0, 0},
	} {
		r := &receiver{cfg: oms.ReceiverConfig{MaxUnacked: c.unacked}}
		f := &flow{claim: &claim{receiver: r}, from: c.from, gathered: make([]fetched, 7)}
		more := make(chan *sarama.ConsumerMessage, c.there)
		for i := range c.there {
			more <- &sarama.ConsumerMessage{Offset: int64(i), Value: make([]byte, c.body)}
		}
		f.gather(<-more, more)
		if len(f.gathered) != c.want || len(more) != c.there-int(c.first)-c.want && c.want > 0 {
			t.Errorf("%s: the run has %d messages and leaves %d, want %d", what, len(f.gathered), len(more), c.want)
			continue
		}
		for i, m := range f.gathered {
			if m.Offset != c.first+int64(i) || m.size != sizeOfMessage(m.ConsumerMessage) {
				t.Errorf("%s: message %d of the run has the offset %d and the size %d", what, i, m.Offset, m.size)
			}
		}
		if c.want > 0 && f.from != c.first+int64(c.want) {
			t.Errorf("%s: the flow goes on at %d", what, f.from)
		}
	}
}
