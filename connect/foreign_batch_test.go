package connect_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A source must not use its list of messages again. Where one does, what it
// has read arrives all the same.
func TestSourceThatUsesItsListAgainLosesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.broker.ConfirmAfter = 5 * time.Second
		w.start()
		list := make([]*oms.Message, 3)
		n := 0
		w.plugins.Register(foreignPlugin(connect.KindSource, foreign{poll: func(context.Context, *foreign) ([]*oms.Message, error) {
			time.Sleep(100 * time.Millisecond)
			if n == 30 {
				return nil, nil
			}
			for i := range list {
				n++
				list[i] = &oms.Message{Body: []byte(strconv.Itoa(n)), Origin: at(fmt.Sprintf(`{"n":%d}`, n))}
			}
			return list, nil
		}}))
		w.create("bad", "foreign-source", "topic=t")
		w.wait(time.Minute)
		if got := w.topic("t")[0]; !slices.Equal(got, numbers(30)) {
			t.Errorf("the topic has %v, want 1 to 30", got)
		}
	})
}
