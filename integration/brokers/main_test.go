package main

import (
	"context"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/integration/servers"
)

func TestUpPrintsALineForTheShellForEachServer(t *testing.T) {
	t.Chdir(t.TempDir())
	var out, again strings.Builder
	t.Cleanup(func() {
		if err := run(context.WithoutCancel(t.Context()), []string{"down"}, &out); err != nil {
			t.Error(err)
		}
	})
	if err := run(t.Context(), []string{"up"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"export " + integration.RedisEnv + "=redis://127.0.0.1:",
		"export " + servers.RabbitMQEnv + "=127.0.0.1:",
		"export " + servers.KafkaEnv + "=127.0.0.1:",
		"export " + servers.RocketMQEnv + "=127.0.0.1:",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("up prints %q, want a line with %s", out.String(), want)
		}
	}
	if got := strings.Count(out.String(), "\n"); got != 4 {
		t.Errorf("up prints %d lines, want 4", got)
	}
	if err := run(t.Context(), []string{"up"}, &again); err != nil || again.String() != out.String() {
		t.Errorf("up again prints %q, %v, want the same", again.String(), err)
	}
}

func TestWrongUseSaysWhatIsKnown(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{nil, {"sideways"}, {"down", "redis"}, {"up", "sideways"}} {
		if err := run(t.Context(), args, nil); err == nil || !strings.Contains(err.Error(), "name") && !strings.Contains(err.Error(), "usage") {
			t.Errorf("%q: got %v, want how it is used", args, err)
		}
	}
}
