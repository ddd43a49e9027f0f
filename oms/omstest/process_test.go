package omstest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms/omstest"
)

func TestAMemberProcessThatEndsByItselfIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := omstest.MemberProcess("oms:nobody://127.0.0.1/")(ctx, "topic", "group", 1)
	if err != nil {
		t.Fatal(err)
	}
	if acked, err := p.Acked(ctx); err == nil || !strings.Contains(err.Error(), "ended without a word") {
		t.Errorf("Acked = %q, %v, want an error that says that it has ended", acked, err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("Kill of a process that has ended: %v", err)
	}
}
