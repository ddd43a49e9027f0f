package client

import (
	"context"
	"net/http"
)

// Health is what a gateway says of itself.
type Health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// Health asks whether a gateway is up. Anything else that answers is an error.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var got Health
	if err := c.call(ctx, http.MethodGet, []string{"health"}, nil, nil, &got); err != nil {
		return got, err
	}
	if got.Status == "" {
		return got, c.foreign(&http.Response{StatusCode: http.StatusOK, Status: "200 OK"})
	}
	return got, nil
}
