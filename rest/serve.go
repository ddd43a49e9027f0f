package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Bounds of the server. Those of reading are what a slow client gets; writing
// has to outlast a handler that waits for the store.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = handleTimeout + readTimeout
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10

	// A server that is told to end gives requests this long to end by
	// themselves, then cancels them, and then cuts them off.
	graceTimeout = 3 * time.Second
	cutTimeout   = 5 * time.Second
)

// Listen listens on host:port. Unless calls need a token, it must be an address
// that only this machine reaches. Port 0 takes a free one.
func Listen(ctx context.Context, addr string, tokens bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, listenError(addr, oms.ErrInvalid, fmt.Errorf("%w; write host:port, such as 127.0.0.1:8083", err))
	}
	if err := checkReach(ctx, addr, host, tokens); err != nil {
		return nil, err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, listenError(addr, oms.ErrUnavailable, fmt.Errorf(
			"port %s is in use, perhaps by another gateway: stop the program that has it, or choose another port (0 takes a free one): %w", port, err))
	case errors.Is(err, syscall.EACCES):
		return nil, listenError(addr, oms.ErrDenied, fmt.Errorf("this user may not listen on port %s; choose one above 1023: %w", port, err))
	}
	return nil, listenError(addr, oms.ErrInvalid, err)
}

// checkReach refuses a host that is not known, and, unless calls need a token,
// one that other machines reach.
func checkReach(ctx context.Context, addr, host string, tokens bool) error {
	if host == "" {
		if tokens {
			return nil
		}
		return exposed(addr, "it stands for all addresses of this machine")
	}
	resolved, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return listenError(addr, oms.ErrInvalid, fmt.Errorf("the host is not known: %w", err))
	}
	for _, ip := range resolved {
		if !tokens && !ip.Unmap().IsLoopback() {
			return exposed(addr, "other machines reach "+ip.String())
		}
	}
	return nil
}

func exposed(addr, why string) error {
	return listenError(addr, oms.ErrDenied, fmt.Errorf("%s, and nobody needs a token; have calls need one with rest.tokens: auto, or use a loopback address such as 127.0.0.1:8083", why))
}

func listenError(addr string, code oms.Code, err error) error {
	return &oms.Error{Op: "listen on", Target: addr, Code: code, Err: err}
}

// Serve answers requests from the listener until ctx is done, then ends: it
// takes no new ones, gives those that are under way a few seconds, and cuts
// off what is left. It closes the listener. Nil means that it ended because of
// ctx. A nil logger is slog.Default().
func Serve(ctx context.Context, ln net.Listener, h http.Handler, logger *slog.Logger) error {
	if logger == nil {
		logger = slog.Default()
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // clients' mistakes
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve on %s: %w", ln.Addr(), errors.Join(err, srv.Close()))
	case <-ctx.Done():
	}
	defer time.AfterFunc(graceTimeout, cancel).Stop()
	patience, stop := context.WithTimeout(context.WithoutCancel(ctx), cutTimeout)
	defer stop()
	if err := srv.Shutdown(patience); err != nil {
		logger.Warn("requests cut off", "address", ln.Addr().String(), "error", errors.Join(err, srv.Close()))
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", ln.Addr(), err)
	}
	return nil
}
