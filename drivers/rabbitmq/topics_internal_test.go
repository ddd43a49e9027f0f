package rabbitmq

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsKnownOfTopicsAndQueuesIsAskedAgainInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c topicCache
		known := func(when, topic string, want int) {
			t.Helper()
			n, ok := c.get(topic)
			if ok != (want > 0) || ok && n != want {
				t.Errorf("%s: %s has %d partitions, known: %t; want %d", when, topic, n, ok, want)
			}
		}
		known("at first", "a", 0)
		c.put("a", 3)
		c.put("b", 5)
		c.setSound("q")
		known("then", "a", 3)
		if !c.isSound("q") || c.isSound("r") {
			t.Error("a queue that was looked at is looked at again, or another is not")
		}
		c.forget("a")
		known("forgotten", "a", 0)
		known("beside it", "b", 5)
		c.forget("")
		known("with all forgotten", "b", 0)
		c.put("a", 4)
		time.Sleep(trustTopics)
		known("a while later", "a", 0)
		if c.isSound("q") {
			t.Error("a queue is taken to be sound for ever")
		}
	})
}
