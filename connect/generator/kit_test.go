package generator_test

import (
	"encoding/json"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/oms"
)

func TestSourceKeepsTheContractOfConnectors(t *testing.T) {
	for name, config := range map[string]oms.KeyValue{
		"as fast as they are taken": {"records.max": "12", "interval.ms": "0", "batch.max.records": "5"},
		"one by one":                {"records.max": "7", "interval.ms": "1", "body.bytes": "10"},
	} {
		t.Run(name, func(t *testing.T) {
			connecttest.RunSource(t, func(t *testing.T) connecttest.Source {
				t.Helper()
				plugin, err := connect.DefaultPlugins.Lookup("generator-source")
				if err != nil {
					t.Fatal(err)
				}
				return connecttest.Source{
					Plugin: plugin, Config: config, Finite: true, EachTask: true,
					Total: config.Reader().Int("records.max"),
					Number: func(m *oms.Message) (int, error) {
						var body struct{ Seq int }
						err := json.Unmarshal(m.Body, &body)
						return body.Seq - 1, err
					},
				}
			})
		})
	}
}
