package embedded_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// What comes again does so in order, also when requests for it end early: the
// next message has no room in what may be held, the member is given less than
// it had, or a former member's requests still wait at the server.
func TestWhatComesAgainIsInOrderHoweverRequestsEnd(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]int{"bytes end requests": 48 << 10, "nothing ends them": 64 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(at place) {
				t := at.t
				const n = 400
				var msgs []*oms.Message
				for i := range n {
					size := 100
					if i%7 == 3 {
						size = 20 << 10
					}
					m := in(0, i)
					m.Body = append(fmt.Appendf(nil, "%d ", i), bytes.Repeat([]byte("x"), size)...)
					msgs = append(msgs, m)
				}
				sendAll(t, at, msgs)
				former := openMember(t, at, group("g"))
				former.await(t, 2)
				former.get(t, n) // and nothing of it is acknowledged
				closeClient(t, former)

				cfg := group("g")
				cfg.MaxUnackedBytes = bound
				next := openMember(t, at, cfg)
				ctx := testContext(t)
				last := -1
				for last < n-1 {
					got, err := next.Receive(ctx, 5)
					if err != nil {
						t.Fatalf("after %d: %v", last, err)
					}
					for _, m := range got {
						text, _, _ := bytes.Cut(m.Body, []byte(" "))
						i, err := strconv.Atoi(string(text))
						if err != nil || i > last+1 {
							t.Fatalf("message %d (%v) comes after %d", i, err, last)
						}
						last = max(last, i)
					}
					if err := next.Ack(ctx, got); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}
