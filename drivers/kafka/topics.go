package kafka

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// CreateTopic implements oms.TopicAdmin. What is not said is left to the
// brokers, as -1 tells them.
func (c *conn) CreateTopic(ctx context.Context, spec oms.TopicSpec) error {
	const op = "create topic"
	if err := checkTopic(spec.Name); err != nil {
		return fail(op, spec.Name, oms.ErrInvalid, err)
	}
	if spec.Partitions < 0 || spec.ReplicationFactor < 0 || spec.Partitions > 1<<20 || spec.ReplicationFactor > 1<<10 {
		return fail(op, spec.Name, oms.ErrInvalid, errors.New("the numbers of partitions and replicas are small, and 0 for the broker's own"))
	}
	if err := c.alive(op, spec.Name); err != nil {
		return err
	}
	detail := &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1}
	if spec.Partitions > 0 {
		detail.NumPartitions = int32(spec.Partitions)
	}
	if spec.ReplicationFactor > 0 {
		detail.ReplicationFactor = int16(spec.ReplicationFactor)
	}
	request := &sarama.CreateTopicsRequest{
		Version: 5, Timeout: c.options.requestTimeout, TopicDetails: map[string]*sarama.TopicDetail{spec.Name: detail},
	}
	err := controlled(ctx, c, func(b *sarama.Broker) error {
		answer, err := b.CreateTopics(request)
		if err != nil {
			return err
		}
		if e := answer.TopicErrors[spec.Name]; e != nil && !errors.Is(e.Err, sarama.ErrNoError) {
			return e
		}
		return nil
	})
	if err == nil {
		c.known(ctx, spec.Name)
	}
	return classify(op, spec.Name, err)
}

// known waits until a new topic is in the answers of brokers, as long as that
// takes moments only.
func (c *conn) known(ctx context.Context, topic string) {
	_, _ = retry(ctx, func(bool) (struct{}, error) {
		infos, err := c.topics(ctx, topic)
		if err == nil && infos[topic] == nil {
			err = sarama.ErrLeaderNotAvailable
		}
		return struct{}{}, err
	})
}

// DeleteTopic implements oms.TopicAdmin.
func (c *conn) DeleteTopic(ctx context.Context, name string) error {
	const op = "delete topic"
	if err := checkTopic(name); err != nil {
		return fail(op, name, oms.ErrInvalid, err)
	}
	if err := c.alive(op, name); err != nil {
		return err
	}
	request := &sarama.DeleteTopicsRequest{Version: 4, Topics: []string{name}, Timeout: c.options.requestTimeout}
	return classify(op, name, controlled(ctx, c, func(b *sarama.Broker) error {
		answer, err := b.DeleteTopics(request)
		if err != nil {
			return err
		}
		if k := answer.TopicErrorCodes[name]; !errors.Is(k, sarama.ErrNoError) {
			return k
		}
		return nil
	}))
}

// controlled makes a request of the controller, on a connection for it alone.
// It is made once, as it is not one that may be made twice; only who is not
// the controller any more is left for the next.
func controlled(ctx context.Context, c *conn, request func(*sarama.Broker) error) error {
	_, err := retry(ctx, func(bool) (struct{}, error) {
		b, err := c.controller(ctx)
		if err != nil {
			return struct{}{}, err
		}
		defer c.drop(b)
		if err = run(ctx, func() error { return request(b) }); err != nil && !errors.Is(err, sarama.ErrNotController) {
			err = onceError{err}
		}
		return struct{}{}, err
	})
	if o, ok := errors.AsType[onceError](err); ok {
		return o.error
	}
	return err
}

// onceError is the error of a request that is not to be made again.
type onceError struct{ error }

// controller connects to the broker that makes and deletes topics.
func (c *conn) controller(ctx context.Context) (*sarama.Broker, error) {
	m, err := c.cluster(ctx)
	if err != nil {
		return nil, onceError{err}
	}
	i := slices.IndexFunc(m.Brokers, func(b *sarama.Broker) bool { return b.ID() == m.ControllerID })
	if i < 0 {
		return nil, sarama.ErrNotController
	}
	b := sarama.NewBroker(m.Brokers[i].Addr())
	err = run(ctx, func() error {
		err := connect(c.client, b)
		if ctx.Err() != nil { // nobody takes it
			c.drop(b)
		}
		return err
	})
	if err != nil {
		go c.drop(b) // it may still be about to connect
		return nil, err
	}
	return b, nil
}

// Topics implements oms.TopicAdmin: those that are not the brokers' own,
// sorted by name.
func (c *conn) Topics(ctx context.Context) ([]oms.TopicInfo, error) {
	if err := c.alive("list topics", ""); err != nil {
		return nil, err
	}
	found, err := c.topics(ctx)
	if err != nil {
		return nil, classify("list topics", "", err)
	}
	infos := make([]oms.TopicInfo, 0, len(found))
	for name, t := range found {
		if !t.internal && !strings.HasPrefix(name, "__") {
			infos = append(infos, oms.TopicInfo{Name: name, Partitions: t.partitions})
		}
	}
	slices.SortFunc(infos, func(a, b oms.TopicInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos, nil
}

// A topic is what a broker knows of one.
type topic struct {
	id         sarama.Uuid
	partitions int
	replicas   int // of the partition that has the fewest
	internal   bool
}

// topics returns those of the names that exist, or all there are. It is an
// error where a broker does not let the client see one of them.
func (c *conn) topics(ctx context.Context, names ...string) (map[string]*topic, error) {
	request := &sarama.MetadataRequest{Version: 10, Topics: names} // ids are in it from 10 on
	m, err := c.ask(ctx, request)
	if err != nil {
		return nil, err
	}
	found := make(map[string]*topic, len(m.Topics))
	for _, t := range m.Topics {
		switch t.Err {
		case sarama.ErrNoError, sarama.ErrLeaderNotAvailable, sarama.ErrReplicaNotAvailable:
			if len(t.Partitions) > 0 {
				fewest := len(t.Partitions[0].Replicas)
				for _, p := range t.Partitions {
					fewest = min(fewest, len(p.Replicas))
				}
				found[t.Name] = &topic{id: t.Uuid, partitions: len(t.Partitions), replicas: fewest, internal: t.IsInternal}
			}
		case sarama.ErrUnknownTopicOrPartition:
		default:
			return nil, fail("look up", t.Name, codeOf(t.Err), t.Err)
		}
	}
	return found, nil
}
