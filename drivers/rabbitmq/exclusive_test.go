package rabbitmq_test

import (
	"context"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// Whoever gives up before the broker has answered holds nothing behind it, and
// the others go on.
func TestWhatIsGivenUpLocksNobodyOut(t *testing.T) {
	t.Parallel()
	for what, queue := range map[string]string{"the lock of topics": "oms.lock", "the slot of a member": "oms.member:g:0"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			c := open(t, f, "")
			makeTopic(t, c, "t", 1)
			ensure(t, c, "g", "t")
			asked, answer := f.delay(queue)
			if queue == "oms.lock" {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- c.(oms.TopicAdmin).CreateTopic(ctx, oms.TopicSpec{Name: "late"}) }()
				until(t, "asking for the lock", func() bool { return asked() == 1 })
				cancel()
				want(t, "a call that was given up", <-ended, oms.ErrAborted)
			} else {
				r := receiver(t, c, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
				until(t, "asking for the slot", func() bool { return asked() == 1 })
				must(t, r.Close(within(t)))
			}
			answer()
			until(t, "giving back what nobody wants any more", func() bool { return f.depth(queue) == -1 })
			makeTopic(t, open(t, f, ""), "after", 1) // another connection
			makeTopic(t, c, "behind", 1)             // the same one
			members, err := c.(oms.GroupAdmin).Members(within(t), "g", []string{"t"})
			must(t, err)
			equal(t, "members", members, []oms.Member(nil))
		})
	}
}
