package rest

import "github.com/go-chi/chi/v5"

// Routes are the routes without what stands around them.
func Routes(o Options) chi.Router { return newAPI(o).router() }

// What the tests need to know of the server's inside.
const (
	MaxBody  = maxBody
	MaxDepth = maxDepth
)
