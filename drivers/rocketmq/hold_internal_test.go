package rocketmq

import (
	"context"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// A broker looks every five seconds at the pulls that it keeps, and answers
// later than it was told to.
func TestAnIdleMemberKeepsItsPartitions(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	pulls := 0
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqPull && cmd.Fields["consumerGroup"] == "g" {
			pulls++
		}
		return nil
	})
	f.mu.Lock()
	f.hold = 100*time.Millisecond + 5*time.Second
	f.mu.Unlock()
	c := connTo(t, f, "send.timeout.ms=1000")
	c.pullWait = 100 * time.Millisecond
	assigned := make(chan struct{}, 100)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}, OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
		assigned <- struct{}{}
		return nil, nil
	}})
	open(t, r, err)
	until(t, "an answer to a pull, and another pull", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return pulls > 1
	})
	if n := len(assigned); n != 1 {
		t.Errorf("the partition was assigned %d times, want once", n)
	}
}

// A broker forgets a member that it has not heard of for two minutes, and all
// others share anew.
func TestAMemberWithoutPartitionsIsHeardOf(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	beats := make(map[string]int)
	f.refuseWith(func(cmd *command) *command {
		var beat struct {
			ClientID        string `json:"clientID"`
			ConsumerDataSet []any  `json:"consumerDataSet"`
		}
		if cmd.Code == reqHeartbeat && json.Unmarshal(cmd.body, &beat) == nil && beat.ConsumerDataSet[0].(map[string]any)["groupName"] == "g" {
			beats[beat.ClientID]++
		}
		return nil
	})
	c := connTo(t, f)
	for range 2 { // for one partition
		r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}})
		open(t, r, err)
	}
	until(t, "a heartbeat of both after that with which they came", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		heard := maps.Clone(beats)
		maps.DeleteFunc(heard, func(_ string, n int) bool { return n < 2 })
		return len(heard) == 2
	})
}

func TestAPartitionThatIsGivenUpIsPulledNoMore(t *testing.T) {
	t.Parallel()
	id := oms.Partition{Topic: "t"}
	p := &part{id: id, kick: make(chan struct{}, 1), over: make(chan struct{})}
	r := &receiver{parts: map[oms.Partition]*part{id: p}}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { defer close(done); r.pull(ctx, p) }()
	r.remove([]*part{p})
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("the goroutine that pulls is still there")
	}
}
