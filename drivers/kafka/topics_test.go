package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/oms"
)

// said is what the process logs from level warn on. Tests look in it for the
// names of their own topics.
var said = &page{news: make(chan struct{})}

type page struct {
	mu   sync.Mutex
	text bytes.Buffer
	news chan struct{} // closed when there is more, and replaced
}

// Write implements io.Writer.
func (p *page) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.news)
	p.news = make(chan struct{})
	return p.text.Write(line)
}

func (p *page) read() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// lines returns those with a text, once there is one.
func (p *page) lines(ctx context.Context, text string) (found []string) {
	for {
		p.mu.Lock()
		for line := range strings.Lines(p.text.String()) {
			if strings.Contains(line, text) {
				found = append(found, line)
			}
		}
		news := p.news
		p.mu.Unlock()
		if len(found) > 0 {
			return found
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil
		}
	}
}

func logTo(p *page) {
	slog.SetDefault(slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// several starts a cluster of so many brokers, for the copies that topics have
// there.
func several(t *testing.T, brokers int) (oms.Conn, sarama.ClusterAdmin) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	conn, err := kafka.Driver{}.Open(t.Context(), point(t, "oms:kafka://"+strings.Join(fake.ListenAddrs(), ",")+"/"))
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sarama.NewClusterAdmin(fake.ListenAddrs(), behind())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(admin.Close(), conn.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	return conn, admin
}

func TestWhoSendsWhereFewCopiesAreKeptIsWarnedOnce(t *testing.T) {
	t.Parallel()
	conn, admin := several(t, 3)
	one, two := "1", "2"
	for name, topic := range map[string]sarama.TopicDetail{
		"copies.few":    {NumPartitions: 2, ReplicationFactor: 2, ConfigEntries: map[string]*string{"min.insync.replicas": &two}},
		"copies.weak":   {NumPartitions: 2, ReplicationFactor: 3, ConfigEntries: map[string]*string{"min.insync.replicas": &one}},
		"copies.enough": {NumPartitions: 2, ReplicationFactor: 3, ConfigEntries: map[string]*string{"min.insync.replicas": &two}},
	} {
		if err := admin.CreateTopic(name, &topic, false); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for name, want := range map[string]string{"copies.few": "replicas=2 min.insync.replicas=2", "copies.weak": "replicas=3 min.insync.replicas=1"} {
		for range 2 { // senders
			if err := outcome(t, sender(t, conn), &oms.Message{Topic: name}, &oms.Message{Topic: name}); err != nil {
				t.Fatal(err)
			}
		}
		lines := said.lines(ctx, "topic="+name)
		if len(lines) != 1 || !strings.Contains(lines[0], want) {
			t.Errorf("the log says %q, want one line with %q", lines, want)
		}
	}
	if err := outcome(t, sender(t, conn), &oms.Message{Topic: "copies.enough"}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil { // which waits for who looks
		t.Fatal(err)
	}
	if strings.Contains(said.read(), "copies.enough") {
		t.Error("the log warns of a topic that has enough copies")
	}
}

func TestATopicThatIsThereIsKeptAsItIs(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	admin, conn := b.admin(t), openAt(t, b.point(""))
	name, week := "kept.as.it.is", "604800000"
	detail := &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &week}}
	if err := admin.CreateTopic(name, detail, false); err != nil {
		t.Fatal(err)
	}
	err := conn.(oms.TopicAdmin).CreateTopic(t.Context(), oms.TopicSpec{Name: name, Partitions: 5})
	if !errors.Is(err, oms.ErrExists) {
		t.Errorf("create it again: %v, want %v", err, oms.ErrExists)
	}
	if err := conn.(oms.GroupAdmin).EnsureGroup(t.Context(), "g."+name, []string{name}, oms.Start{}); err != nil {
		t.Error(err)
	}
	for _, m := range b.all(t, b.filled(t, conn, name), 1) {
		if m.Topic != name {
			t.Errorf("the message is of topic %q", m.Topic)
		}
	}
	infos, err := conn.(oms.TopicAdmin).Topics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, info := range infos {
		if info.Name == name {
			got = info.Partitions
		}
	}
	described, err := admin.DescribeConfigs([]*sarama.ConfigResource{
		{Type: sarama.TopicResource, Name: name, ConfigNames: []string{"retention.ms"}},
	}, sarama.DescribeConfigsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got != 3 || len(described) != 1 || len(described[0].Configs) != 1 || described[0].Configs[0].Value != week {
		t.Errorf("the topic has %d partitions and %+v, want 3 and %s", got, described, week)
	}
}

// filled sends a message to a topic and returns the topic's name.
func (b *broker) filled(t *testing.T, conn oms.Conn, topic string) string {
	t.Helper()
	send(t, conn, topic, "b")
	return topic
}

func TestATopicIsMadeAsTheBrokersMakeThem(t *testing.T) {
	t.Parallel()
	b := realBroker(t) // which has num.partitions=2
	conn := openAt(t, b.point(""))
	for name, c := range map[string]struct {
		spec oms.TopicSpec
		want int
	}{
		"made.by.default": {oms.TopicSpec{}, 2},
		"made.to.order":   {oms.TopicSpec{Partitions: 4, ReplicationFactor: 1}, 4},
	} {
		c.spec.Name = name
		if err := conn.(oms.TopicAdmin).CreateTopic(t.Context(), c.spec); err != nil {
			t.Fatal(err)
		}
		found, err := b.admin(t).DescribeTopics([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, len(found[0].Partitions)); diff != "" {
			t.Errorf("partitions of %s (-want +got):\n%s", name, diff)
		}
	}
	err := conn.(oms.TopicAdmin).CreateTopic(t.Context(), oms.TopicSpec{Name: "made.too.large", ReplicationFactor: 2})
	if !errors.Is(err, oms.ErrInvalid) || !strings.Contains(err.Error(), "made.too.large") {
		t.Errorf("more replicas than brokers: %v, want %v", err, oms.ErrInvalid)
	}
}
