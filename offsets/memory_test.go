package offsets_test

import (
	"testing"
	"time"

	"github.com/omconnect/omconnect/internal/leaks"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/offsetstest"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func TestMemoryKeepsTheContract(t *testing.T) {
	offsetstest.RunInBubble(t, func(*testing.T) offsetstest.Harness {
		store := offsets.NewMemory()
		return offsetstest.Harness{
			Open:    func() (offsets.Store, error) { return store, nil },
			Advance: time.Sleep, // of the bubble's clock
		}
	})
}
