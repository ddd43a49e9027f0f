package promises

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/omconnect/omconnect" // registers the drivers
	"github.com/omconnect/omconnect/integration/internal/stand"
	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// A broker is one of those that promises are asked of.
type broker struct {
	name    string
	start   stand.Starter // nil for the embedded one
	server  []servers.Option
	other   []servers.Option // of the second cluster, beside its user and certificates
	options []string         // of every access point: names and values
	tls     []string         // of the second cluster's; CA stands for the file
	refused []string         // topics that it forbids or keeps for itself
}

// The user of the second clusters.
const user, password = "promises", "kept.by-all"

var brokers = []*broker{
	{
		name: "embedded", options: []string{"sync.interval.ms", "1000"}, // see the root package's tests
		refused: []string{"$SYS.topic", "_INBOX.topic"},
	},
	{
		name: "kafka", start: servers.StartKafka,
		// A member that a busy machine stops for a while is not to lose its
		// place, and have records repeated.
		options: []string{"session.timeout.ms", "30000", "heartbeat.interval.ms", "3000"},
		tls:     []string{"tls", "true", "tls.ca.file", "CA"},
		refused: []string{"__consumer_offsets", "with/slash"},
	},
	{
		name: "rabbitmq", start: servers.StartRabbitMQ,
		server:  []servers.Option{servers.Config("max_message_size", "1048576"), servers.Config("cluster_name", "first")},
		other:   []servers.Option{servers.Config("cluster_name", "second")},
		tls:     []string{"tls", "true", "tls.ca.file", "CA"},
		refused: []string{"amq.topic", "AMQ.fanout"},
	},
	{
		name: "rocketmq", start: servers.StartRocketMQ,
		server: []servers.Option{
			servers.Config("flushIntervalCommitLog", "100"), servers.Config("flushCommitLogThoroughInterval", "100"),
		},
		other: []servers.Option{
			servers.Config("brokerClusterName", "second"),
			servers.Config("flushIntervalCommitLog", "100"), servers.Config("flushCommitLogThoroughInterval", "100"),
		},
		options: []string{"sync.interval.ms", "250", "send.timeout.ms", "30000"}, // as above
		tls:     []string{"tls", "true", "tls.insecure", "true"},
		refused: []string{"%RETRY%topic", "TBW102"},
	},
}

// first returns the server that everybody may enter.
func (b *broker) first(t *testing.T) *servers.Server {
	t.Helper()
	return shared.Server(t, b.name, b.start, b.server...)
}

// second returns the other cluster.
func (b *broker) second(t *testing.T) *servers.Server {
	t.Helper()
	opts := append([]servers.Option{servers.User(user, password), servers.TLS(papers(t))}, b.other...)
	return shared.Server(t, b.name+"-second", b.start, opts...)
}

// at returns an access point of a host, or of the embedded broker where there
// is none, with options given as names and values.
func (b *broker) at(who, host string, options ...string) string {
	query := url.Values{}
	for _, list := range [][]string{b.options, options} {
		for i := 0; i < len(list); i += 2 {
			query.Set(list[i], list[i+1])
		}
	}
	if who != "" {
		who += "@"
	}
	return "oms:" + b.name + "://" + who + host + "/?" + query.Encode()
}

// point returns an access point of the first cluster, the gateway's own broker
// where that is embedded.
func (b *broker) point(t *testing.T, options ...string) string {
	t.Helper()
	if b.start == nil {
		return b.at("", "", options...)
	}
	return b.at("", b.first(t).Addr(), options...)
}

// secondPoint returns an access point of the other cluster, with its user and
// its certificates, or those that are given.
func (b *broker) secondPoint(t *testing.T, who string, papers *servers.Certificates, options ...string) string {
	t.Helper()
	if b.start == nil {
		return b.at("", "", append(options, "dir", filepath.Join(t.TempDir(), "second"))...)
	}
	all := options
	for _, o := range b.tls {
		all = append(all, strings.Replace(o, "CA", papers.CA, 1))
	}
	return b.at(who, b.second(t).Addr(), all...)
}

// nobody is an address where nobody listens.
const nobody = "127.0.0.1:1"

// capabilities returns what the broker's driver says of an access point.
func (b *broker) capabilities(t *testing.T) oms.Capabilities {
	t.Helper()
	host := ""
	if b.start != nil {
		host = nobody
	}
	caps, err := oms.Default.Capabilities(b.at("", host))
	if err != nil {
		t.Fatal(err)
	}
	return caps
}
