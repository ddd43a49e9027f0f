package rocketmq

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestAGroupWithoutAPositionHasNone(t *testing.T) {
	t.Parallel()
	c := connTo(t, startFake(t))
	got, err := c.Positions(t.Context(), "g", []string{"t"})
	if err != nil || len(got) != 0 {
		t.Errorf("the positions of a new group are %v, %v: brokers say 0 unless they are told not to", got, err)
	}
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	if err := sendOne(t, open(t, s, err), "t"); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureGroup(t.Context(), "g", []string{"t"}, oms.Start{From: oms.StartLatest}); err != nil {
		t.Fatal(err)
	}
	got, err = c.Positions(t.Context(), "g", []string{"t"})
	if diff := cmp.Diff(map[oms.Partition]int64{{Topic: "t"}: 1}, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

func TestAGroupHasOneListOfTopics(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	if err := c.CreateTopic(t.Context(), oms.TopicSpec{Name: "other"}); err != nil {
		t.Fatal(err)
	}
	assigned := make(chan struct{}, 1)
	first, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}, OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
		assigned <- struct{}{}
		return nil, nil
	}})
	open(t, first, err)
	select {
	case <-assigned:
	case <-time.After(patience):
		t.Fatal("nothing is assigned")
	}
	second, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t", "other"}})
	second = open(t, second, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if msgs, err := second.Receive(ctx, 1); oms.CodeOf(err) != oms.ErrInvalid {
		t.Errorf("a member with other topics: %v, %v, want ErrInvalid", msgs, err)
	}
}

// A broker lists a member whose connection died in silence for two minutes.
func TestAMemberThatHasClosedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f)
	var name string
	f.refuseWith(func(cmd *command) *command {
		switch {
		case cmd.Code == reqUnregister:
			name = cmd.Fields["clientID"]
		case cmd.Code == reqConsumerList && name != "":
			return okBody(map[string]any{"consumerIdList": []string{name}})
		}
		return nil
	})
	assigned := make(chan struct{}, 1)
	r, err := c.OpenReceiver(t.Context(), oms.ReceiverConfig{Group: "g", Topics: []string{"t"}, OnAssigned: func(context.Context, []oms.Partition) (map[oms.Partition]int64, error) {
		assigned <- struct{}{}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-assigned:
	case <-time.After(patience):
		t.Fatal("nothing is assigned")
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Members(t.Context(), "g", []string{"t"}); len(got) != 0 || err != nil {
		t.Errorf("the members are %v, %v: want none", got, err)
	}
	if err := c.DeleteGroup(t.Context(), "g", []string{"t"}); err != nil {
		t.Errorf("delete the group: %v", err)
	}
}
