package rocketmq

import (
	"context"
	"fmt"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// answers are the numbers that brokers of 5.2 may answer with, by their names
// there, and what each means where the remark says nothing else. What is not
// among the driver's own is temporary: a broker may get well.
var answers = map[string]struct {
	code int
	want oms.Code
}{
	"SYSTEM_ERROR":                  {1, oms.ErrUnavailable},
	"SYSTEM_BUSY":                   {2, oms.ErrBusy},
	"REQUEST_CODE_NOT_SUPPORTED":    {3, oms.ErrUnsupported},
	"TRANSACTION_FAILED":            {4, oms.ErrUnavailable},
	"FLUSH_DISK_TIMEOUT":            {10, oms.ErrUnavailable},
	"SLAVE_NOT_AVAILABLE":           {11, oms.ErrUnavailable},
	"FLUSH_SLAVE_TIMEOUT":           {12, oms.ErrUnavailable},
	"MESSAGE_ILLEGAL":               {13, oms.ErrInvalid},
	"SERVICE_NOT_AVAILABLE":         {14, oms.ErrUnavailable},
	"VERSION_NOT_SUPPORTED":         {15, oms.ErrUnsupported},
	"NO_PERMISSION":                 {16, oms.ErrDenied},
	"TOPIC_NOT_EXIST":               {17, oms.ErrNotFound},
	"TOPIC_EXIST_ALREADY":           {18, oms.ErrExists},
	"PULL_NOT_FOUND":                {19, oms.ErrUnavailable},
	"PULL_RETRY_IMMEDIATELY":        {20, oms.ErrUnavailable},
	"PULL_OFFSET_MOVED":             {21, oms.ErrUnavailable},
	"QUERY_NOT_FOUND":               {22, oms.ErrNotFound},
	"SUBSCRIPTION_PARSE_FAILED":     {23, oms.ErrInvalid},
	"SUBSCRIPTION_NOT_EXIST":        {24, oms.ErrUnavailable},
	"SUBSCRIPTION_NOT_LATEST":       {25, oms.ErrUnavailable},
	"SUBSCRIPTION_GROUP_NOT_EXIST":  {26, oms.ErrNotFound},
	"FILTER_DATA_NOT_EXIST":         {27, oms.ErrUnavailable},
	"FILTER_DATA_NOT_LATEST":        {28, oms.ErrUnavailable},
	"TRANSACTION_SHOULD_COMMIT":     {200, oms.ErrUnavailable},
	"TRANSACTION_SHOULD_ROLLBACK":   {201, oms.ErrUnavailable},
	"TRANSACTION_STATE_UNKNOW":      {202, oms.ErrUnavailable},
	"TRANSACTION_STATE_GROUP_WRONG": {203, oms.ErrUnavailable},
	"NO_BUYER_ID":                   {204, oms.ErrUnavailable},
	"NOT_IN_CURRENT_UNIT":           {205, oms.ErrUnavailable},
	"CONSUMER_NOT_ONLINE":           {206, oms.ErrUnavailable},
	"CONSUME_MSG_TIMEOUT":           {207, oms.ErrUnavailable},
	"NO_MESSAGE":                    {208, oms.ErrUnavailable},
	"POLLING_FULL":                  {209, oms.ErrUnavailable},
	"POLLING_TIMEOUT":               {210, oms.ErrUnavailable},
	"BROKER_NOT_EXIST":              {211, oms.ErrUnavailable},
	"BROKER_DISPATCH_NOT_COMPLETE":  {212, oms.ErrUnavailable},
	"BROADCAST_CONSUMPTION":         {213, oms.ErrUnavailable},
	"FLOW_CONTROL":                  {215, oms.ErrBusy},
	"NOT_LEADER_FOR_QUEUE":          {501, oms.ErrUnavailable},
	"ILLEGAL_OPERATION":             {604, oms.ErrUnavailable},
	"GO_AWAY":                       {1500, oms.ErrUnavailable},
	"RPC_UNKNOWN":                   {-1000, oms.ErrUnavailable},
	"RPC_TIME_OUT":                  {-1006, oms.ErrUnavailable},
	"CONTROLLER_NOT_LEADER":         {2007, oms.ErrUnavailable},
}

func TestEveryAnswerHasACode(t *testing.T) {
	t.Parallel()
	for name, a := range answers {
		if got := answerCode(a.code, ""); got != a.want {
			t.Errorf("%s (%d) is %q, want %q", name, a.code, got, a.want)
		}
		// Wrong keys, a full disk and a broker that is busy come with any number.
		for remark, want := range map[string]oms.Code{
			"org.apache.rocketmq.acl.common.AclException: x": oms.ErrDenied,
			"Check signature failed":                         oms.ErrDenied,
			"RuntimeException: message body size exceeded":   oms.ErrTooLarge,
			"maybe disk full":                                oms.ErrFull,
			"[TIMEOUT_CLEAN_QUEUE]broker busy, start flow":   oms.ErrBusy,
			"[OVERLOAD]system busy":                          oms.ErrBusy,
		} {
			if got := answerCode(a.code, remark); got != want {
				t.Errorf("%s (%d) with %q is %q, want %q", name, a.code, remark, got, want)
			}
		}
	}
}

// A send reads the number off the library's words. It means the same.
func TestAnAnswerToASendMeansTheSame(t *testing.T) {
	t.Parallel()
	for name, a := range answers {
		if a.code >= 10 && a.code <= 12 {
			continue // the library has statuses for these
		}
		err := classify("send", "t/0", sendError(queue{broker: "b"}, "b:1", fmt.Errorf("CODE: %d, DESC: said", a.code)))
		if got := oms.CodeOf(err); got != a.want {
			t.Errorf("%s (%d) is %q, want %q: %v", name, a.code, got, a.want, err)
		}
	}
}

// Every answer to a commit leaves the group's position where it was, and the
// next commit is tried.
func TestACommitThatIsAnsweredWithAnErrorSaysSo(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}})
	r = open(t, r, err)
	until(t, "the beginning as the group's position", f.isAt("t", 0))
	for _, name := range []string{"SYSTEM_ERROR", "SYSTEM_BUSY", "NO_PERMISSION", "TOPIC_NOT_EXIST", "SUBSCRIPTION_GROUP_NOT_EXIST", "GO_AWAY"} {
		a := answers[name]
		f.refuseWith(func(cmd *command) *command {
			if cmd.Code == reqUpdateOffset {
				return refusal(a.code, "said")
			}
			return nil
		})
		before, _ := f.position("t")
		pass(t, c, r, "t")
		if err := r.Flush(t.Context()); oms.CodeOf(err) != a.want {
			t.Errorf("%s: Flush returns %v, want %q", name, err, a.want)
		}
		if n, _ := f.position("t"); n != before {
			t.Errorf("%s: the position has gone from %d to %d", name, before, n)
		}
		f.refuseWith(nil)
		if err := r.Flush(t.Context()); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
		if n, _ := f.position("t"); n != before+1 {
			t.Errorf("after %s the position is %d, want %d", name, n, before+1)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	pass(t, c, r, "t")
	if err := r.Flush(gone); err != nil && oms.CodeOf(err) != oms.ErrAborted {
		t.Errorf("Flush that is given up: %v, want ErrAborted or that it was done before", err)
	}
}
