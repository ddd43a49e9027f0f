package integration

import (
	"errors"
	"testing"
)

// TestAnotherServerOnThePortIsNotTakenForOurs: between the choice of a port
// and the start another server has taken it. It answers, but it is not the one
// that was started.
func TestAnotherServerOnThePortIsNotTakenForOurs(t *testing.T) {
	other := NewRedis(t)
	r := &Redis{bin: other.bin, dir: t.TempDir(), port: other.port, attr: tied()}
	if err := r.launch(t.Context()); !errors.Is(err, errPortTaken) {
		t.Errorf("got %v, want that the port was taken", err)
	}
}

func TestPortsAreNotThoseOfOutgoingConnections(t *testing.T) {
	for range 20 {
		port, err := freePort(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if port < firstPort || port >= lastPort {
			t.Errorf("got port %d, want one from %d to %d", port, firstPort, lastPort)
		}
	}
}
