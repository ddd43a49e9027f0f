package rocketmq

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// runtimeInfo is what a broker says of its log.
func runtimeInfo(end, behind int) *command {
	return &command{body: fmt.Appendf(nil, `{"table":{"commitLogMaxOffset":"%d","dispatchBehindBytes":"%d"}}`, end, behind)}
}

// A broker that deletes an index while it writes to it dies.
func TestATopicIsDeletedWhenAllOfItIsIndexed(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	said := []*command{
		refusal(resError, "java.util.NoSuchElementException"),                 // by one that has just started
		runtimeInfo(1000, 500), runtimeInfo(1010, 510), runtimeInfo(1020, 20), // which is what may still have come
		runtimeInfo(2000, 1000), runtimeInfo(3000, 1981), // and this is of others
		runtimeInfo(4000, 2980),
	}
	var did []string
	f.refuseWith(func(cmd *command) *command {
		switch cmd.Code {
		case reqCreateTopic:
			did = append(did, cmd.Fields["writeQueueNums"]+" and "+cmd.Fields["readQueueNums"]+" queues")
		case reqDeleteTopic:
			did = append(did, fmt.Sprintf("deleted with %d answers left", len(said)))
		case reqRuntimeInfo:
			a := said[0]
			said = said[1:]
			return a
		}
		return nil
	})
	if err := c.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"0 and 0 queues", "deleted with 0 answers left"}, did); diff != "" {
		t.Errorf("what the broker was told (-want +got):\n%s", diff)
	}
}

func TestATopicThatCannotBeDeletedIsAsItWas(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		says *command
		want oms.Code
		text string
	}{
		"the broker does not come to an end": {runtimeInfo(1000, 1), oms.ErrTimeout, "1 bytes are left"},
		"the broker never tells":             {refusal(resError, "a reason"), oms.ErrTimeout, "a reason"},
		"the user may not ask":               {refusal(resNoPermission, "a reason"), oms.ErrDenied, "a reason"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			c := connTo(t, f)
			c.options.timeout = 500 * time.Millisecond
			queues := f.partitions("t")
			f.refuseWith(func(cmd *command) *command {
				if cmd.Code == reqRuntimeInfo {
					return test.says
				}
				return nil
			})
			err := c.DeleteTopic(t.Context(), "t")
			if oms.CodeOf(err) != test.want || !strings.Contains(fmt.Sprint(err), test.text) {
				t.Errorf("delete: %v, want %s with %q", err, test.want, test.text)
			}
			if n := f.partitions("t"); n != queues || n == 0 {
				t.Errorf("the topic has %d queues, want %d", n, queues)
			}
		})
	}
}

func TestATopicHasItsQueuesWhenTheBrokerDoesNotConfirmThatItHasNone(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqCreateTopic && cmd.Fields["writeQueueNums"] == "0" {
			f.topics["t"].closed = true // it is done, and not said
			return refusal(resBusy, "a reason")
		}
		return nil
	})
	if err := c.DeleteTopic(t.Context(), "t"); err == nil || !strings.Contains(err.Error(), "a reason") {
		t.Errorf("delete: %v", err)
	}
	if n := f.partitions("t"); n != 1 {
		t.Errorf("the topic has %d queues, want 1", n)
	}
}

// Brokers before 5.0 do not tell of topics, and others may not tell of their
// log.
func TestATopicIsDeletedWhereBrokersCannotTellOfIt(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	f.refuseWith(func(cmd *command) *command {
		if slices.Contains([]int{reqTopicConfig, reqRuntimeInfo}, cmd.Code) {
			return refusal(resNotSupported, "request type not supported")
		}
		return nil
	})
	if err := c.DeleteTopic(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.routes.now(t.Context(), "t"); codeOf(err) != oms.ErrNotFound {
		t.Errorf("the route of what was deleted: %v", err)
	}
}

// Where a process died while it deleted a topic, the topic has no queues.
func TestATopicThatIsHalfDeletedIsDeletedTheNextTime(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	f.mu.Lock()
	f.topics["half"] = &fakeTopic{queues: make([][]fakeMessage, 1), first: make([]int64, 1), closed: true}
	f.mu.Unlock()
	infos, err := c.Topics(t.Context())
	if diff := cmp.Diff([]oms.TopicInfo{{Name: "t", Partitions: 1}}, infos); err != nil || diff != "" {
		t.Errorf("the topics: %v (-want +got):\n%s", err, diff)
	}
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	says(t, "send", oms.FailureOf(sendOne(t, open(t, s, err), "half"), 0), oms.ErrNotFound, "delete it again")
	if err := c.DeleteTopic(t.Context(), "half"); err != nil {
		t.Errorf("delete: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.topics["half"] != nil {
		t.Error("the topic is still there")
	}
}
