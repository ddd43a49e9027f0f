package rest

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

// protect puts around the routes what holds for every request, known path or
// not. The outermost comes last.
func (a *api) protect(h http.Handler) http.Handler {
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, fail(http.StatusForbidden, "a page of another site may not change anything here"))
	}))
	h = trimSlash(h)
	h = boundBody(h)
	h = csrf.Handler(h)
	h = a.authenticate(h)
	h = a.checkHost(h)
	h = setHeaders(h)
	return a.observe(h)
}

// observe logs requests, without query strings and bodies, and turns a panic
// into an answer.
func (a *api) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rec := &recorder{ResponseWriter: w}
		log := a.logger.With("method", r.Method, "path", r.URL.Path)
		defer func() {
			if p := recover(); p != nil {
				rec.panicked(p, log)
			}
			log.Debug("request", "status", rec.status, "took", time.Since(start))
		}()
		next.ServeHTTP(rec, r)
	})
}

// A recorder remembers the status that was sent.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	if status == http.StatusNoContent {
		r.Header().Del("Content-Type") // huma sets it before it knows that there is no body
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// panicked answers for a handler that panicked.
func (r *recorder) panicked(p any, log *slog.Logger) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // the way to cut a connection, not a mistake
	}
	log.Error("request panicked", "panic", p, "stack", string(debug.Stack()))
	if r.status == 0 {
		writeError(r, fail(http.StatusInternalServerError, "internal error"))
		return
	}
	panic(http.ErrAbortHandler) // half an answer must not look like a whole one
}

func setHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// checkHost refuses requests over a loopback address that name another host:
// a page whose name was made to resolve to this machine would send them.
func (a *api) checkHost(next http.Handler) http.Handler {
	own := hostOf(a.worker)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if host := hostOf(r.Host); ok && isLoopback(hostOf(local.String())) && !isLoopback(host) && host != own {
			writeError(w, fail(http.StatusForbidden, "this gateway answers to localhost and its own address only, and the request names another host"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostOf returns the host of host:port or host, in lower case.
func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// isLoopback reports whether a host can only be this machine.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// boundBody lets no handler read more than the limit, and does not begin to
// read what is announced to be larger.
func boundBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > maxBody {
			w.Header().Set("Connection", "close") // or the server would read on to the next request
			writeError(w, errTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// trimSlash takes the slash off the end of a path. chi would not find the
// route, and a redirect loses the body of a PUT. An encoded slash is part of a
// name, and stays.
func trimSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u := *r.URL; len(u.Path) > 1 && strings.HasSuffix(u.EscapedPath(), "/") {
			u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
			trimmed := *r
			trimmed.URL = &u
			r = &trimmed
		}
		next.ServeHTTP(w, r)
	})
}
