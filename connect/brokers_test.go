package connect_test

import (
	"errors"
	"strings"
	"testing"

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
