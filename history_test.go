package omconnect

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest"
)

// gatewayWithHistory returns the address of an API without a runtime: what its
// connectors are doing is made up, so that it never changes.
func gatewayWithHistory(t *testing.T) string {
	t.Helper()
	store := offsets.NewMemory()
	logger := slog.New(slog.DiscardHandler)
	brokers := connect.NewBrokers(&oms.Default, map[string]string{
		connect.DefaultBroker: "oms:embedded:///?dir=" + t.TempDir(),
	})
	t.Cleanup(func() {
		if err := errors.Join(brokers.Close(context.WithoutCancel(t.Context())), store.Close()); err != nil {
			t.Error(err)
		}
	})
	catalog := connect.NewCatalog(store, &connect.DefaultPlugins, brokers, logger)
	requests := []connect.Request{
		{Name: "orders", Origin: "gateway.yaml:7", Config: oms.KeyValue{
			"connector.class": "generator-source", "topic": "orders", "rate.records.per.second": "10",
		}},
		{Name: "lines", Origin: "gateway.yaml:12", Config: oms.KeyValue{
			"connector.class": "file-source", "topic": "lines", "file": "/srv/\x1b[2Jlines.txt",
		}},
	}
	if err := catalog.Apply(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	failure := "read postgres://user:s3cret@db/: \x1b[31mno such table\u202e"
	var errs []error
	for _, s := range []offsets.Status{
		{Connector: "orders", Task: offsets.ConnectorTask, State: "RUNNING", Since: noon, By: "definition"},
		{Connector: "orders", Task: 0, State: "RUNNING", Since: noon, Records: 4200},
		{Connector: "orders", Task: 1, State: "RUNNING", Since: noon, Records: 1},
		{Connector: "lines", Task: offsets.ConnectorTask, State: "RUNNING", Since: noon, By: "definition"},
		{
			Connector: "lines", Task: 0, State: "RETRYING", Since: noon, By: "failure", Cause: failure, Trace: failure,
			Attempts: 3, NextRetry: noon.Add(8 * time.Second),
		},
	} {
		s.Worker = "10.0.0.1:8083"
		errs = append(errs, store.Publish(t.Context(), s, time.Hour))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rest.New(rest.Options{Catalog: catalog, Version: Version, Logger: logger}))
	t.Cleanup(server.Close)
	return server.URL
}
