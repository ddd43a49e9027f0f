package logsink_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/oms"
)

// A logged is a log that sinks share.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// numbers returns what stands in the log.
func (l *logged) numbers(t *testing.T) []int {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var numbers []int
	for line := range strings.Lines(l.buf.String()) {
		var record struct {
			Body      string
			Tombstone bool
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Tombstone {
			continue
		}
		n, err := strconv.Atoi(record.Body)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

func TestSinkKeepsTheContractOfConnectors(t *testing.T) {
	connecttest.RunSink(t, func(t *testing.T) connecttest.Sink {
		t.Helper()
		plugin, err := connect.DefaultPlugins.Lookup("log-sink")
		if err != nil {
			t.Fatal(err)
		}
		log := new(logged)
		logger := slog.New(slog.NewJSONHandler(log, nil))
		made := plugin.New
		plugin.New = func(env connect.Env) (connect.Connector, error) {
			env.Logger = logger
			return made(env)
		}
		return connecttest.Sink{
			Plugin: plugin,
			Config: oms.KeyValue{"body.max.bytes": "100"},
			Message: func(i int) *oms.Message {
				return &oms.Message{Topic: "t", Key: fmt.Append(nil, "k", i), Body: fmt.Append(nil, i)}
			},
			Stored: func() []int { return log.numbers(t) },
		}
	})
}
