package rest

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// ConnectorInfo is a connector as it is defined.
type ConnectorInfo struct {
	Name   string       `json:"name"`
	Config oms.KeyValue `json:"config" doc:"The configuration as it was sent, and its name."`
	Tasks  []TaskID     `json:"tasks" nullable:"false"`
	Type   string       `json:"type" enum:"source,sink,unknown"`
}

// TaskID names a task.
type TaskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// Expansion is what ?expand= tells of one connector.
type Expansion struct {
	Status *ConnectorStatus `json:"status,omitempty"`
	Info   *ConnectorInfo   `json:"info,omitempty"`
	State  *ConnectorDetail `json:"omconnect,omitempty"`
}

type (
	listAnswer    struct{ Body any } // names, or expansions by name
	infoAnswer    struct{ Body ConnectorInfo }
	createdAnswer struct {
		Location string `header:"Location"`
		Body     ConnectorInfo
	}
)

// connectorRoutes are the calls that list, make and show connectors.
func (a *api) connectorRoutes(h huma.API) {
	expansion := h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Expansion](), true, "")
	add(a, h, route{
		id: "list", method: http.MethodGet, path: "/connectors", success: http.StatusOK,
		summary: "List the connectors", fails: []int{503, 504},
		answers: map[string]*huma.Response{"200": jsonResponse("Their names; with expand, what was asked for, by name", &huma.Schema{OneOf: []*huma.Schema{
			{Type: "array", Items: &huma.Schema{Type: "string"}},
			{Type: "object", AdditionalProperties: expansion},
		}})},
	}, a.list)
	add(a, h, route{
		id: "create", method: http.MethodPost, path: "/connectors", success: http.StatusCreated,
		summary: "Create a connector", fails: []int{409, 503, 504},
		body: jsonBody(&huma.Schema{
			Type: "object", Required: []string{"name", "config"}, AdditionalProperties: false,
			Properties: map[string]*huma.Schema{
				"name":          {Type: "string"},
				"config":        configSchema(),
				"initial_state": {Type: "string", Enum: []any{"RUNNING", "PAUSED", "STOPPED"}},
			},
		}),
	}, func(ctx context.Context, in *creation) (*createdAnswer, error) { return a.create(ctx, in.request) })
	add(a, h, route{
		id: "create-named", method: http.MethodPost, path: "/connectors/{name}", success: http.StatusCreated,
		summary: "Create a connector of that name", detail: "The body is the configuration itself.", fails: []int{409, 503, 504},
		body: jsonBody(configSchema()),
	}, func(ctx context.Context, in *flatCreation) (*createdAnswer, error) { return a.create(ctx, in.request) })
	add(a, h, route{
		id: "get", method: http.MethodGet, path: "/connectors/{name}", success: http.StatusOK,
		summary: "Show a connector as it is defined", fails: []int{404, 503, 504},
	}, a.get)
	add(a, h, route{
		id: "get-status", method: http.MethodGet, path: "/connectors/{name}/status", success: http.StatusOK,
		summary: "Show what a connector is doing, in Kafka Connect's words", fails: []int{404, 503, 504},
	}, a.getStatus)
	add(a, h, route{
		id: "get-detail", method: http.MethodGet, path: "/connectors/{name}/omconnect", success: http.StatusOK,
		summary: "Show all that is known of what a connector is doing", fails: []int{404, 503, 504},
	}, a.getDetail)
}

func (a *api) list(ctx context.Context, in *listing) (*listAnswer, error) {
	infos, err := a.catalog.List(ctx)
	if err != nil {
		return nil, err
	}
	if !in.expanded {
		names := make([]string, 0, len(infos))
		for _, info := range infos {
			names = append(names, info.Name)
		}
		return &listAnswer{names}, nil
	}
	want := make(map[string]bool)
	for _, e := range in.Expand {
		want[e] = true
	}
	all := make(map[string]Expansion, len(infos))
	for _, info := range infos {
		var x Expansion
		if want["info"] {
			told := newInfo(info)
			x.Info = &told
		}
		all[info.Name] = x
	}
	if !want["status"] && !want["omconnect"] {
		return &listAnswer{all}, nil
	}
	statuses, err := a.catalog.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	// A connector that came or went between the two calls is left out: clients
	// take for granted that all they asked for is there.
	both := make(map[string]Expansion, len(statuses))
	for _, s := range statuses {
		x, ok := all[s.Name]
		if !ok {
			continue
		}
		if want["status"] {
			told := a.newStatus(s)
			x.Status = &told
		}
		if want["omconnect"] {
			told := newDetail(s)
			x.State = &told
		}
		both[s.Name] = x
	}
	return &listAnswer{both}, nil
}

func (a *api) create(ctx context.Context, req connect.Request) (*createdAnswer, error) {
	info, err := a.catalog.Create(ctx, req)
	if err != nil {
		return nil, err
	}
	return &createdAnswer{Location: "/connectors/" + url.PathEscape(info.Name), Body: newInfo(info)}, nil
}

func (a *api) get(ctx context.Context, in *lookup) (*infoAnswer, error) {
	info, err := a.catalog.Get(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &infoAnswer{newInfo(info)}, nil
}

func (a *api) getStatus(ctx context.Context, in *lookup) (*statusAnswer, error) {
	s, err := a.catalog.Status(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &statusAnswer{a.newStatus(s)}, nil
}

func (a *api) getDetail(ctx context.Context, in *lookup) (*detailAnswer, error) {
	s, err := a.catalog.Status(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &detailAnswer{newDetail(s)}, nil
}

func newInfo(in connect.Info) ConnectorInfo {
	config := maps.Clone(in.Config)
	if config == nil {
		config = oms.KeyValue{}
	}
	config["name"] = in.Name
	tasks := make([]TaskID, in.Tasks)
	for i := range tasks {
		tasks[i] = TaskID{Connector: in.Name, Task: i}
	}
	return ConnectorInfo{Name: in.Name, Config: config, Tasks: tasks, Type: kindName(in.Kind)}
}

// kindName is Kafka Connect's word for a kind.
func kindName(k connect.Kind) string {
	if k == "" {
		return "unknown"
	}
	return string(k)
}
