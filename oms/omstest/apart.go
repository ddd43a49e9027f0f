package omstest

import "testing"

// RunApart is Run with a broker of its own for each rule, for brokers that are
// in the process. Rules that trouble nobody run side by side.
func RunApart(t *testing.T, newHarness func(t *testing.T) *Harness) {
	t.Helper()
	for _, r := range Rules() {
		t.Run(r.ID, func(t *testing.T) {
			if !r.alone() {
				t.Parallel()
			}
			r.run(t, newHarness(t))
		})
	}
}
