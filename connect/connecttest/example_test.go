package connecttest_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/oms"
)

// A queueSource reads a queue that forgets what was acknowledged.
type queueSource struct {
	connect.Hooks
	queue     *connecttest.Upstream
	batch     int
	partition string
	next      int64
}

// queuePlugin returns the plugin of sources for a queue.
func queuePlugin(queue *connecttest.Upstream) connect.Plugin {
	return connect.Plugin{
		Class: "queue-source", Kind: connect.KindSource, Doc: "Reads a queue.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "queue", Required: true, Doc: "The name of the queue."},
			{Name: "batch.max.records", Type: connect.Int, Default: "100", Min: 1, Max: 10_000, Doc: "The most records that are read at once."},
		}},
		New: func(connect.Env) (connect.Connector, error) { return &queueSource{queue: queue}, nil },
	}
}

// OnStart reads the configuration.
func (s *queueSource) OnStart(_ context.Context, config oms.KeyValue) error {
	r := config.Reader()
	name := r.String("queue")
	s.batch = r.Int("batch.max.records")
	var err error
	s.partition, err = oms.CanonicalObject(map[string]string{"queue": name})
	if err != nil {
		return err
	}
	return r.Err()
}

// Seek goes on behind the stored position.
func (s *queueSource) Seek(_ context.Context, positions []oms.Origin) error {
	for _, o := range positions {
		read, err := s.parse(o)
		if err != nil {
			return err
		}
		s.next = read
	}
	return nil
}

func (s *queueSource) parse(o oms.Origin) (read int64, err error) {
	if _, err := fmt.Sscanf(o.Position, `{"read":%d}`, &read); err != nil {
		return 0, &oms.Error{Op: "parse position", Target: o.Partition, Code: oms.ErrFormat, Err: err}
	}
	return read, nil
}

// Poll returns what there is, and waits a little for it.
func (s *queueSource) Poll(ctx context.Context) ([]*oms.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	records, before := s.queue.Read(ctx, s.next, s.batch)
	var msgs []*oms.Message
	for _, text := range records {
		before++
		origin := &oms.Origin{Partition: s.partition, Position: fmt.Sprintf(`{"read":%d}`, before)}
		msgs = append(msgs, &oms.Message{Body: []byte(text), Origin: origin})
	}
	s.next = before
	return msgs, nil
}

// Committed lets go of what is safe. To do so in Poll would lose records.
func (s *queueSource) Committed(_ context.Context, positions []oms.Origin) error {
	for _, o := range positions {
		read, err := s.parse(o)
		if err != nil {
			return err
		}
		s.queue.Ack(read)
	}
	return nil
}

// testQueueSource is the whole test: call it TestQueueSource in a test file.
func testQueueSource(t *testing.T) {
	t.Helper()
	connecttest.RunSource(t, func(*testing.T) connecttest.Source {
		queue := new(connecttest.Upstream)
		return connecttest.Source{
			Plugin: queuePlugin(queue),
			Config: oms.KeyValue{"queue": "orders", "batch.max.records": "5"},
			Write: func(first, n int) {
				for i := first; i < first+n; i++ {
					queue.Append(strconv.Itoa(i))
				}
			},
			Number: func(m *oms.Message) (int, error) { return strconv.Atoi(string(m.Body)) },
		}
	})
}

// A source, its harness and its test. What is printed here is that a reader
// which comes after an acknowledgement does not see what was acknowledged.
func ExampleRunSource() {
	_ = testQueueSource // see above

	queue := new(connecttest.Upstream)
	queue.Append("a", "b", "c")
	queue.Ack(2)
	records, before := queue.Read(context.Background(), 0, 10)
	fmt.Println(records, before)
	// Output: [c] 2
}
