package kafka_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/omconnect/omconnect/oms"
)

// smallTopic makes a topic that takes small messages only, which the driver
// does not know.
func (b *broker) smallTopic(t *testing.T) string {
	t.Helper()
	name, most := fmt.Sprintf("small.%d", topics.Add(1)), "1000"
	detail := &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"max.message.bytes": &most}}
	if err := b.admin(t).CreateTopic(name, detail, false); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAStrangerSeesATransactionAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	topic := b.smallTopic(t)
	s := transactions(t, openAt(t, b.point("&max.message.bytes=2000")), "whole."+topic)
	// Together they are too large for one batch, and the second is too large
	// for the topic: when it is refused, the first is in the log.
	torn := append(bodies(topic, "torn"+strings.Repeat(" ", 700)), &oms.Message{
		Topic: topic, Body: make([]byte, 2_000), Headers: oms.Headers{{Name: "large", Value: make([]byte, 65_250)}},
	})
	if err := s.SendAll(t.Context(), torn); oms.CodeOf(err) != oms.ErrTooLarge {
		t.Fatalf("a transaction whose second half is refused: %v, want %v", err, oms.ErrTooLarge)
	}
	whole := bodies(topic, "whole 1", "whole 2")
	whole[0].ID, whole[0].Key, whole[0].Headers = "the id", []byte("k"), oms.Headers{{Name: "h", Value: []byte("v")}}
	if err := s.SendAll(t.Context(), whole); err != nil {
		t.Fatal(err)
	}

	records := b.read(t, topic, 2)
	if got := values(records); !slices.Equal(got, []string{"whole 1", "whole 2"}) {
		t.Errorf("who reads what is committed sees %q", got)
	}
	if r := records[0]; string(r.Key) != "k" || len(r.Headers) != 2 || r.Headers[0].Key != "h" || r.Headers[1].Key != "oms-id" {
		t.Errorf("the record has the key %q and the headers %v", r.Key, r.Headers)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	everything := b.stranger(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadUncommitted()))
	var got []string
	for !slices.Contains(got, "whole 2") {
		fetches := everything.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		got = append(got, values(fetches.Records())...)
	}
	if !strings.HasPrefix(got[0], "torn") {
		t.Errorf("who reads everything sees %q: nothing was aborted, and the test proves nothing", got)
	}
}

func values(records []*kgo.Record) []string {
	var texts []string
	for _, r := range records {
		texts = append(texts, string(r.Value))
	}
	return texts
}

// What an owner leaves open that has died, its successor ends at once: nobody
// who reads waits for it, and it can no longer be committed.
func TestASuccessorEndsWhatItsOwnerLeftOpen(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	topic := b.topic(t, 1)
	id := "left." + topic
	dead := b.stranger(t, kgo.TransactionalID(id))
	if err := dead.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := dead.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("left open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s := transactions(t, openAt(t, b.point("")), id)
	if err := s.SendAll(t.Context(), bodies(topic, "of the successor")); err != nil {
		t.Fatal(err)
	}
	if got := values(b.read(t, topic, 1)); !slices.Equal(got, []string{"of the successor"}) {
		t.Errorf("who reads what is committed sees %q", got)
	}
	if err := dead.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
		t.Error("the earlier owner has committed")
	}
	if got := values(b.read(t, topic, 1)); !slices.Equal(got, []string{"of the successor"}) {
		t.Errorf("after all that, who reads what is committed sees %q", got)
	}
}
