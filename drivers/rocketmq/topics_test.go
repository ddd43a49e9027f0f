package rocketmq_test

import (
	"slices"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// A broker that has just started has topics of its own, and one that was used
// has more of them: of a group, of half messages. None is anybody's to read.
func TestARealBrokerListsTheTopicsOfOthersOnly(t *testing.T) {
	t.Parallel()
	b := startBroker(t)
	c := b.open(t, "")
	list := func() (names []string) {
		t.Helper()
		infos, err := c.(oms.TopicAdmin).Topics(within(t))
		must(t, err)
		for _, info := range infos {
			names = append(names, info.Name)
		}
		slices.Sort(names)
		return names
	}
	if names := list(); len(names) > 0 {
		t.Errorf("a new broker lists %q", names)
	}
	makeTopic(t, c, "orders.eu", 2)
	must(t, sendAll(t, c, &oms.Message{Topic: "orders.eu", Body: []byte("x")}))
	receiveAll(t, c, "readers", "orders.eu", 1)
	s, err := c.(oms.HalfOpener).OpenHalf(within(t), "deciders", newJury(nil).check)
	must(t, err)
	sendHalf(t, s, &oms.Message{Topic: "orders.eu", Body: []byte("half")}, oms.Rollback)
	must(t, s.Close(within(t)))
	if names := list(); !slices.Equal(names, []string{"orders.eu"}) {
		t.Errorf("the broker lists %q, want orders.eu only", names)
	}
}
