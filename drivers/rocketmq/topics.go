package rocketmq

import (
	"context"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// await asks until the answer is yes, or ctx is done.
func (c *conn) await(ctx context.Context, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 4*c.options.timeout)
	defer cancel()
	tick := time.NewTicker(routeTick)
	defer tick.Stop()
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Topics lists the topics of the namespace that are not RocketMQ's own.
func (c *conn) Topics(ctx context.Context) ([]oms.TopicInfo, error) {
	const op = "list topics"
	a, err := c.askName(ctx, reqTopicList, nil)
	if err != nil {
		return nil, classify(op, "", err)
	}
	var list struct {
		TopicList []string `json:"topicList"`
	}
	if err := decodeJSON(a.body, &list); err != nil {
		return nil, classify(op, "", err)
	}
	data, err := c.cluster(ctx)
	if err != nil {
		return nil, classify(op, "", err)
	}
	var infos []oms.TopicInfo
	for _, native := range list.TopicList {
		name, ok := c.options.portable(native)
		if !ok || data.keeps(native) {
			continue
		}
		r, err := c.routes.of(ctx, name)
		if codeOf(err) == oms.ErrNotFound {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, classify(op, name, err)
		}
		infos = append(infos, oms.TopicInfo{Name: name, Partitions: len(r.queues)})
	}
	return infos, nil
}

// replySuffix ends the name of the topic that each broker makes for answers to
// its cluster's requests.
const replySuffix = "_REPLY_TOPIC"

// keeps reports whether brokers have made the topic for themselves and named it
// after themselves or their cluster. Those with names of their own are reserved.
func (d *clusterData) keeps(native string) bool {
	if _, broker := d.BrokerAddrTable[native]; broker {
		return true
	}
	_, cluster := d.ClusterAddrTable[strings.TrimSuffix(native, replySuffix)]
	return cluster
}
