package omstest

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

var openRules = []Rule{
	{
		ID: "C01", Sentence: "Open takes the access points that are right, and refuses the others with everything that is wrong, without their secrets.",
		check: checkAccessPoints,
	},
	{ID: "C02", Sentence: "An access point that names an unknown driver is ErrInvalid, and the error names the known ones.", check: checkUnknownDriver},
	{
		ID: "C03", Sentence: "Open does not dial: it succeeds where nobody listens, and Check tells.",
		needs: needsDead, check: checkDead,
	},
	{
		ID: "C04", Sentence: "Wrong credentials are ErrDenied from every call, and the same client works once they are right.",
		Alone: true, needs: needsDenied, check: checkDenied,
	},
	{ID: "C06", Sentence: "Closing a receiver ends a Receive that waits, with ErrClosed.", check: checkCloseEndsReceive},
	{ID: "C07", Sentence: "What is closed refuses every call with ErrClosed, and closing it again changes nothing.", check: checkUseAfterClose},
	{ID: "C08", Sentence: "Close leaves no goroutine behind.", Alone: true, check: checkGoroutines},
	{ID: "C10", Sentence: "Capabilities and identity are the same whenever they are asked for, and a note says why something is not claimed.", check: checkCapabilities},
}

func needsDead(h *Harness) string {
	if h.Dead == nil {
		return "the harness has no access point where nobody listens"
	}
	return ""
}

func needsDenied(h *Harness) string {
	if h.Denied == nil || h.Mend == nil {
		return "the harness has no credentials that are refused and can be made good"
	}
	return ""
}

func checkAccessPoints(b *bench) {
	for _, text := range b.h.Valid {
		c, err := b.registry().Open(b.ctx, text)
		b.ok("open a valid access point", err)
		b.ok("close it", c.Close(b.ctx))
	}
	for text, names := range b.h.Invalid {
		c, err := b.registry().Open(b.ctx, text)
		if err == nil {
			b.fail("an access point that is wrong in %q is opened; closing it gives %v", names, c.Close(b.ctx))
		}
		b.refused("open an access point that is wrong in "+names, err, oms.ErrInvalid)
		b.names(err, names)
	}
	ap := b.h.AccessPoint
	const secret = "not-to-be-seen"
	ap.Options = oms.KeyValue{"no.such.option": "1", "no.such.password": secret}
	maps.Copy(ap.Options, b.h.AccessPoint.Options)
	conn, err := b.h.Driver.Open(b.ctx, ap)
	if err == nil {
		b.fail("unknown options are ignored; closing gives %v", conn.Close(b.ctx))
	}
	b.refused("open with unknown options", err, oms.ErrInvalid)
	b.names(err, "no.such.option", "no.such.password")
	if strings.Contains(err.Error(), secret) {
		b.fail("the error %q has the value of a secret option", err)
	}
}

// registry returns one in which the harness's driver is the only one.
func (b *bench) registry() *oms.Registry {
	var r oms.Registry
	r.Register(b.h.AccessPoint.Driver, b.h.Driver)
	return &r
}

func checkUnknownDriver(b *bench) {
	_, err := b.registry().Open(b.ctx, "oms:no-such-driver:///")
	b.refused("open an unknown driver", err, oms.ErrInvalid)
	b.names(err, "no-such-driver", b.h.AccessPoint.Driver)
}

func checkDead(b *bench) {
	c := b.at(*b.h.Dead) // fails if Open does
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	b.refused("check where nobody listens", c.Check(ctx), oms.ErrUnavailable)
	ended, end := context.WithCancel(b.ctx)
	end()
	if err := c.Check(ended); err == nil {
		b.fail("Check succeeds where nobody listens, with a context that is done")
	}
}

func checkDenied(b *bench) {
	c, conn := b.dial(b.h.Driver, *b.h.Denied)
	topic, group := b.name("topic"), b.name("group")
	ctx, cancel := context.WithTimeout(b.ctx, b.h.patience())
	defer cancel()
	b.refused("check", c.Check(ctx), oms.ErrDenied)
	if b.caps.Has(oms.CreateTopic) {
		b.refused("create a topic", c.EnsureTopic(ctx, oms.TopicSpec{Name: topic}), oms.ErrDenied)
	}
	if b.caps.Has(oms.ReportLag) {
		_, err := c.Lag(ctx, group, []string{topic})
		b.refused("ask for the lag", err, oms.ErrDenied)
	}
	s, err := conn.OpenSender(ctx, oms.SenderConfig{}.WithDefaults())
	if err != nil {
		b.refused("open a sender", err, oms.ErrDenied)
	} else {
		b.onClose(s.Close)
		b.refused("send", b.outcome(b.start(s.SendAsync, numbered(topic, 0, 1)...)), oms.ErrDenied)
	}
	cfg := oms.ReceiverConfig{Topics: []string{topic}, Group: group}.WithDefaults()
	r, err := conn.OpenReceiver(ctx, cfg)
	if err != nil {
		b.refused("open a receiver", err, oms.ErrDenied)
	} else {
		b.onClose(r.Close)
		_, err := r.Receive(ctx, 1)
		b.refused("receive", err, oms.ErrDenied)
	}
	b.ok("make the credentials good", b.h.Mend(b.ctx))
	b.eventually("getting in with good credentials", b.long(), func() (bool, error) {
		err := c.Check(b.ctx)
		return err == nil, err
	})
	b.recovered(c, conn, s, r, topic, cfg)
}

// recovered fails unless a sender and a receiver that were refused, or new
// ones if they could not be opened, work now.
func (b *bench) recovered(c *oms.Client, conn oms.Conn, s oms.Sender, r oms.Receiver, topic string, cfg oms.ReceiverConfig) {
	if b.caps.Has(oms.CreateTopic) {
		b.until("making a topic with good credentials", func() (bool, error) {
			err := c.EnsureTopic(b.ctx, oms.TopicSpec{Name: topic})
			return err == nil, err
		})
		b.cleanTopic(c, topic)
	}
	if r == nil {
		r = b.receiver(conn, cfg)
	}
	if b.caps.Has(oms.ManageGroups) {
		groups, err := c.Groups()
		b.ok("find groups", err)
		b.ok("make group", groups.EnsureGroup(b.ctx, cfg.Group, cfg.Topics, cfg.Start))
	}
	if s == nil {
		s = b.sender(conn, oms.SenderConfig{})
	}
	b.resend("sending with good credentials", func() error { // behind what was refused
		return b.outcome(b.start(s.SendAsync, numbered(topic, 0, 1)...))
	})
	b.until("receiving with good credentials", func() (bool, error) {
		ctx, cancel := context.WithTimeout(b.ctx, b.h.quiet())
		defer cancel()
		msgs, err := r.Receive(ctx, 1)
		return len(msgs) > 0, err
	})
}

func checkCapabilities(b *bench) {
	ask := func() oms.Capabilities { return b.h.Driver.Capabilities(b.h.AccessPoint) }
	same := func(when string, got oms.Capabilities) {
		if !reflect.DeepEqual(got, b.caps) {
			b.fail("the capabilities %s are %+v, they were %+v", when, got, b.caps)
		}
	}
	same("asked for again", ask())
	var identities []string
	for range 2 {
		c := b.another()
		same("of a client", c.Capabilities())
		b.until("reaching the broker", func() (bool, error) {
			err := c.Check(b.ctx)
			return err == nil, err
		})
		same("with the broker reached", ask())
		if b.caps.Has(oms.BrokerIdentity) {
			for range 2 {
				id, err := c.Identity(b.ctx)
				b.ok("ask for the identity", err)
				identities = append(identities, id)
			}
		}
		b.ok("close a client", c.Close(b.ctx))
	}
	if distinct := slices.Compact(slices.Clone(identities)); len(distinct) > 1 {
		b.fail("one broker has several identities: %q", distinct)
	}
	for _, c := range b.caps.All() {
		if !slices.Contains(everyCapability, c) {
			b.fail("the driver speaks of the capability %q, which there is not", c)
		}
	}
	for _, c := range everyCapability {
		if s := b.caps.Claims[c]; !s.Claimed && s.Note == "" {
			b.fail("the capability %s is neither claimed nor does a note say why not", c)
		} else if s.Emulated && (!s.Claimed || s.Note == "") {
			b.fail("the capability %s is emulated, and it is not claimed or no note says how", c)
		}
	}
	if b.caps.MaxBody < 0 || b.caps.DurableAfter < 0 {
		b.fail("a limit is negative: %d bytes, durable after %v", b.caps.MaxBody, b.caps.DurableAfter)
	}
}
