package omstest_test

import (
	"testing"

	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestMain(m *testing.M) {
	omstest.ServeMemberProcess()
	leaks.Main(m)
}
