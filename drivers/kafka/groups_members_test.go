package kafka_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// strangersID is the client id of programs that know nothing of package oms.
const strangersID = "stranger"

// joinAsStranger has another client library join a group. It returns once the
// group has given it partitions of the topic.
func joinAsStranger(ctx context.Context, group, topic string, opts ...kgo.Opt) (hint string, leave func(context.Context) error, err error) {
	assigned := make(chan struct{})
	once := sync.OnceFunc(func() { close(assigned) })
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ClientID(strangersID), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
			if len(ps[topic]) > 0 {
				once()
			}
		}),
	}, opts...)...)
	if err != nil {
		return "", nil, err
	}
	select {
	case <-assigned:
		return strangersID, func(ctx context.Context) error {
			err := c.LeaveGroupContext(ctx)
			c.Close()
			return err
		}, nil
	case <-ctx.Done():
		c.Close()
		return "", nil, ctx.Err()
	}
}

// joins has a stranger join the group g until the test ends.
func (c *cluster) joins(t *testing.T, topic string, opts ...kgo.Opt) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	opts = append(opts, kgo.SeedBrokers(c.addr()), kgo.SASL(scram.Auth{User: "admin", Pass: "admin"}.AsSha256Mechanism()))
	_, end, err := joinAsStranger(ctx, "g", topic, opts...)
	if err != nil {
		t.Fatal(err)
	}
	leave = sync.OnceFunc(func() {
		if err := end(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("the stranger leaves: %v", err)
		}
	})
	t.Cleanup(leave)
	return leave
}

// split returns the names of a group's members.
func split(t *testing.T, conn oms.Conn, group string, topics ...string) (own, foreign []string) {
	t.Helper()
	members, err := conn.(oms.GroupAdmin).Members(t.Context(), group, topics)
	if err != nil && !errors.Is(err, oms.ErrNotFound) {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Foreign {
			foreign = append(foreign, m.Name)
		} else {
			own = append(own, m.Name)
		}
	}
	return own, foreign
}

// Both of them share the partitions, by either protocol, and none takes the
// mark for something that it is not.
func TestAForeignMemberIsToldApartBesideOurs(t *testing.T) {
	t.Parallel()
	for protocol, balancer := range map[string]kgo.GroupBalancer{
		"cooperative": kgo.CooperativeStickyBalancer(), "eager": kgo.RangeBalancer(),
	} {
		for _, first := range []string{"ours", "theirs"} {
			t.Run(protocol+" "+first, func(t *testing.T) {
				t.Parallel()
				c := startCluster(t)
				topic := c.topic(t, 4)
				conn := c.open(t, "&client.id="+strangersID+"&rebalance.protocol="+protocol)
				join := func() { c.joins(t, topic, kgo.Balancers(balancer), kgo.HeartbeatInterval(200*time.Millisecond)) }
				if first == "theirs" { // and has to share out what this one tells it
					join()
				}
				_, l := member(t, conn, topic)
				if first == "ours" {
					l.await(t, 4)
					join()
				}
				l.await(t, 2)
				own, foreign := split(t, conn, "g", topic)
				if len(own) != 1 || len(foreign) != 1 || !strings.HasPrefix(foreign[0], strangersID+" at 127.0.0.1") {
					t.Errorf("the members are %q, foreign ones %q; want one each, the latter with its client id and its host", own, foreign)
				}
			})
		}
	}
}

func TestForeignMembersThatReadOtherTopicsAreLeftOut(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	one, conn := c.topic(t, 1), c.open(t, "")
	const two = "two"
	if err := conn.(oms.TopicAdmin).CreateTopic(t.Context(), oms.TopicSpec{Name: two, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	leave := c.joins(t, one)
	if own, foreign := split(t, conn, "g", two); len(own)+len(foreign) != 0 {
		t.Errorf("the members that read another topic are %q and %q, want none", own, foreign)
	}
	if _, foreign := split(t, conn, "g", two, one); len(foreign) != 1 {
		t.Errorf("the foreign members are %q, want one", foreign)
	}
	leave()
	if own, foreign := split(t, conn, "g", one); len(own)+len(foreign) != 0 {
		t.Errorf("the members are %q and %q behind the last one, want none", own, foreign)
	}
}

// A group of the protocol of KIP-848 is another kind of group to brokers, and
// to who asks for its members.
func TestMembersThatSpeakTheNextProtocolAreForeign(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	topic, group := b.topic(t, 2), "next"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, leave, err := joinAsStranger(ctx, group, topic, kgo.SeedBrokers(b.AddrOf(servers.Plain)),
		kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	if err != nil {
		t.Fatal(err)
	}
	members, err := openAt(t, b.point("&version=4.0.0")).(oms.GroupAdmin).Members(ctx, group, []string{topic})
	if err != nil || len(members) != 1 || !members[0].Foreign || !strings.HasPrefix(members[0].Name, strangersID+" at ") {
		t.Errorf("the members are %v, %v; want the foreign one", members, err)
	}
	others, err := openAt(t, b.point("&version=4.0.0")).(oms.GroupAdmin).Members(ctx, group, []string{"another"})
	if err != nil || len(others) != 0 {
		t.Errorf("the members that read another topic are %v, %v; want none", others, err)
	}
	if err := leave(ctx); err != nil {
		t.Error(err)
	}
}

// The consumer of Kafka itself leads the group, and shares it out by what our
// member tells it.
func TestKafkasOwnConsumerSharesAGroupWithOurs(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	topic, conn := b.topic(t, 4), openAt(t, b.point(shortSession))
	const group = "with.java"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd, err := servers.KafkaTool(ctx, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", b.AddrOf(servers.Plain),
		"--topic", topic, "--group", group,
		"--consumer-property", "client.id=java", "--consumer-property", "heartbeat.interval.ms=300",
		"--consumer-property", "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor")
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and it is gone without a word
		_ = cmd.Wait()
	})
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		_, foreign := split(t, conn, group, topic)
		if len(foreign) == 1 && strings.HasPrefix(foreign[0], "java at 127.0.0.1 (") {
			break
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the foreign members are %q, want the one", foreign)
		}
	}
	_, l := memberOf(t, conn, group, topic)
	l.await(t, 2)
	if own, foreign := split(t, conn, group, topic); len(own) != 1 || len(foreign) != 1 {
		t.Errorf("the members are %q, foreign ones %q; want one each", own, foreign)
	}
}
