package rest

import (
	"context"
	"net/http"
	"runtime/debug"

	"github.com/danielgtaylor/huma/v2"
)

// kafkaConnectVersion is the version of Kafka Connect's API that clients may
// count on. They read features from it.
const kafkaConnectVersion = "4.1.0"

// About is the answer to GET /.
type About struct {
	Version        string `json:"version" doc:"Version of Kafka Connect's API that this one follows."`
	Commit         string `json:"commit" doc:"Commit that the gateway was built from."`
	KafkaClusterID string `json:"kafka_cluster_id" doc:"Always omconnect; clients want it to be there."`
	Gateway        string `json:"omconnect_version" doc:"Version of the gateway."`
}

// Health is the answer to GET /health.
type Health struct {
	Status  string `json:"status" doc:"Always healthy: a process that is not does not answer."`
	Message string `json:"message"`
}

type (
	nothing     struct{}
	aboutAnswer struct{ Body About }
	healthOK    struct{ Body Health }
	document    struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		Body        []byte
	}
)

// gatewayRoutes are the calls about the gateway itself.
func (a *api) gatewayRoutes(h huma.API) {
	add(a, h, route{
		id: "about", method: http.MethodGet, path: "/", success: http.StatusOK,
		summary: "What answers here",
	}, a.about)
	add(a, h, route{
		id: "health", method: http.MethodGet, path: healthPath, success: http.StatusOK,
		summary: "Whether the process is up", detail: "It asks neither store nor broker: a gateway waits for both, and is not mended by being started again.",
	}, a.health)
	add(a, h, route{
		id: "describe", method: http.MethodGet, path: "/openapi.json", success: http.StatusOK,
		summary: "This description",
		answers: map[string]*huma.Response{"200": jsonResponse("An OpenAPI 3.1 document", &huma.Schema{Type: "object", AdditionalProperties: true})},
	}, a.describe)
}

func (a *api) about(context.Context, *nothing) (*aboutAnswer, error) {
	return &aboutAnswer{About{Version: kafkaConnectVersion, Commit: commit(), KafkaClusterID: "omconnect", Gateway: a.version}}, nil
}

func (a *api) health(context.Context, *nothing) (*healthOK, error) {
	return &healthOK{Health{Status: "healthy", Message: "the gateway is up"}}, nil
}

func (a *api) describe(context.Context, *nothing) (*document, error) {
	return &document{ContentType: "application/json", Body: a.openAPI}, nil
}

// commit returns what the program was built from, or unknown.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
