package omconnect

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/omconnect/omconnect/rest"
)

// A gate stands before the API while the gateway starts: what needs the state
// store is refused until the store has answered, was recognised, and has the
// connectors of the file.
type gate struct {
	next http.Handler
	open atomic.Bool
}

// ServeHTTP passes on what needs no store, and everything once it is open.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.open.Load() || !strings.HasPrefix(r.URL.Path, "/connectors") {
		g.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = json.NewEncoder(w).Encode(rest.Error{ // a client that is gone is not told
		Code:    http.StatusServiceUnavailable,
		Message: "the gateway is starting and waits for its state store; see its log, and try again",
	})
}
