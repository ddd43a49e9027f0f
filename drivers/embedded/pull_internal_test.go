package embedded

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/oms"
)

// asking returns a part with an open request.
func asking(q request) *part {
	c := &conn{backend: &cluster{}}
	r := &receiver{conn: c, cfg: oms.ReceiverConfig{}.WithDefaults(), nudge: make(chan struct{}, 1)}
	return &part{receiver: r, inbox: "_INBOX.x", appetite: 100, asked: &q}
}

func TestARequestEndsWithItsLastMessageOrByte(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request request
		sizes   []int
		pending int
		grows   bool
	}{
		"messages are left": {request{left: 3}, []int{10, 10}, 1, false},
		"the last message":  {request{left: 3}, []int{10, 10, 10}, 0, true},
		"bytes are left":    {request{left: 5, bytes: 31}, []int{10, 10, 10}, 2, false},
		"the last byte":     {request{left: 5, bytes: 30}, []int{10, 10, 10}, 0, true},
		"nobody's request":  {request{left: 1}, []int{10, 10}, 0, true},
	} {
		pt := asking(tc.request)
		for _, size := range tc.sizes {
			pt.used(size)
		}
		if got := pt.pending(); got != tc.pending {
			t.Errorf("%s: %d are pending, want %d", name, got, tc.pending)
		}
		want := 100
		if tc.grows {
			want = 200
		}
		if pt.appetite != want {
			t.Errorf("%s: the next request is for %d, want %d", name, pt.appetite, want)
		}
	}
}

func TestWhatTheEndOfARequestSaysDecidesTheNext(t *testing.T) {
	t.Parallel()
	type state struct {
		Pending, Appetite int
		Tight, Broken     bool
	}
	const others = "409"
	for name, tc := range map[string]struct {
		number       string
		status, text string
		came         int
		want         state
	}{
		"nothing came":              {"7", "408", "Request Timeout", 0, state{0, 0, false, false}},
		"little came":               {"7", "408", "Request Timeout", 30, state{0, 60, false, false}},
		"all came that was there":   {"7", "404", "No Messages", 5, state{0, 10, false, false}},
		"bytes were left":           {"7", others, "Batch Completed", 90, state{0, 180, false, false}},
		"an earlier one's bytes":    {"6", others, "Batch Completed", 90, state{10, 100, true, false}},
		"the bytes are used up":     {"7", others, "Message Size Exceeds MaxBytes", 90, state{0, 100, false, false}},
		"a message is too large":    {"7", others, "Message Size Exceeds MaxBytes", 0, state{0, 100, true, false}},
		"the consumer was deleted":  {"7", others, "Consumer Deleted", 3, state{0, 100, true, true}},
		"the server goes down":      {"7", others, "Server Shutdown", 3, state{0, 100, true, true}},
		"something is not a number": {"x", "408", "Request Timeout", 3, state{10, 100, true, false}},
	} {
		pt := asking(request{number: 7, left: 10, came: tc.came})
		pt.tight = true
		pt.answered(&nats.Msg{Subject: pt.inbox + "." + tc.number, Header: nats.Header{"Status": {tc.status}, "Description": {tc.text}}})
		if diff := cmp.Diff(tc.want, state{pt.pending(), pt.appetite, pt.tight, pt.broken}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if woken := len(pt.receiver.nudge) > 0; woken != tc.want.Broken {
			t.Errorf("%s: the steward is woken: %v", name, woken)
		}
	}
}
