package offsetstest

import (
	"context"
	"fmt"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

var leaseRules = []rule{
	{"HeldIsRefused", "a held lease is refused with ErrHeld, naming the holder, and stays its holder's", always, checkHeldIsRefused},
	{"SameHolderRetakes", "a holder gets its own lease again at once, with a new token, and the old token is void", always, checkSameHolderRetakes},
	{"TasksApart", "the tasks of a connector and those of others have leases of their own", always, checkTasksApart},
	{"LeaseEnds", "a lease that is not renewed ends", always, checkLeaseEnds},
	{"RenewExtends", "a renewed lease lasts beyond its first end", always, checkRenewExtends},
	{"RenewedEnds", "a renewed lease ends when the time of its renewal has passed", always, checkRenewedEnds},
	{"RenewExpired", "an expired lease that nobody took can be renewed, and holds again", always, checkRenewExpired},
	{"RenewFenced", "Renew is ErrFenced when another one has the lease, and does not disturb it", always, checkRenewFenced},
	{"ReleaseFrees", "a released lease is free at once, and its token void", always, checkReleaseFrees},
	{"ReleaseFormer", "releasing what is no longer held is no error, and leaves the new owner alone", always, checkReleaseFormer},
	{"OneWinner", "of many who acquire a lease at once one gets it", always, checkOneWinner},
	{"LeaseTerms", "a lease without connector, holder, task or time is ErrInvalid", always, checkLeaseTerms},
}

func checkHeldIsRefused(ctx context.Context, b *bench) {
	o := offsets.Owner{Connector: "c", Task: 3}
	l, err := b.Acquire(ctx, o, "gateway-a", forever)
	b.ok("acquire", err)
	if l.Owner != o || l.Holder != "gateway-a" || l.Token == "" || l.TTL != forever {
		b.fail("the lease is %+v", l)
	}
	for range 3 {
		_, err = b.Acquire(ctx, o, "gateway-b", forever)
		b.refused("acquire what is held", err, oms.ErrHeld)
		b.names(err, "gateway-a", "c/3")
	}
	b.ok("commit by the holder", b.Commit(ctx, l, positions(`{}`, `{}`)))
}

func checkSameHolderRetakes(ctx context.Context, b *bench) {
	tokens := make(map[string]bool)
	former := b.acquire(ctx, "c", 0, "a")
	tokens[former.Token] = true
	for range 5 {
		l := b.acquire(ctx, "c", 0, "a")
		if tokens[l.Token] {
			b.fail("the token %s was given twice", l.Token)
		}
		tokens[l.Token] = true
		b.refused("commit with the token before", b.Commit(ctx, former, positions(`{}`, `{}`)), oms.ErrFenced)
		former = l
	}
	b.ok("commit with the last token", b.Commit(ctx, former, positions(`{}`, `{}`)))
}

func checkTasksApart(ctx context.Context, b *bench) {
	leases := []offsets.Lease{
		b.acquire(ctx, "c", 0, "a"), b.acquire(ctx, "c", 1, "b"), b.acquire(ctx, "c", 10, "d"), b.acquire(ctx, "c1", 0, "e"),
	}
	for _, l := range leases {
		_, err := b.Renew(ctx, l, forever)
		b.ok("renew "+l.Owner.String(), err)
	}
	b.ok("release", b.Release(ctx, leases[1]))
	b.acquire(ctx, "c", 1, "x")
	_, err := b.Acquire(ctx, leases[2].Owner, "x", forever)
	b.refused("acquire task 10 after task 1 was released", err, oms.ErrHeld)
}

func checkLeaseEnds(ctx context.Context, b *bench) {
	o := offsets.Owner{Connector: "c"}
	former, err := b.Acquire(ctx, o, "a", b.harness.TTL)
	b.ok("acquire", err)
	l := b.expire(ctx, o, b.harness.TTL)
	if l.Token == former.Token {
		b.fail("the new owner has the former one's token")
	}
	b.ok("commit by the new owner", b.Commit(ctx, l, positions(`{}`, `{"n":1}`)))
	b.refused("commit by the former owner", b.Commit(ctx, former, positions(`{}`, `{"n":0}`)), oms.ErrFenced)
}

func checkRenewExtends(ctx context.Context, b *bench) {
	ttl := b.harness.TTL
	kept, witness := offsets.Owner{Connector: "c", Task: 0}, offsets.Owner{Connector: "c", Task: 1}
	l, err := b.Acquire(ctx, kept, "a", ttl)
	b.ok("acquire", err)
	renewed, err := b.Renew(ctx, l, forever)
	b.ok("renew", err)
	if renewed.Token != l.Token || renewed.Owner != kept || renewed.TTL != forever {
		b.fail("renewing %+v gave %+v", l, renewed)
	}
	_, err = b.Acquire(ctx, witness, "a", ttl) // ends after the first one would have ended
	b.ok("acquire", err)
	b.expire(ctx, witness, ttl)
	_, err = b.Acquire(ctx, kept, "b", forever)
	b.refused("acquire what was renewed", err, oms.ErrHeld)
}

func checkRenewedEnds(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	l, err := b.Renew(ctx, l, b.harness.TTL)
	b.ok("renew", err)
	b.expire(ctx, l.Owner, b.harness.TTL)
	_, err = b.Renew(ctx, l, forever)
	b.refused("renew by the former owner", err, oms.ErrFenced)
}

func checkRenewExpired(ctx context.Context, b *bench) {
	ttl := b.harness.TTL
	lost, witness := offsets.Owner{Connector: "c", Task: 0}, offsets.Owner{Connector: "c", Task: 1}
	l, err := b.Acquire(ctx, lost, "a", ttl)
	b.ok("acquire", err)
	_, err = b.Acquire(ctx, witness, "a", ttl)
	b.ok("acquire", err)
	b.expire(ctx, witness, ttl)
	b.ok("commit with an expired lease", b.Commit(ctx, l, positions(`{}`, `{}`)))
	l, err = b.Renew(ctx, l, forever)
	b.ok("renew what has expired", err)
	_, err = b.Acquire(ctx, lost, "b", forever)
	b.refused("acquire what was renewed", err, oms.ErrHeld)
	b.ok("commit", b.Commit(ctx, l, positions(`{}`, `{}`)))
}

func checkRenewFenced(ctx context.Context, b *bench) {
	o := offsets.Owner{Connector: "c"}
	former, err := b.Acquire(ctx, o, "a", b.harness.TTL)
	b.ok("acquire", err)
	l := b.expire(ctx, o, b.harness.TTL)
	_, err = b.Renew(ctx, former, forever)
	b.refused("renew by the former owner", err, oms.ErrFenced)
	_, err = b.Renew(ctx, l, forever)
	b.ok("renew by the new owner", err)
}

func checkReleaseFrees(ctx context.Context, b *bench) {
	l := b.acquire(ctx, "c", 0, "a")
	b.ok("release", b.Release(ctx, l))
	b.refused("commit after release", b.Commit(ctx, l, positions(`{}`, `{}`)), oms.ErrFenced)
	_, err := b.Renew(ctx, l, forever)
	b.refused("renew after release", err, oms.ErrFenced)
	b.acquire(ctx, "c", 0, "b")
}

func checkReleaseFormer(ctx context.Context, b *bench) {
	former := b.acquire(ctx, "c", 0, "a")
	b.ok("release", b.Release(ctx, former))
	b.ok("release twice", b.Release(ctx, former))
	b.acquire(ctx, "c", 0, "b")
	b.ok("release by the former owner", b.Release(ctx, former))
	_, err := b.Acquire(ctx, former.Owner, "d", forever)
	b.refused("acquire what is the new owner's", err, oms.ErrHeld)
	unknown := offsets.Lease{Owner: offsets.Owner{Connector: "unknown"}, Holder: "a", Token: "1:x"}
	b.ok("release of an unknown connector", b.Release(ctx, unknown))
}

func checkOneWinner(ctx context.Context, b *bench) {
	const n = 20
	o := offsets.Owner{Connector: "c"}
	leases := make([]offsets.Lease, n)
	i := b.won(together(n, func(i int) (err error) {
		leases[i], err = b.Acquire(ctx, o, fmt.Sprintf("gateway-%d", i), forever)
		return err
	}), oms.ErrHeld)
	b.ok("commit by the winner", b.Commit(ctx, leases[i], positions(`{}`, `{}`)))
}

func checkLeaseTerms(ctx context.Context, b *bench) {
	for _, bad := range []struct {
		o      offsets.Owner
		holder string
		ttl    time.Duration
	}{
		{offsets.Owner{}, "a", forever},
		{offsets.Owner{Connector: "c", Task: -1}, "a", forever},
		{offsets.Owner{Connector: "c\xff"}, "a", forever},
		{offsets.Owner{Connector: "c"}, "", forever},
		{offsets.Owner{Connector: "c"}, "a", 0},
		{offsets.Owner{Connector: "c"}, "a", -time.Second},
	} {
		_, err := b.Acquire(ctx, bad.o, bad.holder, bad.ttl)
		b.refused(fmt.Sprintf("acquire %+v", bad), err, oms.ErrInvalid)
	}
	l := b.acquire(ctx, "c", 0, "a")
	_, err := b.Renew(ctx, l, 0)
	b.refused("renew for no time", err, oms.ErrInvalid)
}
