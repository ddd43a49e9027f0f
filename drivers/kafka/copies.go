package kafka

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"

	"github.com/IBM/sarama"
)

// With fewer copies of a partition, or fewer of them that have a message when
// it is confirmed, the loss of one broker may be the loss of messages.
const (
	goodCopies = 3
	goodInSync = 2
	inSyncKey  = "min.insync.replicas"
)

// A lookout warns, once for each topic that is sent to, where the topic keeps
// too few copies of what is confirmed.
type lookout struct {
	conn    *conn
	running sync.WaitGroup

	mu   sync.Mutex
	seen map[string]bool
	over bool
}

// look looks at a topic, in a goroutine that ends with the connection.
func (l *lookout) look(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen[topic] || l.over {
		return
	}
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	l.seen[topic] = true
	l.running.Go(func() {
		copies, inSync, err := l.conn.copies(l.conn.ctx, topic)
		if err != nil || copies >= goodCopies && inSync >= goodInSync {
			return // who may not ask is not told
		}
		slog.Warn("a topic keeps few copies of what is confirmed: the loss of one broker may lose messages",
			"topic", topic, "replicas", copies, inSyncKey, inSync, "better", "replicas 3, "+inSyncKey+" 2")
	})
}

// end waits for what is looked at; the connection's context is done.
func (l *lookout) end() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.running.Wait()
}

// copies returns of how many replicas the weakest partition of a topic is, and
// how many have to have a message before it is confirmed.
func (c *conn) copies(ctx context.Context, name string) (replicas, inSync int, err error) {
	there, err := c.topics(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	if there[name] == nil {
		return 0, 0, sarama.ErrUnknownTopicOrPartition
	}
	request := &sarama.DescribeConfigsRequest{Version: 1, Resources: []*sarama.ConfigResource{
		{Type: sarama.TopicResource, Name: name, ConfigNames: []string{inSyncKey}},
	}}
	answer, err := call(ctx, func() (*sarama.DescribeConfigsResponse, error) {
		b, err := c.client.Leader(name, 0)
		if err != nil {
			return nil, err
		}
		return b.DescribeConfigs(request)
	})
	if err != nil {
		return 0, 0, err
	}
	for _, resource := range answer.Resources {
		if resource.ErrorCode != 0 {
			return 0, 0, sarama.KError(resource.ErrorCode)
		}
		for _, entry := range resource.Configs {
			if entry.Name == inSyncKey {
				inSync, err = strconv.Atoi(entry.Value)
				return there[name].replicas, inSync, err
			}
		}
	}
	return 0, 0, errors.New("the broker's answer leaves " + inSyncKey + " out")
}
