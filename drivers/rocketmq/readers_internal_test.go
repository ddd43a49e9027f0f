package rocketmq

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"

	"github.com/omconnect/omconnect/oms"
)

// A stub stands for all pull consumers of a cluster.
type stub struct {
	mu      sync.Mutex
	fail    error // of starting one
	tried   int
	started int
	busy    int
	most    int // that were busy at once
	answer  func() *primitive.PullResult
}

func (s *stub) begin(string, int) (messagePuller, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried++
	if s.fail != nil {
		return nil, s.fail
	}
	s.started++
	return s, nil
}

// PullFrom implements messagePuller. The library writes to the queue, too.
func (s *stub) PullFrom(_ context.Context, from *primitive.MessageQueue, _ int64, _ int) (*primitive.PullResult, error) {
	from.Topic = strings.Clone(from.Topic)
	s.count(1)
	defer s.count(-1)
	return s.answer(), nil
}

func (s *stub) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy += n
	s.most = max(s.most, s.busy)
}

func (s *stub) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

var aQueue = primitive.MessageQueue{Topic: "t", BrokerName: "b"}

func TestPullsShareTheReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stub{answer: func() *primitive.PullResult {
			time.Sleep(time.Second)
			return &primitive.PullResult{Status: primitive.PullFound}
		}}
		rs := newReaders(s.begin)
		var pulls sync.WaitGroup
		for range 20 {
			pulls.Go(func() {
				if got, err := rs.pull(t.Context(), aQueue, 0, 1); err != nil || got.Status != primitive.PullFound {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		pulls.Wait()
		if s.started != usualReaders || s.most != usualReaders {
			t.Errorf("%d consumers were started and %d busy at once, want %d", s.started, s.most, usualReaders)
		}
	})
}

func TestReadersWhoseAnswersDoNotComeAreReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan struct{})
		s := &stub{answer: func() *primitive.PullResult { <-lost; return nil }}
		rs := newReaders(s.begin)
		gone, giveUp := context.WithCancel(t.Context())
		var pulls sync.WaitGroup
		for range 3 * mostReaders {
			pulls.Go(func() {
				if got, err := rs.pull(gone, aQueue, 0, 1); !errors.Is(err, context.Canceled) {
					t.Errorf("a pull that is given up: %v, %v", got, err)
				}
			})
		}
		time.Sleep(5 * stuckAfter)
		synctest.Wait()
		if n := s.begun(); n != mostReaders {
			t.Errorf("%d consumers were started, want %d: more for those that are stuck, and not without end", n, mostReaders)
		}
		giveUp()
		pulls.Wait()
		close(lost)
		synctest.Wait()
		s.answer = func() *primitive.PullResult { return &primitive.PullResult{} }
		if got, err := rs.pull(t.Context(), aQueue, 0, 1); got == nil || err != nil {
			t.Errorf("with the answers back: %v, %v", got, err)
		}
		if n := len(rs.idle); n != mostReaders {
			t.Errorf("%d consumers are free in the end, want %d", n, mostReaders)
		}
	})
}

func TestADamagedMessageIsAnError(t *testing.T) {
	t.Parallel()
	s := &stub{answer: func() *primitive.PullResult { panic("slice bounds out of range") }}
	rs := newReaders(s.begin)
	for range 2 * mostReaders { // and the consumer is used again
		if got, err := rs.pull(t.Context(), aQueue, 7, 1); oms.CodeOf(err) != oms.ErrFormat {
			t.Fatalf("%v, %v, want ErrFormat", got, err)
		}
	}
}

// One that does not start leaves its goroutines behind.
func TestReadersThatDoNotStartAreNotTriedAgainAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stub{fail: errors.New("no route"), answer: func() *primitive.PullResult { return &primitive.PullResult{} }}
		rs := newReaders(s.begin)
		for range 10 {
			if got, err := rs.pull(t.Context(), aQueue, 0, 1); oms.CodeOf(err) != oms.ErrUnavailable {
				t.Errorf("%v, %v, want ErrUnavailable", got, err)
			}
		}
		if s.tried != 1 {
			t.Errorf("%d consumers were made for ten pulls", s.tried)
		}
		s.fail = nil
		time.Sleep(startAgain)
		if _, err := rs.pull(t.Context(), aQueue, 0, 1); err != nil {
			t.Error(err)
		}
	})
}
