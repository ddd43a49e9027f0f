package rocketmq

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// partitions returns how many the broker has.
func (f *fake) partitions(topic string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.topics[topic].count()
}

// A broker overwrites a topic that is there, and the keys move.
func TestATopicIsMadeOnceHoweverManyMakeIt(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	made := make(map[string]int)
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqCreateTopic {
			made[cmd.Fields["topic"]]++
		}
		return nil
	})
	first, second := connTo(t, f), connTo(t, f)
	for i := range 20 {
		topic := "topic-" + strconv.Itoa(i)
		var errs [4]error
		var making sync.WaitGroup
		for n := range errs {
			making.Go(func() {
				c := []*conn{first, second}[n%2]
				errs[n] = c.CreateTopic(t.Context(), oms.TopicSpec{Name: topic, Partitions: n + 1})
			})
		}
		making.Wait()
		winner := 0
		for n, err := range errs {
			switch {
			case err == nil && winner == 0:
				winner = n + 1
			case oms.CodeOf(err) != oms.ErrExists:
				t.Errorf("making %s with %d partitions: %v, want ErrExists from all but one", topic, n+1, err)
			}
		}
		if n := f.partitions(topic); n != winner || made[topic] != 1 {
			t.Errorf("topic %s has %d partitions and was made %d times; %d were confirmed", topic, n, made[topic], winner)
		}
	}
}

// Name servers learn of a topic later than its broker.
func TestATopicThatOnlyItsBrokerKnowsIsNotOverwritten(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "young", Partitions: 4}); err != nil {
		t.Fatal(err)
	}
	routes := 0
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqRoute && cmd.Fields["topic"] == "young" {
			routes++
			if routes < 4 {
				return refusal(resTopicNotFound, "No topic route info in name server for the topic: young")
			}
		}
		return nil
	})
	err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "young", Partitions: 8})
	if oms.CodeOf(err) != oms.ErrExists || f.partitions("young") != 4 {
		t.Errorf("making it again: %v, and it has %d partitions, want ErrExists and 4", err, f.partitions("young"))
	}
	if r, err := c.routes.of(t.Context(), "young"); err != nil || len(r.queues) != 4 {
		t.Errorf("its route is %+v, %v", r, err)
	}
}

func TestATopicThatAnotherProcessOverwritesIsTheOthers(t *testing.T) {
	t.Parallel()
	for _, others := range []int{2, 8} {
		f := startFake(t)
		c := connTo(t, f)
		f.refuseWith(func(cmd *command) *command {
			if cmd.Code != reqCreateTopic {
				return nil
			}
			f.topics["raced"] = &fakeTopic{queues: make([][]fakeMessage, others), first: make([]int64, others)}
			return ok(nil)
		})
		err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "raced", Partitions: 4})
		if oms.CodeOf(err) != oms.ErrExists || !strings.Contains(fmt.Sprint(err), strconv.Itoa(others)) {
			t.Errorf("another process has made it with %d partitions: %v, want ErrExists and how many", others, err)
		}
		if r, err := c.routes.of(t.Context(), "raced"); err != nil || len(r.queues) != others {
			t.Errorf("its route is %+v, %v, want %d partitions", r, err, others)
		}
	}
}

// Some brokers before 5.0 do not know the question.
func TestATopicIsMadeWhereBrokersCannotTellOfIt(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.refuseWith(func(cmd *command) *command {
		if cmd.Code == reqTopicConfig {
			return refusal(resNotSupported, "request type 351 not supported")
		}
		return nil
	})
	c := connTo(t, f)
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "old", Partitions: 3}); err != nil || f.partitions("old") != 3 {
		t.Errorf("%v, and it has %d partitions, want 3", err, f.partitions("old"))
	}
}
