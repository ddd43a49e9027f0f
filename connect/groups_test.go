package connect_test

import (
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
)

// Groups come before sources. The topic that a group needs is made as the
// source is told to make it all the same.
func TestTopicHasThePartitionsOfItsSourceWhoeverMakesIt(t *testing.T) {
	for name, tc := range map[string]struct {
		source []string
		want   int
	}{
		"as the source says":        {[]string{"topic.creation.default.partitions=3"}, 3},
		"by default":                {nil, 2},
		"the source makes no topic": {[]string{"topic.creation.enable=false", "topic.creation.default.partitions=3"}, 2},
		"the source has another":    {[]string{"topic=other", "topic.creation.default.partitions=3"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.broker.Partitions = 2
				w.start()
				d := definitionOf("in", settings("test-source", append(tc.source, "last=5")...))
				d.Target = offsets.TargetPaused
				if _, err := w.store.Put(w.t.Context(), d); err != nil {
					t.Fatal(err)
				}
				w.create("out", "test-sink")
				w.wait(0)
				client, err := w.brokers.Client(w.t.Context(), connect.DefaultBroker)
				if err != nil {
					t.Fatal(err)
				}
				topics, err := client.Topics(w.t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got := 0
				for _, topic := range topics {
					if topic.Name == "t" {
						got = topic.Partitions
					}
				}
				if got != tc.want {
					t.Errorf("the topic has %d partitions, want %d", got, tc.want)
				}
			})
		})
	}
}
