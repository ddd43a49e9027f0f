package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

func TestTheEndpointOfADeadBrokerIsNoBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "endpoint")
	c, err := oms.Open(testContext(t), pointOf(dir))
	if err != nil {
		t.Fatal(err)
	}
	createTopic(t, c, "t", 1)
	left, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	closeClient(t, c)
	if err := os.WriteFile(file, left, 0o600); err != nil { // as a killed process leaves it
		t.Fatal(err)
	}
	accessPoint, err := embedded.Endpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	stranded := open(t, accessPoint)
	ctx := testContext(t)
	_, offsets := stranded.Offsets(ctx, []string{"t"}, oms.Start{})
	_, positions := stranded.Positions(ctx, "g", []string{"t"})
	_, lag := stranded.Lag(ctx, "g", []string{"t"})
	_, topics := stranded.Topics(ctx)
	for name, err := range map[string]error{
		"Check": stranded.Check(ctx), "Offsets": offsets, "Positions": positions, "Lag": lag, "Topics": topics,
		"EnsureTopic": stranded.EnsureTopic(ctx, oms.TopicSpec{Name: "u"}), "DeleteTopic": stranded.DeleteTopic(ctx, "t"),
	} {
		if !errors.Is(err, oms.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		if err != nil && strings.Contains(err.Error(), secretOf(t, accessPoint)) {
			t.Errorf("%s tells the password", name)
		}
	}
	// The next broker in the folder has its own.
	again := open(t, pointOf(dir))
	if err := again.Check(ctx); err != nil {
		t.Fatal(err)
	}
	now, err := embedded.Endpoint(dir)
	if err != nil || now == accessPoint {
		t.Errorf("the new broker's endpoint is the dead one's, or: %v", err)
	}
	if err := open(t, now).Check(ctx); err != nil {
		t.Errorf("by the new endpoint: %v", err)
	}
}

func secretOf(t *testing.T, accessPoint string) string {
	t.Helper()
	ap, err := oms.ParseAccessPoint(accessPoint)
	if err != nil {
		t.Fatal(err)
	}
	return ap.Password.Reveal()
}

func TestAnEndpointThatCannotBeReadSaysWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make func(file string) error
		want oms.Code
	}{
		"damaged":  {func(file string) error { return os.WriteFile(file, []byte("nonsense://\n"), 0o600) }, oms.ErrFormat},
		"empty":    {func(file string) error { return os.WriteFile(file, nil, 0o600) }, oms.ErrFormat},
		"a folder": {func(file string) error { return os.Mkdir(file, 0o700) }, oms.ErrUnavailable},
		"missing":  {func(string) error { return nil }, oms.ErrNotFound},
	} {
		dir := t.TempDir()
		if err := test.make(filepath.Join(dir, "endpoint")); err != nil {
			t.Fatal(err)
		}
		if got, err := embedded.Endpoint(dir); oms.CodeOf(err) != test.want || !strings.Contains(err.Error(), dir) || got != "" {
			t.Errorf("%s: got %q, %v; want %v that names the folder", name, got, err, test.want)
		}
	}
}

func TestNothingIsOpenedFromAClosedConnection(t *testing.T) {
	t.Parallel()
	everywhere(t, func(at place) {
		t := at.t
		s := openSender(t, at, oms.SenderConfig{})
		closeClient(t, at.Conn)
		ctx := testContext(t)
		outcome := make(chan error, 1)
		s.SendAsync(ctx, numbered("t", 0, 1), func(err error) { outcome <- err })
		_, sender := at.OpenSender(ctx, oms.SenderConfig{})
		_, receiver := at.OpenReceiver(ctx, group("g"))
		_, offsets := at.Conn.(oms.OffsetFinder).Offsets(ctx, []string{"t"}, oms.Start{})
		_, positions := at.Conn.(oms.GroupPositioner).Positions(ctx, "g", []string{"t"})
		_, members := at.Conn.(oms.GroupAdmin).Members(ctx, "g", []string{"t"})
		for name, err := range map[string]error{
			"OpenSender": sender, "OpenReceiver": receiver, "Offsets": offsets, "Positions": positions, "Members": members,
			"Check": at.Check(ctx), "EnsureGroup": at.Conn.(oms.GroupAdmin).EnsureGroup(ctx, "g", []string{"t"}, oms.Start{}),
			"SendAsync": recv(t, "the outcome", outcome),
		} {
			if oms.CodeOf(err) != oms.ErrClosed && !errors.Is(err, oms.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, err)
			}
		}
	})
}

func TestAReceiverOfNothingIsInvalid(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, 1)
	for name, cfg := range map[string]oms.ReceiverConfig{
		"no topics":        {Group: "g"},
		"no group":         {Topics: []string{"t"}},
		"a reserved topic": {Topics: []string{"t", "$x"}, Group: "g"},
		"a long group":     {Topics: []string{"t"}, Group: strings.Repeat("g.", 100)},
	} {
		if r, err := c.OpenReceiver(testContext(t), cfg); !errors.Is(err, oms.ErrInvalid) || r != nil {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}
