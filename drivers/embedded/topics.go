package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// The windows are how long the server remembers the ids of messages. The lanes
// look into the stream for what may have been stored longer ago, so they cover
// only what is still on the network and in the server's queues. They are what
// most of the server's memory is taken by when messages come fast.
const (
	duplicateWindow          = 2 * time.Second
	duplicateWindowInProcess = 500 * time.Millisecond
)

// mostPartitions keeps a slip of the pen from making a million streams.
const mostPartitions = 1024

// partitionsKey is where partition 0 of a topic says how many there are.
const partitionsKey = "omconnect.partitions"

// topics makes and finds topics. How many partitions a topic has is
// remembered: it never changes while the topic exists.
type topics struct {
	conn *conn

	mu    sync.Mutex
	known map[string]int
}

// partitions returns how many partitions a topic has.
func (t *topics) partitions(ctx context.Context, topic string) (int, error) {
	t.mu.Lock()
	n := t.known[topic]
	t.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	s, ctx, cancel, err := t.conn.session(ctx)
	if err != nil {
		return 0, err
	}
	defer cancel()
	stream, err := s.js.Stream(ctx, streamName(topic, 0))
	if err != nil {
		if oms.CodeOf(t.conn.fail("", "", err)) == oms.ErrNotFound {
			return 0, t.conn.code("find topic", topic, oms.ErrNotFound, "the topic does not exist")
		}
		return 0, err
	}
	n = partitionsOf(stream.CachedInfo())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = make(map[string]int)
	}
	t.known[topic] = n
	return n, nil
}

// forget makes the next call of partitions ask.
func (t *topics) forget(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, topic)
}

func partitionsOf(info *jetstream.StreamInfo) int {
	n, err := strconv.Atoi(info.Config.Metadata[partitionsKey])
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// CreateTopic makes a topic's streams, the first one last: it is what the
// topic is found by.
func (c *conn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	const op = "create topic"
	if err := checkTopic(spec.Name); err != nil {
		return c.invalid(op, spec.Name, err)
	}
	n := max(spec.Partitions, 1)
	if n > mostPartitions {
		return c.invalid(op, spec.Name, fmt.Errorf("%d partitions: at most %d are possible", n, mostPartitions))
	}
	s, bounded, cancel, err := c.session(ctx)
	if err != nil {
		return c.fail(op, spec.Name, err)
	}
	_, err = s.js.Stream(bounded, streamName(spec.Name, 0))
	cancel()
	if err == nil {
		return c.code(op, spec.Name, oms.ErrExists, "the topic exists")
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return c.fail(op, spec.Name, err)
	}
	for p := n - 1; p >= 0; p-- {
		if err := c.createStream(ctx, s, spec, p, n); err != nil {
			return c.fail(op, spec.Name, explainOverlap(err, spec.Name, p))
		}
	}
	c.topics.forget(spec.Name)
	return nil
}

// createStream makes the stream of one partition. What an interrupted attempt
// left is taken over. The bound is that of one call: many partitions take long.
func (c *conn) createStream(ctx context.Context, s *session, spec oms.TopicSpec, partition, partitions int) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	return patiently(ctx, func() error {
		_, err := s.js.CreateOrUpdateStream(ctx, c.streamConfig(spec, partition, partitions))
		return err
	})
}

func (c *conn) streamConfig(spec oms.TopicSpec, partition, partitions int) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name:     streamName(spec.Name, partition),
		Subjects: []string{subjectOf(spec.Name, partition)},
		Metadata: map[string]string{partitionsKey: strconv.Itoa(partitions)},
		Storage:  jetstream.FileStorage,
		Discard:  jetstream.DiscardNew,
		MaxAge:   c.options.retention, MaxBytes: -1, MaxMsgs: -1, MaxMsgSize: -1,
		Duplicates:  duplicateWindow,
		Replicas:    c.options.replicas,
		AllowDirect: true,
	}
	if c.backend.inProcess() {
		cfg.Duplicates = duplicateWindowInProcess
	}
	if spec.ReplicationFactor > 0 && !c.backend.inProcess() {
		cfg.Replicas = spec.ReplicationFactor
	}
	// In process the limit is the server's, over all topics together: limits
	// of single streams would be set aside for them from the start.
	if c.options.retentionBytes > 0 && !c.backend.inProcess() {
		cfg.MaxBytes = max(c.options.retentionBytes/int64(partitions), 1)
	}
	return cfg
}

// patiently tries again what fails while the server is still removing the
// folder of the last stream that was deleted.
func patiently(ctx context.Context, f func() error) error {
	for {
		err := f()
		api, ok := errors.AsType[*jetstream.APIError](err)
		if !ok || api.ErrorCode != apiStoreCreation || sleep.For(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}

func explainOverlap(err error, topic string, partition int) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == apiSubjectOverlap {
		return fmt.Errorf("a stream that is not omconnect's has the subject %s already; choose another topic: %w", subjectOf(topic, partition), err)
	}
	return err
}

// DeleteTopic deletes a topic's streams, with what they hold.
func (c *conn) DeleteTopic(ctx context.Context, name string) error {
	const op = "delete topic"
	if err := checkTopic(name); err != nil {
		return c.invalid(op, name, err)
	}
	c.topics.forget(name)
	n, err := c.topics.partitions(ctx, name)
	c.topics.forget(name)
	if err != nil {
		return c.fail(op, name, err)
	}
	s, err := c.link.session(ctx)
	if err != nil {
		return c.fail(op, name, err)
	}
	for p := range n {
		bounded, cancel := s.within(ctx)
		err := s.js.DeleteStream(bounded, streamName(name, p))
		cancel()
		if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return c.fail(op, name, err)
		}
	}
	c.topics.forget(name)
	return nil
}

// Topics lists the topics, sorted by name.
func (c *conn) Topics(ctx context.Context) ([]oms.TopicInfo, error) {
	s, ctx, cancel, err := c.session(ctx)
	if err != nil {
		return nil, c.fail("list topics", "", err)
	}
	defer cancel()
	found := make(map[string]int)
	list := s.js.ListStreams(ctx)
	for info := range list.Info() {
		topic, partition, ok := topicOf(info.Config.Name)
		if ok && partition == 0 && info.Config.Metadata[partitionsKey] != "" {
			found[topic] = partitionsOf(info)
		}
	}
	if err := list.Err(); err != nil {
		return nil, c.fail("list topics", "", err)
	}
	infos := make([]oms.TopicInfo, 0, len(found))
	for _, topic := range slices.SortedFunc(maps.Keys(found), strings.Compare) {
		infos = append(infos, oms.TopicInfo{Name: topic, Partitions: found[topic]})
	}
	return infos, nil
}
