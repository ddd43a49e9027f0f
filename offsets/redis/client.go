package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// newClient makes a client for the mode. It does not dial. Every option that
// matters is set, whatever the library's defaults become.
func newClient(c *Config, log *slog.Logger) goredis.UniversalClient {
	clientLog.Store(log)
	goredis.SetLogger(clientLogger{})
	o := &goredis.UniversalOptions{
		Addrs: c.Hosts, DB: c.DB, Username: c.User, Password: c.Password.Reveal(), MasterName: c.Master,
		ClientName: "omconnect", DisableIdentity: true, Protocol: 2,

		// A call ends with its context. Writes are absolute, so that one that
		// is sent twice does no harm.
		ContextTimeoutEnabled: true,
		DialTimeout:           3 * time.Second,
		DialerRetries:         1,
		DialerRetryTimeout:    50 * time.Millisecond,
		ReadTimeout:           5 * time.Second,
		WriteTimeout:          5 * time.Second,
		MaxRetries:            3,
		MinRetryBackoff:       10 * time.Millisecond,
		MaxRetryBackoff:       250 * time.Millisecond,

		PoolSize: 16, MaxActiveConns: 32, MinIdleConns: 0, MaxIdleConns: 8, PoolTimeout: 4 * time.Second,
		ConnMaxIdleTime: 5 * time.Minute, ConnMaxLifetime: 0, PipelinePoolSize: -1,

		// A replica is behind, and may be behind a position that was told to
		// a source as committed: everything is read where it is written.
		ReadOnly: false, RouteByLatency: false, RouteRandomly: false, MaxRedirects: 5,

		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.TLS {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12} // the server's name is the dialled host
	}
	switch c.Mode {
	case Sentinel:
		return goredis.NewFailoverClient(o.Failover())
	case Cluster:
		return goredis.NewClusterClient(o.Cluster())
	default:
		return goredis.NewClient(o.Simple())
	}
}

// clientLog is where the library's messages go: it has one logger for all its
// clients, and the store that was opened last gives it.
var clientLog atomic.Pointer[slog.Logger]

// clientLogger passes on what the library says. It is for debugging: what
// concerns a call is in that call's error.
type clientLogger struct{}

func (clientLogger) Printf(ctx context.Context, format string, args ...any) {
	log := clientLog.Load()
	if log.Enabled(ctx, slog.LevelDebug) {
		log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, args...))
	}
}
