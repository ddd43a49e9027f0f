package rocketmq

import (
	"context"
	"errors"
	"strconv"
)

// A topicConfig is what one broker keeps of a topic.
type topicConfig struct {
	Read    int    `json:"readQueueNums"`
	Write   int    `json:"writeQueueNums"`
	Perm    int    `json:"perm"`
	Filter  string `json:"topicFilterType"`
	SysFlag int    `json:"topicSysFlag"`
	Order   bool   `json:"order"`
}

// readAndWrite is the permission of a topic that is sent to and received from.
const readAndWrite = 6

// configAt asks a broker for its settings of a topic: nil where it is missing.
// An answerError is that of a broker that cannot say, as some before 5.0.
func (c *conn) configAt(ctx context.Context, address, native string) (*topicConfig, error) {
	a, err := c.askBroker(ctx, address, reqTopicConfig, map[string]string{"topic": native})
	if answer, ok := errors.AsType[*answerError](err); ok && answer.code == resTopicNotFound {
		return nil, nil //nolint:nilnil // that is the answer
	}
	if err != nil {
		return nil, err
	}
	config := new(topicConfig)
	return config, decodeJSON(a.body, config)
}

// configure makes a topic at a broker, or overwrites its settings. Attributes,
// such as the type of its messages, stay.
func (c *conn) configure(ctx context.Context, address, native string, config *topicConfig) error {
	_, err := c.askBroker(ctx, address, reqCreateTopic, map[string]string{
		"topic": native, "defaultTopic": "TBW102",
		"readQueueNums": strconv.Itoa(config.Read), "writeQueueNums": strconv.Itoa(config.Write),
		"perm": strconv.Itoa(config.Perm), "topicFilterType": config.Filter,
		"topicSysFlag": strconv.Itoa(config.SysFlag), "order": strconv.FormatBool(config.Order),
	})
	return err
}
