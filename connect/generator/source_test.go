package generator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	_ "github.com/omconnect/omconnect/connect/generator"
	"github.com/omconnect/omconnect/oms"
)

// start makes and starts a task as the runtime does.
func start(t *testing.T, task int, config oms.KeyValue, positions ...oms.Origin) connect.Source {
	t.Helper()
	plugin, err := connect.DefaultPlugins.Lookup("generator-source")
	if err != nil {
		t.Fatal(err)
	}
	if err := plugin.Def.Validate(config); err != nil {
		t.Fatal(err)
	}
	config = plugin.Def.Complete(config)
	c, err := plugin.New(connect.Env{Connector: "test", Task: task, Tasks: 2, Config: config, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	src, ok := c.(interface {
		connect.Source
		connect.Positioned
		connect.Splitter
	})
	if !ok {
		t.Fatal("generator-source is not a Source, Positioned and a Splitter")
	}
	if err := src.OnStart(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if err := src.Seek(t.Context(), positions); err != nil {
		t.Fatal(err)
	}
	return src
}

// all polls to the end.
func all(t *testing.T, src connect.Source) (msgs []*oms.Message, batches []int) {
	t.Helper()
	for {
		batch, err := src.Poll(t.Context())
		msgs = append(msgs, batch...)
		if errors.Is(err, io.EOF) {
			return msgs, batches
		}
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, len(batch))
	}
}

func TestRecordsAreNumberedAndOfTheSizeAskedFor(t *testing.T) {
	msgs, batches := all(t, start(t, 1, oms.KeyValue{"records.max": "1200", "interval.ms": "0", "body.bytes": "120"}))
	if fmt.Sprint(batches) != "[500 500 200]" {
		t.Errorf("batches of %v", batches)
	}
	for i, m := range msgs {
		seq := i + 1
		var body struct {
			Task, Seq int
			Time      time.Time
			Pad       string
		}
		if err := json.Unmarshal(m.Body, &body); err != nil {
			t.Fatal(err)
		}
		if len(m.Body) != 120 || body.Task != 1 || body.Seq != seq || time.Since(body.Time).Abs() > time.Minute {
			t.Fatalf("record %d has %d bytes: %s", seq, len(m.Body), m.Body)
		}
		if want := fmt.Sprintf("1-%d", seq); string(m.Key) != want {
			t.Errorf("key %q, want %q", m.Key, want)
		}
		origin, err := oms.NewOrigin(map[string]int{"task": 1}, map[string]int{"seq": seq})
		if err != nil || *origin != *m.Origin {
			t.Errorf("origin %+v, want %+v, %v", m.Origin, origin, err)
		}
	}
}

func TestBodiesOfEverySizeAreJSON(t *testing.T) {
	for size := range 90 {
		src := start(t, 0, oms.KeyValue{"interval.ms": "0", "body.bytes": fmt.Sprint(size), "records.max": "1"})
		msgs, _ := all(t, src)
		if !json.Valid(msgs[0].Body) {
			t.Errorf("size %d: %s", size, msgs[0].Body)
		}
		if size >= 64 && len(msgs[0].Body) != size {
			t.Errorf("size %d: %d bytes", size, len(msgs[0].Body))
		}
	}
}

func TestBatchesOfLargeBodiesAreSmall(t *testing.T) {
	msgs, err := start(t, 0, oms.KeyValue{"interval.ms": "0", "body.bytes": "1048576"}).Poll(t.Context())
	if err != nil || len(msgs) != 4 {
		t.Errorf("%d records, %v", len(msgs), err)
	}
}

func TestTaskGoesOnBehindItsPosition(t *testing.T) {
	src := start(t, 1, oms.KeyValue{"records.max": "10", "interval.ms": "0"},
		oms.Origin{Partition: `{"task":0}`, Position: `{"seq":3}`},
		oms.Origin{Partition: `{"task":1}`, Position: `{"seq":7}`})
	msgs, _ := all(t, src)
	if len(msgs) != 3 || string(msgs[0].Key) != "1-8" {
		t.Errorf("%d records, the first with key %s", len(msgs), msgs[0].Key)
	}
	finished := start(t, 0, oms.KeyValue{"records.max": "10"}, oms.Origin{Partition: `{"task":0}`, Position: `{"seq":10}`})
	if msgs, _ := all(t, finished); len(msgs) != 0 {
		t.Errorf("a finished task made %d more", len(msgs))
	}
}

func TestCorruptPositionIsRefused(t *testing.T) {
	for _, corrupt := range []string{"", "{}", `{"seq":-1}`, `{"seq":"1"}`, `{"seq":1,"x":2}`} {
		positioned, ok := start(t, 0, oms.KeyValue{}).(connect.Positioned)
		if !ok {
			t.Fatal("not Positioned")
		}
		err := positioned.Seek(t.Context(), []oms.Origin{{Partition: `{"task":0}`, Position: corrupt}})
		if !errors.Is(err, oms.ErrFormat) {
			t.Errorf("position %q: %v", corrupt, err)
		}
	}
}

func TestIntervalIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		msgs, batches := all(t, start(t, 0, oms.KeyValue{"records.max": "4", "interval.ms": "1200"}))
		if took := time.Since(begin); len(msgs) != 4 || took != 3*1200*time.Millisecond {
			t.Errorf("%d records took %v", len(msgs), took)
		}
		if len(batches) < 8 {
			t.Errorf("Poll waited too long: %v", batches)
		}
	})
}

func TestShortIntervalMakesWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := start(t, 0, oms.KeyValue{"interval.ms": "10", "batch.max.records": "50"})
		for _, tt := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {100 * time.Millisecond, 10}, {0, 1}, {time.Hour, 50}, {0, 1}} {
			time.Sleep(tt.after)
			msgs, err := src.Poll(t.Context())
			if err != nil || len(msgs) != tt.want {
				t.Errorf("after %v came %d records, %v, want %d", tt.after, len(msgs), err, tt.want)
			}
		}
	})
}

func TestWaitEndsWithTheContext(t *testing.T) {
	src := start(t, 0, oms.KeyValue{"interval.ms": "3600000"})
	if msgs, err := src.Poll(t.Context()); len(msgs) != 1 || err != nil {
		t.Fatalf("first poll: %d, %v", len(msgs), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if msgs, err := src.Poll(ctx); len(msgs) != 0 || err != nil {
		t.Errorf("got %d records, %v", len(msgs), err)
	}
}

func TestSplitGivesEveryTaskTheSameWork(t *testing.T) {
	config := oms.KeyValue{"records.max": "5"}
	splitter, ok := start(t, 0, config).(connect.Splitter)
	if !ok {
		t.Fatal("not a Splitter")
	}
	tasks, err := splitter.Split(t.Context(), config, 3)
	if err != nil || len(tasks) != 3 || tasks[2]["records.max"] != "5" {
		t.Fatalf("tasks %v, %v", tasks, err)
	}
	tasks[0]["records.max"] = "6"
	if tasks[1]["records.max"] != "5" || config["records.max"] != "5" {
		t.Error("the tasks share one configuration")
	}
}
