package rocketmq

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestEveryDocumentedDefaultIsTheDefault(t *testing.T) {
	t.Parallel()
	ap := oms.AccessPoint{Driver: Name, Hosts: []string{"localhost", "[::1]", "a:1"}}
	want, err := readOptions(ap)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"localhost:9876", "[::1]:9876", "a:1"}, want.hosts); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	ap.Options = oms.KeyValue{}
	var names []string
	for _, o := range (Driver{}).Options() {
		names = append(names, o.Name)
		ap.Options[o.Name] = o.Default
		if o.Doc == "" || len(o.Values) > 0 && o.Values[0] != o.Default {
			t.Errorf("%s has no documentation, or its first value is not its default", o.Name)
		}
	}
	got, err := readOptions(ap)
	if err != nil {
		t.Errorf("a default is refused: %v", err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" {
		t.Errorf("with every default given (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(names) {
		t.Errorf("the options are not sorted: %v", names)
	}
}

func TestCapabilitiesFollowTheOptions(t *testing.T) {
	t.Parallel()
	ap := oms.AccessPoint{Driver: Name, Hosts: []string{"a"}, Options: oms.KeyValue{"delay": "timer", "sync.interval.ms": "0", "max.message.bytes": "1000"}}
	with, without := Driver{}.Capabilities(ap), Driver{}.Capabilities(oms.AccessPoint{})
	if !with.Has(oms.Delay) || without.Has(oms.Delay) {
		t.Error("delay is not claimed with delay=timer alone")
	}
	if with.DurableAfter != 0 || without.DurableAfter != defaultSync {
		t.Errorf("DurableAfter is %v and %v", with.DurableAfter, without.DurableAfter)
	}
	if with.MaxBody != 1000 || without.MaxBody != defaultMaxMessage {
		t.Errorf("MaxBody is %d and %d", with.MaxBody, without.MaxBody)
	}
}
