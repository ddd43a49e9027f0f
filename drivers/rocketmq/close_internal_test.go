package rocketmq

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// closing closes a receiver of a topic of one partition that has acknowledged
// its only message. The commit of that is withheld before, so that it is left
// to Close; once that has begun, on is called for each with its number from 1
// on, while the fake's lock is held. One that on does not withhold is done.
func closing(ctx context.Context, t *testing.T, f *fake, on func(r *receiver, n int, cmd *command) (withheld bool)) error {
	t.Helper()
	c := connTo(t, f, "send.timeout.ms=60000")
	opened, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}})
	r := open(t, opened, err).(*receiver)
	answer := make(chan struct{})
	t.Cleanup(func() { close(answer) }) // before the fake ends
	n := 0
	f.mu.Lock()
	f.delay = func(cmd *command) <-chan struct{} {
		if cmd.Code != reqUpdateOffset || cmd.Fields["commitOffset"] != "1" {
			return nil
		}
		select {
		case <-r.ending:
		default:
			return answer
		}
		n++
		if on(r, n, cmd) {
			return answer
		}
		return nil
	}
	f.mu.Unlock()
	pass(t, c, r, "t")
	return r.Close(ctx)
}

// unanswered does to the receiver's sessions what a question without an answer
// in time does to the one that it was asked on.
func (r *receiver) unanswered() {
	for _, session := range r.peers.living() {
		session.drop(errNoAnswer)
	}
}

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestCloseCommitsAgainWhatIsNotAnswered(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	err := closing(patient(t), t, f, func(r *receiver, n int, _ *command) bool {
		if n <= 3 {
			r.unanswered()
		}
		return n <= 3
	})
	if err != nil {
		t.Errorf("Close: %v", err)
	}
	if n, _ := f.position("t"); n != 1 {
		t.Errorf("the position is %d, want that behind the message, 1", n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.locks) > 0 {
		t.Errorf("locks are left behind: %v", f.locks)
	}
}

func TestCloseCommitsAgainWhatIsRefusedForNow(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	refused := 0
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqUpdateOffset && cmd.Fields["commitOffset"] == "1" && refused < 3 {
			refused++
			return refusal(resBusy, "[REJECTREQUEST]system busy")
		}
		return nil
	})
	if err := closing(patient(t), t, f, func(*receiver, int, *command) bool { return false }); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n, _ := f.position("t"); n != 1 {
		t.Errorf("the position is %d, want 1", n)
	}
}

// A commit that was done and not answered is found to be done.
func TestCloseFindsACommitWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	err := closing(patient(t), t, f, func(r *receiver, _ int, cmd *command) bool {
		f.positions[positionKey(cmd.Fields)] = 1
		r.unanswered()
		return true
	})
	if err != nil {
		t.Errorf("Close: %v", err)
	}
}

// A member that comes in between reads on from where the group was, and is not
// set back by one that closes.
func TestCloseLeavesAPartitionToWhoeverTookIt(t *testing.T) {
	t.Parallel()
	for name, taken := range map[string]func(*fake){
		"it has the lock": func(f *fake) {
			for key := range f.locks {
				f.locks[key] = "somebody-else"
			}
		},
		"it has been further": func(f *fake) {
			for key := range f.positions {
				f.positions[key] = 7
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			var before int64
			err := closing(patient(t), t, f, func(r *receiver, _ int, cmd *command) bool {
				taken(f)
				before = f.positions[positionKey(cmd.Fields)]
				r.unanswered()
				return true
			})
			if oms.CodeOf(err) != oms.ErrStaleDelivery || !strings.Contains(err.Error(), "offset 1") || !strings.Contains(err.Error(), "t/0") {
				t.Errorf("Close: %v, want ErrStaleDelivery of t/0 at offset 1", err)
			}
			if n, _ := f.position("t"); n != before {
				t.Errorf("the position is %d, want that of the other, %d", n, before)
			}
		})
	}
}

func TestCloseWithoutTimeSaysWhatIsUncertain(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := closing(ctx, t, f, func(*receiver, int, *command) bool { cancel(); return true })
	var got []bool
	for _, want := range []string{"t/0", "offset 1 may not be committed", "from offset 0 on may come again"} {
		got = append(got, err != nil && strings.Contains(err.Error(), want))
	}
	if diff := cmp.Diff([]bool{true, true, true}, got); diff != "" {
		t.Errorf("Close: %v does not name the partition, the offset and what comes again:\n%s", err, diff)
	}
}

// With the connection the broker forgets the member: nothing is lost when it
// does not take its leave.
func TestCloseDoesNotFailOverALeaveThatIsRefused(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqUnregister {
			return refusal(resNoPermission, "not you")
		}
		return nil
	})
	if err := closing(patient(t), t, f, func(*receiver, int, *command) bool { return false }); err != nil {
		t.Errorf("Close: %v", err)
	}
}
