package client

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// A Connector is a connector as it is defined.
type Connector struct {
	Name   string            `json:"name"`
	Type   string            `json:"type"` // source, sink or unknown
	Config map[string]string `json:"config"`
}

// A Status is all that is known of what a connector is doing.
type Status struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"`
	State  string    `json:"state"`
	Target string    `json:"target"`              // what it is told to do
	Origin string    `json:"origin"`              // api, or file:line
	Worker string    `json:"worker_id,omitempty"` // "" when no gateway runs it
	Since  time.Time `json:"since,omitzero"`
	By     string    `json:"by,omitempty"`    // what caused the state
	Cause  string    `json:"cause,omitempty"` // of a failure, or of what holds up one that runs, in one line
	Trace  string    `json:"trace,omitempty"`
	Tasks  []Task    `json:"tasks"`
}

// A Task is what one task is doing.
type Task struct {
	ID        int       `json:"id"`
	State     string    `json:"state"`
	Worker    string    `json:"worker_id,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	By        string    `json:"by,omitempty"`
	Attempts  int       `json:"attempts"` // failures in a row
	NextRetry time.Time `json:"next_retry,omitzero"`
	Cause     string    `json:"cause,omitempty"`
	Trace     string    `json:"trace,omitempty"`
	Records   int64     `json:"records"` // moved since the gateway started
}

// List returns what all connectors are doing, sorted by name.
func (c *Client) List(ctx context.Context) ([]Status, error) {
	var all map[string]struct {
		Status Status `json:"omconnect"`
	}
	err := c.call(ctx, http.MethodGet, []string{"connectors"}, url.Values{"expand": {"omconnect"}}, nil, &all)
	list := make([]Status, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name].Status)
	}
	return list, err
}

// Create creates a connector of that configuration.
func (c *Client) Create(ctx context.Context, name string, config map[string]string) (Connector, error) {
	if config == nil {
		config = map[string]string{}
	}
	var made Connector
	err := c.call(ctx, http.MethodPost, connector(name), nil, config, &made)
	return made, err
}

// Get returns a connector as it is defined.
func (c *Client) Get(ctx context.Context, name string) (Connector, error) {
	var got Connector
	err := c.call(ctx, http.MethodGet, connector(name), nil, nil, &got)
	return got, err
}

// Status returns what a connector is doing.
func (c *Client) Status(ctx context.Context, name string) (Status, error) {
	var got Status
	err := c.call(ctx, http.MethodGet, connector(name, "omconnect"), nil, nil, &got)
	return got, err
}

// Pause has a connector stop reading and keep what is costly.
func (c *Client) Pause(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPut, connector(name, "pause"), nil, nil, nil)
}

// Resume has a connector run again.
func (c *Client) Resume(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPut, connector(name, "resume"), nil, nil, nil)
}

// Stop has a connector release everything.
func (c *Client) Stop(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPut, connector(name, "stop"), nil, nil, nil)
}

// Restart has a connector start anew from its positions.
func (c *Client) Restart(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodPost, connector(name, "restart"), nil, nil, nil)
}

// Delete removes a connector. Its positions stay.
func (c *Client) Delete(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, connector(name), nil, nil, nil)
}

// connector returns the path of a connector, or of something of it.
func connector(name string, of ...string) []string {
	return append([]string{"connectors", name}, of...)
}
