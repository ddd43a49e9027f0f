package rocketmq

import (
	"context"
	"encoding/json"
)

// stranger has a client of that name be a member of a group, by the connection
// of a driver.
func (f *fake) stranger(ctx context.Context, c *conn, group string) (name string, leave func(context.Context) error, err error) {
	name = "192.0.2.1@stranger"
	body, err := json.Marshal(map[string]any{
		"clientID": name, "producerDataSet": []any{}, "consumerDataSet": []any{map[string]any{"groupName": c.options.native(group)}},
	})
	if err != nil {
		return "", nil, err
	}
	_, err = c.peers.ask(ctx, f.addr(), reqHeartbeat, nil, body)
	return name, func(ctx context.Context) error {
		_, err := c.peers.ask(ctx, f.addr(), reqUnregister, map[string]string{"clientID": name, "consumerGroup": c.options.native(group)}, nil)
		return err
	}, err
}
