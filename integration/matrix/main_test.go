package matrix

import (
	"os"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/stand"
	"github.com/omconnect/omconnect/integration/servers"
)

// shared is what all tests of the package use: of servers, at most one of each
// kind.
var shared stand.Stand

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

// program returns the gateway.
func program() (string, error) { return shared.Program("cmd/omconnect") }

// addr returns the address of a server: the one that the environment names, or
// else one that is started for the package.
func addr(t *testing.T, name, env string, start stand.Starter, opts ...servers.Option) string {
	t.Helper()
	if addr := os.Getenv(env); env != "" && addr != "" {
		return addr
	}
	return shared.Server(t, name, start, opts...).Addr()
}
