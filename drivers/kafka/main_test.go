package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestMain(m *testing.M) {
	omstest.ServeMemberProcess()
	// The driver sets what the client library has once for the process, and
	// tests use that library beside it.
	conn, err := kafka.Driver{}.Open(context.Background(), oms.AccessPoint{Driver: kafka.Name, Hosts: []string{"127.0.0.1:1"}})
	if err == nil {
		err = conn.Close(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv("OMCONNECT_TEST_LOG") != "" {
		slog.SetLogLoggerLevel(slog.LevelDebug)
	} else {
		logTo(said)
	}
	os.Exit(runTests(m))
}

// runTests gives the broker that tests share a folder, ends it, and looks for
// goroutines that are left.
func runTests(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "kafka")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	one.dir = dir
	defer func() { _ = os.RemoveAll(dir) }()
	code = m.Run()
	if one.server != nil {
		if err := one.server.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if strings.Contains(said.read(), "has ended in a panic") {
		fmt.Fprintln(os.Stderr, said.read())
		code = 1
	}
	// The client library counts with a clock that the process has once.
	clock := goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")
	if err := leaks.Find(clock); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	return code
}
