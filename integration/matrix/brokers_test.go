package matrix

import (
	"fmt"
	"net/url"
	"os"
	"testing"

	_ "github.com/omconnect/omconnect" // registers the drivers, which are asked for their capabilities
	"github.com/omconnect/omconnect/integration/internal/stand"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// A broker is one of those that the connectors run over.
type broker struct {
	name    string
	env     string // names one that stands already
	start   stand.Starter
	server  []servers.Option
	options string // of the access point
}

// brokers are all of them. Their options make a killed gateway's hold on its
// partitions end soon, but not while a busy machine stops it for some seconds,
// and say how the servers write to their disks; they are no part of a
// definition.
var brokers = []broker{
	{name: "embedded"},
	{
		name: "kafka", env: servers.KafkaEnv, start: servers.StartKafka,
		options: "?session.timeout.ms=20000&heartbeat.interval.ms=1000",
	},
	{name: "rabbitmq", env: servers.RabbitMQEnv, start: servers.StartRabbitMQ},
	{
		name: "rocketmq", env: servers.RocketMQEnv, start: servers.StartRocketMQ,
		server: []servers.Option{
			servers.Config("flushIntervalCommitLog", "100"),
			servers.Config("flushCommitLogThoroughInterval", "100"),
			servers.JVM("-Drocketmq.broker.rebalance.lockMaxLiveTime=25000"), // of queues whose reader was killed; a minute by default
		},
		options: "?sync.interval.ms=250&send.timeout.ms=30000",
	},
}

// address returns where the broker's server listens; "" for the embedded one.
func (b broker) address(t *testing.T) string {
	t.Helper()
	if b.start == nil {
		return ""
	}
	return addr(t, b.name, b.env, b.start, b.server...)
}

// accessPoint returns what stands behind --broker.
func (b broker) accessPoint(t *testing.T) string {
	t.Helper()
	addr := b.address(t)
	if addr == "" {
		return b.name
	}
	return fmt.Sprintf("oms:%s://%s/%s", b.name, addr, b.options)
}

// has tells whether the broker claims a capability.
func (b broker) has(t *testing.T, c oms.Capability) bool {
	t.Helper()
	caps, err := oms.Default.Capabilities(b.accessPoint(t))
	if err != nil {
		t.Fatal(err)
	}
	return caps.Has(c)
}

// states are the stores: the URL of each, with room of its own for a cell.
var states = []struct {
	name string
	args func(t *testing.T, cell string) []string
}{
	{"bbolt", func(*testing.T, string) []string { return nil }},
	{"redis", func(t *testing.T, cell string) []string {
		t.Helper()
		u, err := url.Parse(os.Getenv(redisEnv))
		if err != nil {
			t.Fatalf("%s: %v", redisEnv, err)
		}
		if u.Host == "" {
			u = &url.URL{Scheme: "redis", Host: addr(t, "redis", "", servers.StartRedis), Path: "/0"}
		}
		q := u.Query()
		q.Set("prefix", cell)
		u.RawQuery = q.Encode()
		return []string{"--state", u.String()}
	}},
}

// redisEnv names a Redis that stands already, as a URL.
const redisEnv = "OMCONNECT_TEST_REDIS"
