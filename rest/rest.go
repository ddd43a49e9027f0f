package rest

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/omconnect/omconnect/connect"
)

// A Catalog is what the API serves: the connectors as their users see them.
type Catalog interface {
	Create(ctx context.Context, req connect.Request) (connect.Info, error)
	List(ctx context.Context) ([]connect.Info, error)
	Get(ctx context.Context, name string) (connect.Info, error)
	Statuses(ctx context.Context) ([]connect.Status, error)
	Status(ctx context.Context, name string) (connect.Status, error)
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
	Delete(ctx context.Context, name string) error
}

var _ Catalog = (*connect.Catalog)(nil)

// Options are what an API is made of.
type Options struct {
	Catalog Catalog
	Version string       // of the gateway
	Worker  string       // the gateway's address, such as 127.0.0.1:8083
	Tokens  []string     // a call needs one of them; with none, nobody needs one
	Logger  *slog.Logger // slog.Default() if nil
}

// api is what the handlers share. It does not change once it is made.
type api struct {
	catalog Catalog
	version string
	worker  string
	tokens  []string
	logger  *slog.Logger
	openAPI []byte
}

// New returns the handler of the whole API.
func New(o Options) http.Handler {
	a := newAPI(o)
	return a.protect(a.router())
}

func newAPI(o Options) *api {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Worker == "" {
		o.Worker = "omconnect" // clients want it to be there
	}
	return &api{catalog: o.Catalog, version: o.Version, worker: o.Worker, tokens: o.Tokens, logger: o.Logger}
}

// router returns the routes, and makes their description.
func (a *api) router() *chi.Mux {
	mux := chi.NewMux()
	mux.Use(headAsGet)
	mux.NotFound(a.notFound)
	mux.MethodNotAllowed(a.methodNotAllowed(mux))
	h := humachi.New(mux, huma.Config{ // not the default one, which adds $schema, Link and a page of its own
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "omconnect",
				Version:     a.version,
				Description: "Connectors between databases, files and message brokers: the OpenMessaging Connect draft, and Kafka Connect's API around it.",
			},
		},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
	})
	a.gatewayRoutes(h)
	a.connectorRoutes(h)
	a.controlRoutes(h)
	a.describeTokens(h.OpenAPI())
	a.openAPI = describe(h.OpenAPI())
	return mux
}
