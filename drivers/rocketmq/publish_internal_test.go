package rocketmq

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// What the library's errors mean for a message: the front sends those again
// that were not stored, and says of the others that they may have been.
func TestErrorsOfTheLibraryAreToldApart(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for _, test := range []struct {
		err  error
		want oms.Code
		says string
	}{
		{errors.New("CODE: 13, DESC: the message body size over max value, MAX: 4194304"), oms.ErrTooLarge, "broker-a answers 13"},
		{errors.New("CODE: 2, DESC: [TIMEOUT_CLEAN_QUEUE]broker busy\nagain"), oms.ErrBusy, "broker busy\nagain"},
		{errors.New("CODE: 17, DESC: topic[t] not exist"), oms.ErrNotFound, "not exist"},
		{errors.New("unknown Response Code: 26, remark: subscription group does not exist"), oms.ErrNotFound, "does not exist"},
		{refused, oms.ErrUnavailable, "brokerIP1"},
		{fmt.Errorf("send: %w", refused), oms.ErrUnavailable, "10.0.0.1:10911"},
		{errors.New("the topic=t route info not found"), oms.ErrUnavailable, "broker-a"},
		{errors.New("request timeout"), oms.ErrUnknown, "broker-a"},
		{&net.OpError{Op: "write", Err: errors.New("broken pipe")}, oms.ErrUnknown, "broken pipe"},
	} {
		got := sendError(queue{broker: "broker-a"}, "10.0.0.1:10911", test.err)
		if code := codeOf(got); code != test.want || !strings.Contains(got.Error(), test.says) {
			t.Errorf("%v becomes %v (%v), want %v and %q", test.err, got, code, test.want, test.says)
		}
	}
}

func TestTheLibraryLogsThroughSlogAtWarn(t *testing.T) {
	var out lines
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	rlog.Debug("of the test: d", nil)
	rlog.Info("of the test: i", map[string]any{"a": 1})
	rlog.Warning("query topic route from server error", nil) // every 30 seconds, for each topic that is gone
	rlog.Warning("of the test: w", map[string]any{"topic": "t", "broker": "b"})
	rlog.Error("of the test: e", nil)
	rlog.Fatal("of the test: f", nil) // and the process goes on
	// A message, as the library logs each that is rolled back, is for no log.
	rlog.Error("of the test: m", map[string]any{"message": primitive.NewMessage("t", []byte("private")), "localState": 2})
	rlog.Error("executeLocalTransaction but state unexpected", map[string]any{"of the test": 2})
	want := []string{
		`level=WARN msg="client library" driver=rocketmq says="of the test: w" broker=b topic=t`,
		`level=WARN msg="client library" driver=rocketmq says="of the test: e"`,
		`level=WARN msg="client library" driver=rocketmq says="of the test: f"`,
		`level=WARN msg="client library" driver=rocketmq says="of the test: m" localState=2`,
	}
	if diff := cmp.Diff(want, out.all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// lines are what a test has logged, without the time: clients that are kept
// may log meanwhile, too.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	if strings.Contains(rest, "of the test") || strings.Contains(rest, "query topic route") {
		l.text = append(l.text, rest)
	}
	return len(line), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.text)
}
