package broker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestASinkMakesItsTopicsOrLeavesThatToOthers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("made", "broker-sink", "topics=t", "sink.broker=c", "sink.topic=made", "topic.creation.default.partitions=5")
		w.create("left", "broker-sink", "topics=t", "sink.broker=c", "sink.topic=left", "topic.creation.enable=false")
		w.number("a", "t", 0, 10)
		w.has("c", "made", 10)
		w.client("c", func(ctx context.Context, c *oms.Client) {
			infos, err := c.Topics(ctx)
			if err != nil || len(infos) != 1 || infos[0] != (oms.TopicInfo{Name: "made", Partitions: 5}) {
				t.Errorf("topics at c: %v, %v", infos, err)
			}
		})
		cause := w.cause("left", connect.Failed)
		for _, part := range []string{"t partition 0 offset 0", "left", "not found"} {
			if !strings.Contains(cause, part) {
				t.Errorf("the cause %q does not say %q", cause, part)
			}
		}
	})
}

// The first record that fails is named, and none overtakes it.
func TestARecordThatTheTargetRefusesIsNamedAndNothingIsSentPastIt(t *testing.T) {
	refused := errors.New("not with me")
	options := map[string]mem.Options{"c": {MaxBody: 100, OnSend: func(m *oms.Message) error {
		if string(m.Body) == "7" {
			return &oms.Error{Op: "send", Code: oms.ErrDenied, Err: refused}
		}
		return nil
	}}}
	for name, c := range map[string]struct {
		bad  []byte
		say  []string
		code connect.State
	}{
		"by the broker": {[]byte("7"), []string{"t partition 0 offset 7", "send to t", "not with me"}, connect.Retrying},
		"by its size":   {make([]byte, 101), []string{"t partition 0 offset 7", "101 bytes", "at most 100", "too large"}, connect.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, options, func(w *world) {
				w.start()
				w.create("out", "broker-sink", "topics=t", "sink.broker=c")
				w.number("a", "t", 0, 7)
				w.send("a", &oms.Message{Topic: "t", Body: c.bad})
				w.number("a", "t", 8, 3)
				cause := w.cause("out", c.code)
				for _, part := range c.say {
					if !strings.Contains(cause, part) {
						t.Errorf("the cause %q does not say %q", cause, part)
					}
				}
				w.wait(10 * time.Second)
				same(t, once(w.bodies("c", "t")), numbers(7))
				if n := w.acknowledged("a", "connect-out", "t"); n > 7 {
					t.Errorf("%d are acknowledged, of 7 that are at the target", n)
				}
			})
		})
	}
}

func TestARecordThatWouldGoToAReservedTopicFails(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.start()
		w.create("out", "broker-sink", "topics=t", "sink.broker=c", "transforms=r", "transforms.r.type=RegexRouter", "transforms.r.regex=t", "transforms.r.replacement=__x")
		w.number("a", "t", 0, 1)
		cause := w.cause("out", connect.Failed)
		if !strings.Contains(cause, "__x") || !strings.Contains(cause, "reserved") {
			t.Errorf("the cause is %q", cause)
		}
	})
}

// What the target has confirmed may be lost to a power cut for a while; until
// then the group stays where it is.
func TestASinkAcknowledgesOnlyWhatIsDurableAtItsTarget(t *testing.T) {
	var confirmed time.Time
	const durable = 7 * time.Second
	options := map[string]mem.Options{
		"c": {DurableAfter: durable, OnSend: func(*oms.Message) error { confirmed = time.Now(); return nil }},
		"a": {OnAck: func(m *oms.Message) error {
			if m.Topic == "t" && time.Since(confirmed) < durable {
				t.Errorf("acknowledged %v after the target has confirmed, want %v", time.Since(confirmed), durable)
			}
			return nil
		}},
	}
	inWorld(t, options, func(w *world) {
		w.start()
		w.create("out", "broker-sink", "topics=t", "sink.broker=c")
		w.number("a", "t", 0, 10)
		w.wait(5 * time.Second)
		if n := w.acknowledged("a", "connect-out", "t"); n != 0 {
			t.Errorf("%d are acknowledged too early", n)
		}
		w.eventually("all are acknowledged", func() bool { return w.acknowledged("a", "connect-out", "t") == 10 })
		w.do(w.catalog.Pause, "out")
		w.cause("out", connect.Paused)
		w.number("a", "t", 10, 10)
		w.wait(time.Minute)
		if n := len(w.topic("c", "t")); n != 10 {
			t.Errorf("%d records at c in a pause, want the 10 from before", n)
		}
		w.do(w.catalog.Resume, "out")
		w.has("c", "t", 20)
		same(t, w.bodies("c", "t"), numbers(20))
	})
}
