package oms_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

// A described driver says what its options are.
type described struct{ oms.Driver }

func (described) Options() []oms.OptionDoc {
	return []oms.OptionDoc{{Name: "wait.ms", Type: oms.OptionMillis, Default: "5", Doc: "How long to wait."}}
}

func TestOptionsAreThoseThatTheDriverDescribes(t *testing.T) {
	t.Parallel()
	var r oms.Registry
	r.Register("described", described{})
	r.Register("silent", struct{ oms.Driver }{})
	got, err := r.Options("described")
	if diff := cmp.Diff(described{}.Options(), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err = r.Options("silent"); got != nil || err != nil {
		t.Errorf("a driver that describes nothing has %v, %v", got, err)
	}
	_, err = r.Options("missing")
	if !errors.Is(err, oms.ErrInvalid) || !strings.Contains(err.Error(), "described, silent") {
		t.Errorf("an unknown driver is %v, want ErrInvalid and the known ones", err)
	}
}
