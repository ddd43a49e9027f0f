package oms_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestMessagesOfABatchHaveIDsOfTheirOwnAndOneTimeOfBirth(t *testing.T) {
	t.Parallel()
	b := newBack()
	p := producer(t, b)
	defer closing(t, p)
	seen := make(map[string]bool)
	for _, n := range []int{1, 2, 63, 64, 65, 500} {
		msgs := make([]*oms.Message, n)
		for i := range msgs {
			msgs[i] = message("k", fmt.Sprint(i))
			if i%7 == 3 {
				msgs[i].ID = fmt.Sprintf("mine-%d-%d", n, i)
			}
		}
		if err := p.Send(t.Context(), msgs...); err != nil {
			t.Fatal(err)
		}
		for i, m := range msgs {
			given := i%7 == 3
			switch {
			case given && m.ID != fmt.Sprintf("mine-%d-%d", n, i):
				t.Errorf("message %d of %d has the id %q, want that of its sender", i, n, m.ID)
			case !given && (len(m.ID) != 26 || strings.Trim(m.ID, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != ""):
				t.Errorf("message %d of %d has the id %q, want 26 letters of base 32", i, n, m.ID)
			case seen[m.ID]:
				t.Errorf("message %d of %d has the id %q, which another has", i, n, m.ID)
			case m.BornAt.IsZero() || !m.BornAt.Equal(msgs[0].BornAt):
				t.Errorf("message %d of %d is born at %v, the first at %v", i, n, m.BornAt, msgs[0].BornAt)
			}
			seen[m.ID] = true
		}
	}
}

func TestEachTopicOfABatchIsLookedAt(t *testing.T) {
	t.Parallel()
	b := newBack()
	p := producer(t, b)
	defer closing(t, p)
	for _, bad := range []string{"", "a b", "."} {
		first, wrong, again := message("k", "1"), message("k", "2"), message("k", "3")
		wrong.Topic = bad
		err := p.Send(t.Context(), first, wrong, again)
		for i, want := range []oms.Code{oms.ErrAborted, oms.ErrInvalid, oms.ErrAborted} {
			if got := oms.CodeOf(oms.FailureOf(err, i)); got != want {
				t.Errorf("with the topic %q in between, message %d is %v, want %v", bad, i, got, want)
			}
		}
		wrong.Topic = first.Topic
		first.Topic = bad
		if got := oms.CodeOf(oms.FailureOf(p.Send(t.Context(), first, wrong), 0)); got != oms.ErrInvalid {
			t.Errorf("with the topic %q first, it is %v, want %v", bad, got, oms.ErrInvalid)
		}
	}
}
