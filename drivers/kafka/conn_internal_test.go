package kafka

import (
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestTheNameOfAStaticMemberIsFreeAgain(t *testing.T) {
	t.Parallel()
	ap, err := oms.ParseAccessPoint("oms:kafka://127.0.0.1:1/?group.instance.id=i")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Driver{}.Open(t.Context(), ap)
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*conn)
	cfg := oms.ReceiverConfig{Group: "g", Topics: []string{"t"}}
	good := c.base.Net.MaxOpenRequests
	c.base.Net.MaxOpenRequests = 0 // which no client takes
	if _, err := c.OpenReceiver(t.Context(), cfg); err == nil {
		t.Fatal("a receiver was opened that cannot be")
	}
	c.base.Net.MaxOpenRequests = good
	names := make(map[string]oms.Receiver)
	for _, want := range []string{"i-0", "i-1"} {
		r, err := c.OpenReceiver(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.(*receiver).instance; got != want {
			t.Errorf("a member has the name %q, want %q", got, want)
		}
		names[want] = r
	}
	if err := names["i-0"].Close(t.Context()); err != nil {
		t.Error(err)
	}
	if r, err := c.OpenReceiver(t.Context(), cfg); err != nil || r.(*receiver).instance != "i-0" {
		t.Errorf("the name of a member that has left is not given again: %v", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
