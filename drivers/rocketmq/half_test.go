package rocketmq_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// soonChecked has the broker ask about half messages after two seconds. It
// writes down what it was told every 200 ms: until then it would ask about what
// is decided, too.
var soonChecked = []servers.Option{
	servers.Config("transactionCheckInterval", "1000"), servers.Config("transactionTimeOut", "2000"),
	servers.Config("transactionOpBatchInterval", "200"),
}

// halves are the tests of half messages.
var halves = map[string]func(*testing.T, *broker){
	"are what their verdicts say":                halvesAreDecided,
	"are asked about in another process":         halvesAreInherited,
	"keep their tags and come back as they were": halvesAreWhole,
	"of other programs arrive as any":            halvesOfOthers,
	"sent at once are each decided":              halvesAtOnce,
}

// A jury answers checks by body, and counts them.
type jury struct {
	mu       sync.Mutex
	verdicts map[string][]oms.Verdict
	asked    map[string]int
}

func newJury(verdicts map[string][]oms.Verdict) *jury {
	return &jury{verdicts: verdicts, asked: make(map[string]int)}
}

func (j *jury) check(_ context.Context, m *oms.Message) oms.Verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	said, n := j.verdicts[string(m.Body)], j.asked[string(m.Body)]
	j.asked[string(m.Body)]++
	if len(said) == 0 {
		return oms.Undecided
	}
	return said[min(n, len(said)-1)]
}

func (j *jury) count(body string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.asked[body]
}

func openHalf(t *testing.T, c oms.Conn, group string, check func(context.Context, *oms.Message) oms.Verdict) oms.HalfSender {
	t.Helper()
	s, err := c.(oms.HalfOpener).OpenHalf(within(t), group, check)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close(context.WithoutCancel(t.Context()))) })
	return s
}

func sendHalf(t *testing.T, s oms.HalfSender, m *oms.Message, v oms.Verdict) {
	t.Helper()
	called := 0
	must(t, s.Send(within(t), m, func(context.Context) oms.Verdict { called++; return v }))
	if called != 1 {
		t.Errorf("local is called %d times", called)
	}
}

func halvesAreDecided(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "decided", 1)
	j := newJury(map[string][]oms.Verdict{
		"checked": {oms.Commit}, "checked later": {oms.Undecided, oms.Undecided, oms.Commit}, "dropped": {oms.Rollback},
		"committed": {oms.Commit}, "rolled back": {oms.Rollback}, // should a verdict be lost
	})
	s := openHalf(t, c, "deciding", j.check)
	for body, v := range map[string]oms.Verdict{
		"committed": oms.Commit, "rolled back": oms.Rollback,
		"checked": oms.Undecided, "checked later": oms.Undecided, "dropped": oms.Undecided,
	} {
		sendHalf(t, s, &oms.Message{Topic: "decided", Body: []byte(body)}, v)
	}
	var got []string
	for _, m := range receiveAll(t, c, "deciding", "decided", 3) {
		got = append(got, string(m.Body))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"checked", "checked later", "committed"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := j.count("checked later"); n < 3 {
		t.Errorf("it was committed at the third check, and there were %d", n)
	}
	// Whatever was not to come would stand in the queue before this one.
	must(t, sendAll(t, c, &oms.Message{Topic: "decided", Body: []byte("last")}))
	if m := receiveAll(t, c, "deciding", "decided", 1)[0]; string(m.Body) != "last" {
		t.Errorf("%q arrives, and was rolled back", m.Body)
	}
}

// The first process dies between storing and deciding.
func halvesAreInherited(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, halfTopic, 1)
	dieWithHalf(t, b.point(accessKey+":"+secretKey, ""))
	j := newJury(map[string][]oms.Verdict{halfOfTheDead: {oms.Commit}})
	openHalf(t, c, halfGroup, j.check)
	if m := receiveAll(t, c, halfGroup, halfTopic, 1)[0]; string(m.Body) != halfOfTheDead || m.ID != halfID || j.count(halfOfTheDead) == 0 {
		t.Errorf("%q of %q arrives after %d checks", m.Body, m.ID, j.count(halfOfTheDead))
	}
}

func halvesAreWhole(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "?tag.header=kind")
	makeTopic(t, c, "whole", 1)
	s := openHalf(t, c, "whole", newJury(map[string][]oms.Verdict{"": {oms.Commit}}).check)
	sent := &oms.Message{
		Topic: "whole", ID: "my-id", Key: []byte{0, 255}, CorrelationID: "c",
		Headers: oms.Headers{{Name: "kind", Value: []byte("red")}, {Name: "TRAN_MSG", Value: []byte("false")}, {Name: "none"}},
	}
	sendHalf(t, s, sent, oms.Commit)
	got := receiveAll(t, c, "whole", "whole", 1)[0]
	if got.ID != sent.ID || string(got.Key) != string(sent.Key) || got.Body != nil || got.CorrelationID != "c" {
		t.Errorf("it comes back as %+v", got)
	}
	if diff := cmp.Diff(sent.Headers, got.Headers); diff != "" {
		t.Errorf("headers (-sent +received):\n%s", diff)
	}
}

// An approver is a listener that commits.
type approver struct{}

func (approver) ExecuteLocalTransaction(*primitive.Message) primitive.LocalTransactionState {
	return primitive.CommitMessageState
}

func (approver) CheckLocalTransaction(*primitive.MessageExt) primitive.LocalTransactionState {
	return primitive.CommitMessageState
}

// What the library and the broker note on a half message is no header.
func halvesOfOthers(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "others", 1)
	p, err := producer.NewTransactionProducer(approver{},
		producer.WithNameServer(primitive.NamesrvAddr{b.Addr()}),
		producer.WithCredentials(primitive.Credentials{AccessKey: accessKey, SecretKey: secretKey}),
		producer.WithInstanceName(t.Name()), producer.WithGroupName("bare-half"),
	)
	must(t, err)
	must(t, p.Start())
	t.Cleanup(func() { must(t, p.Shutdown()) })
	m := primitive.NewMessage("others", []byte("x")).WithTag("red")
	m.WithProperty("shop", "7")
	_, err = p.SendMessageInTransaction(within(t), m)
	must(t, err)
	got := receiveAll(t, c, "others", "others", 1)[0]
	want := oms.Headers{{Name: "TAGS", Value: []byte("red")}, {Name: "shop", Value: []byte("7")}}
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func halvesAtOnce(t *testing.T, b *broker) {
	t.Helper()
	c := b.open(t, "")
	makeTopic(t, c, "at-once", 4)
	s := openHalf(t, c, "at-once", newJury(map[string][]oms.Verdict{
		oms.Commit.String(): {oms.Commit}, oms.Rollback.String(): {oms.Rollback},
	}).check)
	const n = 100
	var sending sync.WaitGroup
	for i := range n {
		v := oms.Rollback
		if i%2 == 0 {
			v = oms.Commit
		}
		sending.Go(func() {
			m := &oms.Message{Topic: "at-once", Key: []byte{byte(i)}, Body: []byte(v.String())}
			if err := s.Send(within(t), m, func(context.Context) oms.Verdict { return v }); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	for _, m := range receiveAll(t, c, "at-once", "at-once", n/2) {
		if string(m.Body) != oms.Commit.String() {
			t.Errorf("a message with the verdict %s arrives", m.Body)
		}
	}
}
