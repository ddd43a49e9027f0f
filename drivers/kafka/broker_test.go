package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// A broker is a real Kafka that asks who its clients are. Tests look behind
// its back at an address where it does not ask.
type broker struct{ *servers.Server }

// one is the broker that tests share which do it no harm. It ends with the
// tests.
var one struct {
	start  sync.Once
	dir    string
	server *servers.Server
	err    error
}

// brokerOptions are those of a broker whose members may have short sessions, so
// that the partitions of one that was killed are soon free. It lets the user
// admin in, with any mechanism.
func brokerOptions(opts ...servers.Option) []servers.Option {
	return append([]servers.Option{
		servers.Config("group.min.session.timeout.ms", "1000"), servers.Config("group.max.session.timeout.ms", "1800000"),
		servers.Config("num.partitions", "2"), servers.User("admin", "secret"),
	}, opts...)
}

// realBroker returns the broker that tests share, with topics of their own.
func realBroker(t *testing.T) *broker {
	t.Helper()
	one.start.Do(func() {
		one.server, one.err = servers.StartKafka(context.Background(), one.dir, brokerOptions()...)
	})
	if one.err != nil {
		t.Fatal(one.err)
	}
	return &broker{one.server}
}

// point returns an access point with further options.
func (b *broker) point(more string) string {
	return fmt.Sprintf("oms:kafka://admin:secret@%s/?sasl.mechanism=scram-sha-256%s", b.Addr(), more)
}

// openAt opens the driver at an access point.
func openAt(t *testing.T, text string) oms.Conn {
	t.Helper()
	return openWith(t, kafka.Driver{}, text)
}

func openWith(t *testing.T, d kafka.Driver, text string) oms.Conn {
	t.Helper()
	conn, err := d.Open(t.Context(), point(t, text))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return conn
}

var topics atomic.Int64

// topic makes a topic that no other test has.
func (b *broker) topic(t *testing.T, partitions int32) string {
	t.Helper()
	name := fmt.Sprintf("topic.%d", topics.Add(1))
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}
	if err := b.admin(t).CreateTopic(name, detail, false); err != nil {
		t.Fatal(err)
	}
	return name
}

// behind is the configuration of a program that knows nothing of package oms,
// for the address where the broker does not ask who it is.
func behind() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Producer.Return.Successes = true
	return cfg
}

func (b *broker) admin(t *testing.T) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{b.AddrOf(servers.Plain)}, behind())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return admin
}

// do makes a request of an administrator.
func (b *broker) do(request func(sarama.ClusterAdmin) error) error {
	admin, err := sarama.NewClusterAdmin([]string{b.AddrOf(servers.Plain)}, behind())
	if err != nil {
		return err
	}
	return errors.Join(request(admin), admin.Close())
}

// admit makes a password good for a user.
func (b *broker) admit(user, password string) error {
	return b.do(func(admin sarama.ClusterAdmin) error {
		results, err := admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{
			Name: user, Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 4096, Salt: []byte("salt"), Password: []byte(password),
		}})
		for _, r := range results {
			if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
				err = errors.Join(err, r.ErrorCode)
			}
		}
		return err
	})
}

// trim removes the beginning of a partition, as retention does.
func (b *broker) trim(p oms.Partition, before int64) error {
	return b.do(func(admin sarama.ClusterAdmin) error {
		return admin.DeleteRecords(p.Topic, map[int32]int64{int32(p.Number): before})
	})
}

// foreign sends as a program does that knows nothing of package oms.
func (b *broker) foreign(topic string, body []byte, headers map[string]string) error {
	return foreign(b.AddrOf(servers.Plain), behind(), topic, body, headers)
}

// by returns a driver that reaches the broker by way of another address.
func (b *broker) by(proxy string) kafka.Driver { return kafka.Driver{Dial: detour(b.Addr, proxy)} }

// detour dials another address in place of a broker's own, which it tells
// everybody.
func detour(from func() string, to string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == from() {
			address = to
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// inPlace puts another user and password into an access point.
func inPlace(point, userinfo string) string {
	before, rest, _ := strings.Cut(point, "//")
	_, rest, _ = strings.Cut(rest, "@")
	return before + "//" + userinfo + "@" + rest
}
