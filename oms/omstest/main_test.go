package omstest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/oms/omstest"
)

func TestMain(m *testing.M) {
	omstest.ServeMemberProcess()
	goleak.VerifyTestMain(m)
}
