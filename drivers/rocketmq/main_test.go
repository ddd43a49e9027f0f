package rocketmq_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/oms/omstest"
)

func TestMain(m *testing.M) {
	omstest.ServeMemberProcess()
	serveHalf()
	const library = "github.com/apache/rocketmq-client-go/v2/"
	leaks.Main(m,
		// The kept clients: the library runs nearly all of theirs in this function.
		goleak.IgnoreAnyFunction(library+"primitive.WithRecover"),
		goleak.IgnoreAnyFunction(library+"consumer.(*defaultPullConsumer).Start.func1.1"),
		// A pull that nobody waits for any more ends by itself, within 30 seconds.
		goleak.IgnoreAnyFunction(library+"consumer.(*defaultPullConsumer).PullFrom"),
		// A cache that the library imports starts this one when it is loaded.
		goleak.IgnoreTopFunction("github.com/patrickmn/go-cache.(*janitor).Run"),
	)
}
