package omstest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var messageKinds = []kind{
	{"keys are dropped", []string{"M01", "M05", "M13", "N01", "O01", "O04", "S01", "S09"}, rewrite(func(m *oms.Message) { m.Key = nil })},
	{"an empty key is none", []string{"M05"}, rewrite(func(m *oms.Message) {
		if len(m.Key) == 0 {
			m.Key = nil
		}
	})},
	{"keys are text", []string{"M05", "M13"}, rewrite(func(m *oms.Message) { m.Key = textOnly(m.Key) })},
	{"bodies are text", []string{"M01", "M02", "M13", "M15"}, rewrite(func(m *oms.Message) { m.Body = textOnly(m.Body) })},
	{"no body is an empty one", []string{"M01"}, rewrite(func(m *oms.Message) { m.Body = append([]byte{}, m.Body...) })},
	{"an empty body is none", []string{"M01"}, rewrite(func(m *oms.Message) {
		if len(m.Body) == 0 {
			m.Body = nil
		}
	})},
	{"large bodies are changed after the send", []string{"N05"}, changeBodies},
	{"headers are forgotten", []string{"M03", "M13", "M15", "N07", "S01"}, rewrite(func(m *oms.Message) { m.Headers = nil })},
	{"headers are sorted", []string{"M03", "M13"}, rewrite(func(m *oms.Message) {
		m.Headers = slices.SortedStableFunc(slices.Values(m.Headers), func(a, b oms.Header) int { return strings.Compare(a.Name, b.Name) })
	})},
	{"repeated headers are merged", []string{"M03", "M13"}, rewrite(lastOfEachName)},
	{"header names have no case", []string{"M03", "M13", "M15"}, rewriteHeader(func(h *oms.Header) { h.Name = strings.ToLower(h.Name) })},
	{"header values are text", []string{"M03", "M13"}, rewriteHeader(func(h *oms.Header) { h.Value = textOnly(h.Value) })},
	{"header values are trimmed", []string{"M03"}, rewriteHeader(func(h *oms.Header) {
		if h.Value != nil {
			h.Value = bytes.TrimSpace(h.Value)
		}
	})},
	{"a header without a value has an empty one", []string{"M03", "M13"}, rewriteHeader(func(h *oms.Header) { h.Value = append([]byte{}, h.Value...) })},
	{"a reserved header steers", []string{"N07"}, rewrite(steer)},
	{"ids are made anew", []string{"M01", "M02", "M03", "M05", "M06", "M07", "M08", "M13", "S01"}, rewrite(func(m *oms.Message) { m.ID = rand.Text() })},
	{"the born time is when it is sent", []string{"M06", "M13"}, rewrite(func(m *oms.Message) { m.BornAt = time.Now() })},
	{"correlation ids are forgotten", []string{"M06", "M13"}, rewrite(func(m *oms.Message) { m.CorrelationID = "" })},
	{"the trace state is forgotten", []string{"M06", "M13"}, rewrite(func(m *oms.Message) { m.TraceState = "" })},
	{"nothing expires", []string{"M08", "M13"}, rewrite(func(m *oms.Message) { m.ExpiresAt = time.Time{} })},
	{"delays are ignored", []string{"M09"}, rewrite(func(m *oms.Message) { m.Delay = 0 })},
	{"delayed messages are lost", []string{"M09", "M13"}, drop(func(_ *brokenSender, m *oms.Message) bool { return m.Delay > 0 })},
	{"explicit partitions are ignored", []string{"O05", "R11"}, rewrite(func(m *oms.Message) { m.ToPartition = nil })},
	{"messages of one id are one", []string{"N09"}, dropRepeatedIDs},
	{"large bodies are dropped in silence", []string{"S02", "S05", "S07"}, drop(func(s *brokenSender, m *oms.Message) bool {
		return len(m.Body) > s.driver.broker.Capabilities(livePoint).MaxBody
	})},
	{"topics are made by sending", []string{"S05", "S06", "X01"}, makeTopics},
	{"reserved names are taken", []string{"N08"}, takeReservedNames},
}

var senderKinds = []kind{
	{"an outcome is told twice once the sender is closed", []string{"C07", "N06"}, doneTwice},
	{"sends are confirmed before they are stored", []string{"C07", "F02", "F03", "F07", "N01", "N06", "N08", "R06", "S02", "S05", "S06", "S07", "S12", "X01", "X05"}, confirmEarly},
	{"the tail is lost at close", []string{"S10"}, loseTheTail},
	{"a failure holds nothing up", []string{"N01", "S02"}, doNotAbort},
	{"the context of a send is ignored", []string{"S08"}, ignoreSendContext},
	{"a sender ends with its session", []string{"A05", "A08", "F01", "F03", "F04", "O04", "S11", "S12"}, endWithTheSession},
	{"who waits for a sender is not told that it is closed", []string{"C07", "N06"}, keepQuiet},
	{"a full broker is a failure for good", []string{"F07"}, failFor(oms.ErrFull, oms.ErrInvalid)},
	{"a missing topic is waited for", []string{"S05", "S06", "X01"}, failFor(oms.ErrNotFound, oms.ErrUnavailable)},
}

var receiverKinds = []kind{
	{"messages are acknowledged when they are received", []string{"A02", "A04", "A05", "A08", "A09", "A10", "C07", "F04", "M14", "N04", "N11", "O03", "P03", "P07", "R09", "R12", "R16"}, ackEarly},
	{"Flush keeps acknowledgements", []string{"A03", "A05", "A07", "A11", "C07", "F01", "F05", "M08", "N03", "O03", "O04", "P03", "P05", "P07", "P10", "R10"}, ackLate(true)},
	{"Close forgets acknowledgements", []string{"A01", "A05", "A07", "C07", "C08", "F01", "F05", "N03", "N10", "O03", "O04", "P05", "P10", "R10"}, ackLate(false)},
	{"an acknowledgement counts for all before it", []string{"A04", "A05", "A09", "P03"}, ackAllBefore},
	{"what takes long is given back", []string{"F06"}, losePatience},
	{"a member that was full stays so", []string{"R10"}, choke},
	{"Flush waits for nothing", []string{"A03", "A05", "A11", "N03", "P03", "P05"}, flushNothing},
	{"stale acknowledgements are accepted", []string{"A05", "N03"}, forgive},
	{"messages are handed out after the partition has gone", []string{"O03", "P01", "P09", "R11"}, hoard},
	{"Receive returns more than it was asked for", []string{"A11", "N04", "O03", "P01", "P07", "P09", "R08", "R09", "R11", "R16"}, overdeliver},
	{"Receive ignores that it is cancelled", []string{"R07"}, hang},
	{"keyed messages arrive in reverse", []string{"N01", "O01", "P05", "S01", "S09", "X02"}, reverse(func(m *oms.Message) bool { return m.Key != nil })},
	{"keyless messages arrive in reverse", []string{"M07", "O02", "S04", "X02"}, reverse(func(m *oms.Message) bool { return m.Key == nil })},
	{"what is given back comes last", []string{"A03", "M14", "O03"}, nackAtTheEnd},
	{"giving back is forgotten", []string{"A02", "A07", "A09", "F05", "M14", "O03"}, forgetNack},
	{"pausing is forgotten", []string{"R11"}, func(d *broken) {
		d.onReceiver = func(r *brokenReceiver) {
			r.pause = func(ctx context.Context, _ []oms.Partition) error { return r.flush(ctx) }
		}
	}},
	{"resuming is forgotten", []string{"R11"}, func(d *broken) {
		d.onReceiver = func(r *brokenReceiver) {
			r.resume = func(ctx context.Context, _ []oms.Partition) error { return r.flush(ctx) }
		}
	}},
	{"seeking goes one further", []string{"P01"}, seekFurther},
	{"seeking behind the end waits there", []string{"P06"}, seekBeyond},
	{"the count of deliveries stays one", []string{"M14"}, reread(func(m *oms.Message) { m.Deliveries = 1 })},
	{"the count of deliveries begins at none", []string{"M14"}, reread(func(m *oms.Message) { m.Deliveries-- })},
	{"offsets are told one too high", []string{"N10", "P01", "P02", "P03", "P08"}, reread(func(m *oms.Message) { m.Offset++ })},
	{"ten times as many messages are out", []string{"N04", "R09"}, join(func(_ *broken, cfg *oms.ReceiverConfig) { cfg.MaxUnacked *= 10 })},
	{"ten times as many bytes are out", []string{"N04"}, join(func(_ *broken, cfg *oms.ReceiverConfig) { cfg.MaxUnackedBytes *= 10 })},
	{"gaps are skipped in silence", []string{"N10"}, join(func(_ *broken, cfg *oms.ReceiverConfig) { cfg.OnGap = nil })},
	{"revocations are not told", []string{"F05", "N03", "P04", "P09"}, join(func(_ *broken, cfg *oms.ReceiverConfig) { cfg.OnRevoked = nil })},
	{"only the first assignment is told", []string{"P04"}, join(tellOnce)},
	{"positions of OnAssigned are ignored", []string{"P08"}, join(ignorePositions)},
	{"every group begins at the oldest message", []string{"R06", "X05"}, beginAt(oms.Start{From: oms.StartEarliest})},
	{"every group begins at what comes", []string{"N12", "R06", "X05"}, beginAt(oms.Start{From: oms.StartLatest})},
	{"a group begins with its first member", []string{"A01", "A02", "A03", "A04", "A10", "A11", "C07", "F05", "M08", "M14", "N02", "N03", "N04", "N10", "N11", "N12", "O02", "O03", "O05", "P03", "P05", "P07", "P08", "R01", "R02", "R06", "R09", "R10", "R12", "S11", "X05"}, onEachConn(beginWithMember)},
	{"all groups are one", []string{"N02", "N10", "P03", "R02", "R04", "R06", "R15", "X05", "X08"}, onEachConn(share)},
	{"members do not share", []string{"A11", "F05", "F06", "N03", "N11", "O01", "P04", "P05", "P09", "R03", "X05", "X08"}, doNotShare},
	{"a receiver ends with its session", []string{"A05", "A08", "F01", "F03", "F04", "O04", "X07"}, dieWithTheSession},
	{"a receiver ends with its topic", []string{"R14", "X01"}, loseTopic},
	{"a receiver reads topics that begin the same", []string{"R02"}, onEachConn(readMore)},
	{"Close leaves Receive waiting", []string{"C06", "C07"}, keepReceiving},
}

var connKinds = []kind{
	{"a priority is claimed and ignored", []string{"M10", "M13"}, claim(oms.Priority, oms.Support{Claimed: true})},
	{"the broker does not know which it is", []string{"U01"}, onEachConn(func(c *brokenConn) {
		c.identity = func(ctx context.Context) (string, error) { return "", c.check(ctx) }
	})},
	{"what is not claimed has no reason", []string{"C10"}, claim(oms.Delay, oms.Support{})},
	{"Open dials", []string{"C03", "C04", "F02", "F08"}, dialOnOpen},
	{"options are not looked at", []string{"C01"}, ignoreOptions},
	{"goroutines are left behind", []string{"C08"}, onEachConn(leak)},
	{"Close does nothing", []string{"C07"}, onEachConn(stayOpen)},
	{"Check does not ask", []string{"C03", "C04", "C07"}, onEachConn(func(c *brokenConn) { c.check = func(context.Context) error { return nil } })},
	{"denial is for good", []string{"C04"}, onEachConn(forgetMended)},
	{"a topic that is there can be made", []string{"X01"}, onEachConn(replaceTopics)},
	{"topics are not deleted", []string{"X01"}, onEachConn(func(c *brokenConn) { c.deleteTopic = func(ctx context.Context, _ string) error { return c.check(ctx) } })},
	{"no topics are listed", []string{"X01"}, onEachConn(func(c *brokenConn) {
		c.topics = func(ctx context.Context) ([]oms.TopicInfo, error) { return nil, c.check(ctx) }
	})},
	{"topics have one partition", []string{"F05", "F06", "N03", "O01", "O05", "P02", "P04", "P05", "P09", "R03", "R11", "X01"}, onEachConn(func(c *brokenConn) {
		create := c.createTopic
		c.createTopic = func(ctx context.Context, spec oms.TopicSpec) error {
			spec.Partitions = min(spec.Partitions, 1)
			return create(ctx, spec)
		}
	})},
	{"groups are made by their members only", []string{"R06", "X05"}, onEachConn(func(c *brokenConn) {
		c.ensureGroup = func(ctx context.Context, _ string, _ []string, _ oms.Start) error { return c.check(ctx) }
	})},
	{"groups are not deleted", []string{"X05"}, onEachConn(func(c *brokenConn) {
		c.deleteGroup = func(ctx context.Context, _ string, _ []string) error { return c.check(ctx) }
	})},
	{"no members are listed", []string{"X05", "X08"}, onEachConn(func(c *brokenConn) {
		c.members = func(ctx context.Context, _ string, _ []string) ([]oms.Member, error) { return nil, c.check(ctx) }
	})},
	{"foreign members pass for its own", []string{"X08"}, onEachConn(changeMembers(func(m *oms.Member) { m.Foreign = false }))},
	{"foreign members have no names that lead to them", []string{"X08"}, onEachConn(changeMembers(func(m *oms.Member) {
		if m.Foreign {
			m.Name = "somebody"
		}
	}))},
	{"every member is foreign", []string{"X05", "X08"}, onEachConn(changeMembers(func(m *oms.Member) { m.Foreign = true }))},
	{"the lag overlooks what is out", []string{"P07"}, overlookHeld},
	{"positions are one too high", []string{"P03"}, onEachConn(func(c *brokenConn) {
		positions := c.positions
		c.positions = func(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
			got, err := positions(ctx, group, topics)
			for p := range got {
				got[p]++
			}
			return got, err
		}
	})},
	{"offsets of a time are those of now", []string{"P02"}, onEachConn(func(c *brokenConn) {
		offsets := c.offsets
		c.offsets = func(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
			if start.From == oms.StartAtTime {
				start = oms.Start{From: oms.StartLatest}
			}
			return offsets(ctx, topics, start)
		}
	})},
	{"the identity is made up each time", []string{"C10"}, onEachConn(makeUpIdentity)},
}
