package offsetstest

import (
	"context"
	"slices"
	"time"

	"github.com/omconnect/omconnect/offsets"
)

var statusRules = []rule{
	{"PublishShows", "a published status is shown as it is, ordered by connector and task", always, checkPublishShows},
	{"PublishReplaces", "the next status of a task replaces the one before, whichever worker publishes it", always, checkPublishReplaces},
	{"StatusEnds", "a status is gone once its time has passed, and those of other tasks are not", always, checkStatusEnds},
	{"Withdraw", "Withdraw removes the statuses of a connector from a task on", always, checkWithdraw},
	{"RemoveWithdraws", "the statuses of a removed connector are gone", always, checkRemoveWithdraws},
}

func status(connector string, task int) offsets.Status {
	return offsets.Status{Connector: connector, Task: task, Worker: "gateway-a", State: "RUNNING", Since: time.Unix(1_700_000_000, 5).UTC()}
}

func (b *bench) publish(ctx context.Context, ttl time.Duration, list ...offsets.Status) {
	for i := range list {
		b.ok("publish", b.Publish(ctx, list[i], ttl))
	}
}

// shown fails unless exactly these statuses are shown.
func (b *bench) shown(ctx context.Context, want ...offsets.Status) {
	got, err := b.Statuses(ctx)
	b.ok("statuses", err)
	if !slices.EqualFunc(got, want, sameStatus) {
		b.fail("the statuses are %+v, want %+v", got, want)
	}
}

func sameStatus(a, b offsets.Status) bool {
	since, retry := a.Since.Equal(b.Since), a.NextRetry.Equal(b.NextRetry)
	a.Since, a.NextRetry = b.Since, b.NextRetry
	return since && retry && a == b
}

// define puts definitions: a store may show the statuses of these only.
func (b *bench) define(ctx context.Context, names ...string) {
	for _, name := range names {
		b.put(ctx, definition(name))
	}
}

func checkPublishShows(ctx context.Context, b *bench) {
	b.shown(ctx)
	b.define(ctx, "a", "b", "quiet")
	full := offsets.Status{
		Connector: "b", Task: 2, Worker: "w", State: "FAILED", Since: time.Unix(1_700_000_000, 5).UTC(), By: "REST", Cause: "<cause>",
		Trace: "line\nline", Attempts: 3, NextRetry: time.Unix(1_800_000_000, 0).UTC(), Records: 1 << 60, Restarts: 4, Revision: 5,
	}
	list := []offsets.Status{
		status("a", offsets.ConnectorTask), status("a", 0), status("a", 2), status("a", 10), status("b", offsets.ConnectorTask), full,
	}
	for _, i := range []int{5, 3, 0, 4, 2, 1} {
		b.publish(ctx, forever, list[i])
	}
	b.shown(ctx, list...)
}

func checkPublishReplaces(ctx context.Context, b *bench) {
	b.define(ctx, "c")
	first, next, other := status("c", 0), status("c", 0), status("c", 1)
	next.Worker, next.State, next.Records = "gateway-b", "PAUSED", 7
	b.publish(ctx, forever, first, other, next)
	b.shown(ctx, next, other)
}

func checkStatusEnds(ctx context.Context, b *bench) {
	b.define(ctx, "c", "gone")
	b.publish(ctx, forever, status("c", 0))
	b.publish(ctx, b.harness.TTL, status("c", 1), status("gone", 0))
	b.publish(ctx, forever, status("c", 2))
	b.pass(ctx, b.harness.TTL, "the end of the statuses", func() (bool, error) {
		list, err := b.Statuses(ctx)
		return len(list) == 2, err
	})
	b.shown(ctx, status("c", 0), status("c", 2))
	b.publish(ctx, forever, status("c", 1))
	b.shown(ctx, status("c", 0), status("c", 1), status("c", 2))
}

func checkWithdraw(ctx context.Context, b *bench) {
	b.define(ctx, "c", "other")
	for _, task := range []int{offsets.ConnectorTask, 0, 1, 2, 10} {
		b.publish(ctx, forever, status("c", task), status("other", task))
	}
	b.ok("withdraw the other", b.Withdraw(ctx, "other", offsets.ConnectorTask))
	b.ok("withdraw from 2", b.Withdraw(ctx, "c", 2))
	b.shown(ctx, status("c", offsets.ConnectorTask), status("c", 0), status("c", 1))
	b.ok("withdraw from 0", b.Withdraw(ctx, "c", 0))
	b.shown(ctx, status("c", offsets.ConnectorTask))
	b.ok("withdraw all", b.Withdraw(ctx, "c", offsets.ConnectorTask))
	b.ok("withdraw nothing", b.Withdraw(ctx, "unknown", 0))
	b.shown(ctx)
}

func checkRemoveWithdraws(ctx context.Context, b *bench) {
	d := b.put(ctx, definition("c"))
	b.define(ctx, "other")
	b.publish(ctx, forever, status("c", 0), status("other", 0))
	b.ok("remove", b.Remove(ctx, "c", d.Revision, false))
	b.shown(ctx, status("other", 0))
	b.define(ctx, "c")
	b.shown(ctx, status("other", 0))
}
