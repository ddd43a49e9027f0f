package connect_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/mem"
	"github.com/omconnect/omconnect/oms"
)

func TestBrokersAreOpenedOnceAndSharedByNameAndAccessPoint(t *testing.T) {
	registry := new(oms.Registry)
	registry.Register("mem", mem.New())
	brokers := connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "mem", "main": "mem", "odd": "oms:mem://host/"})
	first, err := brokers.Client(t.Context(), connect.DefaultBroker)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"main", "mem", connect.DefaultBroker} {
		if c, err := brokers.Client(t.Context(), name); err != nil || c != first {
			t.Errorf("Client(%q) = %p, %v; want the one that is open already", name, c, err)
		}
	}
	for name, want := range map[string]string{
		"odd": "broker oms:odd:///", "nowhere": "broker oms:nowhere:///", "oms:none:///": "broker oms:none:///",
		"No Where": `broker "No Where"`, "oms:mem://u:pw@": "broker (not an access point)",
	} {
		if _, err := brokers.Client(t.Context(), name); !errors.Is(err, oms.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("Client(%q): %v, want ErrInvalid naming %s", name, err, want)
		}
	}
	if caps, err := brokers.Capabilities("main"); err != nil || !caps.Has(oms.Groups) {
		t.Errorf("Capabilities: %v, %v", caps, err)
	}
	if err := brokers.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := brokers.Client(t.Context(), "main"); !errors.Is(err, oms.ErrClosed) {
		t.Errorf("Client after Close: %v, want ErrClosed", err)
	}
	if _, err := brokers.Client(t.Context(), "oms:mem://u:swordfish@h/"); !errors.Is(err, oms.ErrClosed) || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("Client of an access point with a password after Close: %v, want ErrClosed without it", err)
	}
	if err := first.Check(t.Context()); !errors.Is(err, oms.ErrClosed) {
		t.Errorf("the shared client after Close: %v, want ErrClosed", err)
	}
}

func TestAGuardIsAskedBeforeEachUseOfABroker(t *testing.T) {
	registry := new(oms.Registry)
	registry.Register("mem", mem.New())
	brokers := connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "mem"})
	var refusal error
	brokers.Guard(func(caps oms.Capabilities) error {
		if !caps.Local {
			t.Error("it is asked with other capabilities than the driver's")
		}
		return refusal
	})
	if _, err := brokers.Client(t.Context(), "mem"); err != nil {
		t.Fatal(err)
	}
	refusal = &oms.Error{Code: oms.ErrUnsupported}
	for _, name := range []string{connect.DefaultBroker, "mem", "oms:mem:///"} { // the first two are open
		if c, err := brokers.Client(t.Context(), name); oms.CodeOf(err) != oms.ErrUnsupported || !strings.Contains(err.Error(), "broker ") {
			t.Errorf("Client(%q) = %v, %v; want ErrUnsupported that names the broker", name, c, err)
		}
		if _, err := brokers.Capabilities(name); oms.CodeOf(err) != oms.ErrUnsupported {
			t.Errorf("Capabilities(%q): %v, want ErrUnsupported", name, err)
		}
	}
	refusal = nil
	if _, err := brokers.Client(t.Context(), "mem"); err != nil {
		t.Errorf("the broker that was refused before: %v", err)
	}
	if err := brokers.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A slowDriver takes its time to open.
type slowDriver struct {
	oms.Driver
	opened, closed int
}

func (d *slowDriver) Open(ctx context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	select {
	case <-time.After(time.Minute):
	case <-ctx.Done():
		return nil, &oms.Error{Op: "open", Code: oms.ErrAborted, Err: context.Cause(ctx)}
	}
	c, err := d.Driver.Open(ctx, ap)
	d.opened++
	return &countedConn{c, d}, err
}

type countedConn struct {
	oms.Conn
	driver *slowDriver
}

func (c *countedConn) Close(ctx context.Context) error {
	c.driver.closed++
	return c.Conn.Close(ctx)
}

func slowBrokers() (*connect.Brokers, *slowDriver) {
	registry, slow := new(oms.Registry), &slowDriver{Driver: mem.New()}
	registry.Register("mem", mem.New())
	registry.Register("slow", slow)
	return connect.NewBrokers(registry, map[string]string{connect.DefaultBroker: "slow"}), slow
}

func TestABrokerThatIsSlowToOpenKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		brokers, slow := slowBrokers()
		got := make(chan *oms.Client, 2)
		for range 2 {
			go func() {
				c, err := brokers.Client(t.Context(), "slow")
				if err != nil {
					t.Error(err)
				}
				got <- c
			}()
		}
		synctest.Wait()
		began := time.Now()
		if _, err := brokers.Client(t.Context(), "mem"); err != nil || time.Since(began) > 0 {
			t.Errorf("another broker: %v after %v", err, time.Since(began))
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := brokers.Client(soon, "slow"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "broker oms:slow") {
			t.Errorf("a caller in haste: %v, want the deadline, and the broker", err)
		}
		if a, b := <-got, <-got; a != b || slow.opened != 1 {
			t.Errorf("clients %p and %p, opened %d times; want one", a, b, slow.opened)
		}
		if err := brokers.Close(t.Context()); err != nil || slow.closed != 1 {
			t.Errorf("Close: %v, %d closed", err, slow.closed)
		}
	})
}

func TestACallerThatGivesUpDoesNotTakeTheBrokerFromTheOthers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{"stopped": context.Canceled, "in haste": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				brokers, slow := slowBrokers()
				first, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				failed := make(chan error, 1)
				go func() { _, err := brokers.Client(first, "slow"); failed <- err }()
				synctest.Wait()
				got := make(chan error, 1)
				go func() { _, err := brokers.Client(t.Context(), "slow"); got <- err }()
				synctest.Wait()
				if errors.Is(want, context.Canceled) {
					stop()
				}
				if err := <-failed; !errors.Is(err, want) {
					t.Errorf("the first: %v, want %v", err, want)
				}
				if err := <-got; err != nil || slow.opened != 1 {
					t.Errorf("the other: %v, opened %d times", err, slow.opened)
				}
				if err := brokers.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestABrokerThatIsOpenedDuringCloseIsClosedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		brokers, slow := slowBrokers()
		got := make(chan error, 1)
		go func() { _, err := brokers.Client(t.Context(), "slow"); got <- err }()
		synctest.Wait()
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := brokers.Close(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close in haste: %v", err)
		}
		if err := <-got; !errors.Is(err, oms.ErrClosed) || slow.opened != 1 || slow.closed != 1 {
			t.Errorf("Client: %v, %d opened and %d closed; want ErrClosed and both", err, slow.opened, slow.closed)
		}
	})
}
