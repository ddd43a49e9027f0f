package generator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const class = "generator-source"

func init() { connect.Register(plugin()) }

func plugin() connect.Plugin {
	return connect.Plugin{
		Class: class,
		Kind:  connect.KindSource,
		Doc:   "Makes up numbered records of a given size and rate.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "records.max", Type: connect.Long, Default: "0", Min: 0, Max: 1 << 62, Doc: "How many records each task makes before it finishes; 0 for no end."},
			{Name: "interval.ms", Type: connect.Millis, Default: "1000", Min: 0, Max: 3_600_000, Doc: "The time between two records of a task; 0 for as fast as they are taken."},
			{Name: "body.bytes", Type: connect.Int, Default: "100", Min: 0, Max: 64 << 20, Doc: "The size of a body, in so far as its fields fit."},
			{Name: "batch.max.records", Type: connect.Int, Default: "500", Min: 1, Max: 100_000, Doc: "The most records that are made at once."},
		}},
		New: func(env connect.Env) (connect.Connector, error) { return &source{task: env.Task}, nil },
	}
}

// A source is one task of a generator-source.
type source struct {
	connect.Hooks
	task      int
	partition string
	max       int64
	interval  time.Duration
	size      int
	batch     int
	seq       int64     // of the last record made
	due       time.Time // when the next one is; zero before the first Poll
}

var (
	_ connect.Source     = (*source)(nil)
	_ connect.Positioned = (*source)(nil)
	_ connect.Splitter   = (*source)(nil)
)

const (
	// patience is how long Poll waits for a record to be due.
	patience = 500 * time.Millisecond
	// batchBytes bounds a batch of large bodies.
	batchBytes = 4 << 20
)

// Split makes as many tasks as are allowed: each has the same work.
func (s *source) Split(_ context.Context, config oms.KeyValue, limit int) ([]oms.KeyValue, error) {
	tasks := make([]oms.KeyValue, max(limit, 1))
	for i := range tasks {
		tasks[i] = config.Clone()
	}
	return tasks, nil
}

// OnStart reads the configuration.
func (s *source) OnStart(_ context.Context, config oms.KeyValue) error {
	r := plugin().Def.Complete(config).Reader()
	s.max, s.interval = r.Int64("records.max"), r.Millis("interval.ms")
	s.size, s.batch = r.Int("body.bytes"), r.Int("batch.max.records")
	if err := r.Err(); err != nil {
		return err
	}
	s.batch = min(s.batch, max(1, batchBytes/max(1, s.size)))
	s.partition = fmt.Sprintf(`{"task":%d}`, s.task)
	return nil
}

// Seek goes on behind the stored position of the task.
func (s *source) Seek(_ context.Context, positions []oms.Origin) error {
	for _, o := range positions {
		if o.Partition != s.partition {
			continue // of another task
		}
		var p struct {
			Seq *int64 `json:"seq"`
		}
		dec := json.NewDecoder(bytes.NewReader([]byte(o.Position)))
		dec.DisallowUnknownFields()
		err := dec.Decode(&p)
		if err == nil && (p.Seq == nil || *p.Seq < 0) {
			err = errors.New("seq is missing or negative")
		}
		if err != nil {
			return &oms.Error{
				Op: "parse position", Driver: class, Target: "partition " + o.Partition, Code: oms.ErrFormat,
				Err: fmt.Errorf("%.100s: %w", o.Position, err),
			}
		}
		s.seq = *p.Seq
	}
	return nil
}

// Poll makes the records that are due.
func (s *source) Poll(ctx context.Context) ([]*oms.Message, error) {
	if s.max > 0 && s.seq >= s.max {
		return nil, io.EOF
	}
	n := s.batch
	if s.interval > 0 {
		if n = s.wait(ctx); n == 0 {
			return nil, nil
		}
	}
	if s.max > 0 {
		n = int(min(int64(n), s.max-s.seq))
	}
	now := time.Now().UTC()
	msgs := make([]*oms.Message, n)
	for i := range msgs {
		s.seq++
		msgs[i] = s.record(now)
	}
	return msgs, nil
}

// wait waits for the next record, and returns how many are due.
func (s *source) wait(ctx context.Context) int {
	now := time.Now()
	if s.due.IsZero() {
		s.due = now
	}
	if ahead := s.due.Sub(now); ahead > 0 {
		timer := time.NewTimer(min(ahead, patience))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return 0
		}
		if now = time.Now(); now.Before(s.due) {
			return 0
		}
	}
	n := 1 + int64(now.Sub(s.due)/s.interval)
	s.due = s.due.Add(time.Duration(n) * s.interval)
	// What is not made now is not made up for: a rate that the broker cannot
	// follow, or a pause, must not end in a flood.
	return int(min(n, int64(s.batch)))
}

// record makes the record of the sequence number at hand.
func (s *source) record(now time.Time) *oms.Message {
	key := make([]byte, 0, 24)
	key = strconv.AppendInt(append(strconv.AppendInt(key, int64(s.task), 10), '-'), s.seq, 10)
	body := make([]byte, 0, max(s.size, 96))
	body = strconv.AppendInt(append(body, `{"task":`...), int64(s.task), 10)
	body = strconv.AppendInt(append(body, `,"seq":`...), s.seq, 10)
	body = now.AppendFormat(append(body, `,"time":"`...), "2006-01-02T15:04:05.000Z")
	body = append(body, '"')
	const frame = `,"pad":""}`
	if pad := s.size - len(body) - len(frame); pad >= 0 {
		body = append(body, `,"pad":"`...)
		body = append(body, bytes.Repeat([]byte("x"), pad)...)
		body = append(body, '"')
	}
	return &oms.Message{
		Key:    key,
		Body:   append(body, '}'),
		Origin: &oms.Origin{Partition: s.partition, Position: `{"seq":` + strconv.FormatInt(s.seq, 10) + `}`},
	}
}
