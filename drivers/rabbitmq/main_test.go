package rabbitmq_test

import (
	"testing"

	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestMain(m *testing.M) {
	omstest.ServeMemberProcess()
	leaks.Main(tests{m})
}

// tests are all tests of the package, with the broker that they share.
type tests struct{ m *testing.M }

// Run runs them, and ends the broker.
func (ts tests) Run() int {
	defer shared.end()
	return ts.m.Run()
}
