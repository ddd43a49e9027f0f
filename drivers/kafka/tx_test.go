package kafka_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/oms"
)

func transactions(t *testing.T, conn oms.Conn, id string) oms.TxSender {
	t.Helper()
	s, err := conn.(oms.TxOpener).OpenTx(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bodies returns a message for each body.
func bodies(topic string, texts ...string) []*oms.Message {
	msgs := make([]*oms.Message, len(texts))
	for i, text := range texts {
		msgs[i] = &oms.Message{Topic: topic, Body: []byte(text)}
	}
	return msgs
}

// wantStored fails unless a topic has these messages and, as far as readers of
// what is committed go, none before them.
func wantStored(t *testing.T, conn oms.Conn, topic string, want ...string) {
	t.Helper()
	_, got := get(t, receiver(t, conn, oms.ReceiverConfig{Group: "readers." + topic, Topics: []string{topic}}), len(want))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestATransactionThatFailsLeavesNothingAndTheNextOneGoesOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key   kmsg.Key
		err   *kerr.Error
		count int
		want  oms.Code
	}{
		"the leader's disk is broken":          {kmsg.Produce, kerr.KafkaStorageError, 2, oms.ErrFull},
		"the leader does not take the topic":   {kmsg.Produce, kerr.TopicAuthorizationFailed, 2, oms.ErrDenied},
		"the transaction has taken too long":   {kmsg.Produce, kerr.InvalidProducerEpoch, 2, oms.ErrTimeout},
		"the leader has forgotten the sender":  {kmsg.Produce, kerr.UnknownProducerID, 2, oms.ErrUnavailable},
		"replicas keep being missing":          {kmsg.Produce, kerr.NotEnoughReplicasAfterAppend, -1, oms.ErrUnavailable},
		"the id is somebody else's to write":   {kmsg.AddPartitionsToTxn, kerr.TransactionalIDAuthorizationFailed, 1, oms.ErrDenied},
		"a topic is":                           {kmsg.AddPartitionsToTxn, kerr.TopicAuthorizationFailed, 1, oms.ErrDenied},
		"the coordinator knows of none to end": {kmsg.EndTxn, kerr.InvalidTxnState, 1, oms.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic := c.topic(t, 2)
			conn := c.open(t, "&delivery.timeout.ms=4000")
			s := transactions(t, conn, "id")
			fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{tc.key}, Err: tc.err, Count: tc.count})
			err := s.SendAll(t.Context(), bodies(topic, "lost 1", "lost 2", "lost 3"))
			if oms.CodeOf(err) != tc.want {
				t.Errorf("the transaction: %v, want %v", err, tc.want)
			}
			fault.Remove()
			for _, kept := range []string{"kept 1", "kept 2"} {
				if err := s.SendAll(t.Context(), bodies(topic, kept, kept)); err != nil {
					t.Fatalf("the next transaction: %v", err)
				}
			}
			wantStored(t, conn, topic, "kept 1", "kept 1", "kept 2", "kept 2")
		})
	}
}

func TestRequestsOfATransactionAreMadeAgain(t *testing.T) {
	t.Parallel()
	passing := []*kerr.Error{
		kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut,
	}
	for key, failures := range map[kmsg.Key][]*kerr.Error{
		kmsg.InitProducerID: passing, kmsg.AddPartitionsToTxn: passing, kmsg.EndTxn: passing,
		kmsg.Produce: {kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas},
	} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic := c.topic(t, 1)
			conn := c.open(t, "")
			var want []string
			for _, failure := range failures {
				fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: failure, Count: 2})
				s := transactions(t, conn, "id")
				if err := s.SendAll(t.Context(), bodies(topic, failure.Message)); err != nil {
					t.Errorf("%s: %v", failure.Message, err)
				}
				if hits := fault.Hits(); hits != 2 {
					t.Errorf("%s was met %d times, want 2", failure.Message, hits)
				}
				want = append(want, failure.Message)
			}
			wantStored(t, conn, topic, want...)
		})
	}
}

func TestACommitWithoutAnAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	conn := c.open(t, "")
	s := transactions(t, conn, "id")
	for _, body := range []string{"1", "2"} {
		c.fake.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
			return nil, errors.New("the connection is lost"), true
		})
		if err := s.SendAll(t.Context(), bodies(topic, body)); err != nil {
			t.Fatal(err)
		}
	}
	wantStored(t, conn, topic, "1", "2")
}

func TestACommitThatStaysWithoutAnAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	conn := c.open(t, "&delivery.timeout.ms=5000") // to open, too
	s := transactions(t, conn, "id")
	fault := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.CoordinatorNotAvailable, Count: -1})
	if err := s.SendAll(t.Context(), bodies(topic, "lost")); oms.CodeOf(err) != oms.ErrUnknown {
		t.Errorf("the transaction: %v, want %v", err, oms.ErrUnknown)
	}
	fault.Remove()
	if err := s.SendAll(t.Context(), bodies(topic, "kept")); err != nil {
		t.Fatal(err)
	}
	wantStored(t, conn, topic, "kept")
}

func TestALaterOwnerIsNoticedWhereverTheTransactionIs(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]kfake.Fault{
		"when it begins": {{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.ProducerFenced}, {Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced}},
		"at a leader":    {{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidProducerEpoch}, {Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced}},
		"when it ends":   {{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced}},
		"afterwards": {
			{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidProducerEpoch},
			{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.InvalidProducerEpoch},
		},
		"as its id has expired": {{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.InvalidProducerIDMapping}, {Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.InvalidProducerIDMapping}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			topic := c.topic(t, 1)
			s := transactions(t, c.open(t, ""), "id")
			c.fake.Fault(faults...)
			for range 3 { // only the first meets the faults
				if err := s.SendAll(t.Context(), bodies(topic, "1")); oms.CodeOf(err) != oms.ErrFenced || !strings.Contains(err.Error(), "id") {
					t.Errorf("the transaction: %v, want %v with the id", err, oms.ErrFenced)
				}
			}
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestLargeTransactionsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	conn := c.open(t, "&max.message.bytes=100000&compression.type=zstd")
	s := transactions(t, conn, "id")
	var want []string
	for round := range 2 {
		var msgs []*oms.Message
		for i := range 40 {
			text := fmt.Sprintf("%d.%d %s", round, i, strings.Repeat("x", 20_000))
			want = append(want, text)
			msgs = append(msgs, bodies(topic, text)...)
		}
		if err := s.SendAll(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	_, got := get(t, receiver(t, conn, oms.ReceiverConfig{Group: "g", Topics: []string{topic}}), len(want))
	if !slices.Equal(got, want) {
		t.Errorf("%d messages are in another order than they were sent in", len(got))
	}
}

func TestWhatCannotBeSentIsNamedBeforeAnythingIs(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	topic := c.topic(t, 1)
	s := transactions(t, c.open(t, ""), "id")
	seen := c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce}, Observe: true, Count: -1})
	msgs := bodies(topic, "good", "no such partition", "", "reserved", "missing")
	msgs[1].ToPartition = new(1)
	msgs[2].Body = make([]byte, 1<<20)
	msgs[3].Topic, msgs[4].Topic = "__reserved", "missing"
	err := s.SendAll(t.Context(), msgs)
	for i, want := range []oms.Code{"", oms.ErrInvalid, oms.ErrTooLarge, oms.ErrInvalid, oms.ErrNotFound} {
		if got := oms.CodeOf(oms.FailureOf(err, i)); got != want {
			t.Errorf("message %d: %q, want %q", i, got, want)
		}
	}
	if hits := seen.Hits(); hits != 0 {
		t.Errorf("the brokers have seen %d requests, want none", hits)
	}
}

func TestTransactionsCannotBeOpened(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for name, tc := range map[string]struct {
		point string
		fault *kerr.Error
		want  oms.Code
		text  string
	}{
		"nobody is there":                  {"oms:kafka://127.0.0.1:1/?delivery.timeout.ms=500", nil, oms.ErrUnavailable, "127.0.0.1:1"},
		"the brokers are too old":          {c.point() + "&version=2.4.0", nil, oms.ErrUnsupported, "2.5.0"},
		"the id is somebody else's":        {c.point(), kerr.TransactionalIDAuthorizationFailed, oms.ErrDenied, "the id"},
		"brokers want shorter transaction": {c.point(), kerr.InvalidTransactionTimeout, oms.ErrInvalid, "transaction.max.timeout.ms"},
	} {
		conn := openWith(t, c.driver(), tc.point)
		if tc.fault != nil {
			c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: tc.fault})
		}
		_, err := conn.(oms.TxOpener).OpenTx(t.Context(), "the id")
		if oms.CodeOf(err) != tc.want || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, tc.want, tc.text)
		}
	}
	closed := c.open(t, "")
	if err := closed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := closed.(oms.TxOpener).OpenTx(t.Context(), "id"); oms.CodeOf(err) != oms.ErrClosed {
		t.Errorf("on a closed connection: %v", err)
	}
}

func TestTransactionsAreClaimedWhereTheBrokersAreNewEnough(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"2.4.0": false, "2.4.1": false, "2.5.0": true, "4.1.0": true} {
		caps := kafka.Driver{}.Capabilities(point(t, "oms:kafka://one/?version="+version))
		if caps.Has(oms.Transactions) != want || !want && caps.Claims[oms.Transactions].Note == "" {
			t.Errorf("version %s: %+v, want claimed %v, or else a reason", version, caps.Claims[oms.Transactions], want)
		}
	}
}
