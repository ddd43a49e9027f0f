package omconnect

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
)

// TestPluginsOfOneNameAreOneDocument: a transform and a predicate may share a
// name, and whoever reads JSON reads one value.
func TestPluginsOfOneNameAreOneDocument(t *testing.T) {
	stdout, _ := must(t, "", "plugins", "Expression", "-o", "json")
	d := json.NewDecoder(strings.NewReader(stdout))
	var infos []pluginInfo
	if err := d.Decode(&infos); err != nil {
		t.Fatalf("%v:\n%s", err, stdout)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("there is something behind the document:\n%s", stdout)
	}
	var kinds []string
	for _, info := range infos {
		kinds = append(kinds, info.Kind)
		if info.Class != "Expression" || len(info.Keys) == 0 {
			t.Errorf("%+v is not Expression with its keys", info)
		}
	}
	if want := []string{"transform", "predicate"}; !slices.Equal(kinds, want) {
		t.Errorf("the kinds are %q, want %q", kinds, want)
	}
	stdout, _ = must(t, "", "plugins", "Filter", "-o", "json")
	var one pluginInfo
	if err := json.Unmarshal([]byte(stdout), &one); err != nil || one.Class != "Filter" {
		t.Errorf("a single one is not an object: %v\n%s", err, stdout)
	}
}

func TestPluginsAreFoundByTheNamesOfKafkaConnect(t *testing.T) {
	for _, p := range allPlugins(&connect.DefaultPlugins) {
		for _, alias := range p.aliases {
			stdout, _ := must(t, "", "plugins", alias)
			if !strings.Contains(stdout, p.name+" ("+p.kind+")") {
				t.Errorf("omconnect plugins %s shows\n%s", alias, stdout)
			}
		}
	}
	if stdout, _ := must(t, "", "plugins", "org.apache.kafka.connect.transforms.Filter"); !strings.Contains(stdout, "Filter (transform)") {
		t.Errorf("Kafka Connect's Filter:\n%s", stdout)
	}
}
