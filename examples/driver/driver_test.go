package driver_test

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/examples/driver"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance holds the driver to all that it claims. Each rule has a file
// of its own. The suite's full counts are for brokers: fifty groups that poll
// one file are in each other's way.
func TestConformance(t *testing.T) {
	omstest.RunApart(t, func(t *testing.T) *omstest.Harness {
		t.Helper()
		ap, err := oms.ParseAccessPoint(point(filepath.Join(t.TempDir(), "messages.db")))
		if err != nil {
			t.Fatal(err)
		}
		missing := ap
		missing.Options = oms.KeyValue{"path": filepath.Join(t.TempDir(), "no-such-folder", "messages.db")}
		return &omstest.Harness{
			Driver: driver.Driver{}, AccessPoint: ap,
			Dead:  &missing,
			Valid: []string{point("messages.db"), point("a file.db")},
			Invalid: map[string]string{
				"file": "path", "oms:file:///": "path", "oms:file://host/?path=x": "host",
				"oms:file:///?path=x&durability=strict": "durability",
			},
			ReservedHeaders: []string{"id", "topic", "member"}, // none means anything to the driver
			Patience:        time.Minute,                       // each batch waits for the disk
		}
	})
}

// point is the access point of a file.
func point(path string) string { return "oms:" + driver.Name + ":///?path=" + url.QueryEscape(path) }

// open returns a client of a file.
func open(t *testing.T, path string) *oms.Client {
	t.Helper()
	c, err := oms.Open(t.Context(), point(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestTheOptionsAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	options, err := oms.Default.Options(driver.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		ap := oms.AccessPoint{Driver: driver.Name, Options: oms.KeyValue{"path": "messages.db", o.Name: "messages.db"}}
		conn, err := driver.Driver{}.Open(t.Context(), ap)
		if err != nil {
			t.Errorf("%s is documented and refused: %v", o.Name, err)
			continue
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_, err = driver.Driver{}.Open(t.Context(), oms.AccessPoint{Driver: driver.Name})
	if len(options) != 1 || err == nil || !strings.Contains(err.Error(), options[0].Name+": missing") {
		t.Errorf("what is required is not what is documented: %v, %v", options, err)
	}
}
