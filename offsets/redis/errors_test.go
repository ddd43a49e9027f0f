package redis_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// answers are what servers really say, and what it must mean.
var answers = map[string]oms.Code{
	"OOM command not allowed when used memory > 'maxmemory'.":                                                                 oms.ErrFull,
	"OOM command not allowed when used memory > 'maxmemory'. script: 5f, on @user_script:3.":                                  oms.ErrFull,
	"ERR Error running script (call to f_5f): @user_script:3: @user_script: 3: -OOM command not allowed when used memory > x": oms.ErrFull,
	"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.":                        oms.ErrUnavailable,
	"READONLY You can't write against a read only replica.":                                                                   oms.ErrUnavailable,
	"LOADING Redis is loading the dataset in memory":                                                                          oms.ErrUnavailable,
	"NOREPLICAS Not enough good replicas to write.":                                                                           oms.ErrUnavailable,
	"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":                                        oms.ErrUnavailable,
	"CLUSTERDOWN The cluster is down":                                                                                         oms.ErrUnavailable,
	"TRYAGAIN Multiple keys request during rehashing of slot":                                                                 oms.ErrUnavailable,
	"MOVED 5798 127.0.0.1:7001":                                                                                               oms.ErrUnavailable,
	"NOSCRIPT No matching script. Please use EVAL.":                                                                           oms.ErrUnavailable,
	"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.":                                  oms.ErrBusy,
	"ERR max number of clients reached":                                                                                       oms.ErrBusy,
	"NOPERM this user has no permissions to run the 'evalsha' command":                                                        oms.ErrDenied,
	"ERR The user executing the script can't run this command or subcommand script: 0c, on @user_script:3.":                   oms.ErrDenied,
	"WRONGPASS invalid username-password pair or user is disabled.":                                                           oms.ErrDenied,
	"NOAUTH Authentication required.":                                                                                         oms.ErrDenied,
	"ERR AUTH <password> called without any password configured for the default user.":                                        oms.ErrDenied,
	"WRONGTYPE Operation against a key holding the wrong kind of value":                                                       oms.ErrFormat,
	"ERR DB index is out of range":                                                                                            oms.ErrInvalid,
	"ERR SELECT is not allowed in cluster mode":                                                                               oms.ErrInvalid,
	"CROSSSLOT Keys in request don't hash to the same slot":                                                                   oms.ErrInvalid,
	"ERR unknown command 'EVALSHA', with args beginning with:":                                                                oms.ErrUnsupported,
	"ERR something new": oms.ErrUnknown,
}

// reply is an error as the client gives it.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

func TestAnswersHaveTheirCode(t *testing.T) {
	var _ goredis.Error = reply("")
	for text, want := range answers {
		if got, _ := redis.Classify(reply(text)); got != want {
			t.Errorf("%s has the code %q, want %q", text, got, want)
		}
	}
	for err, want := range map[error]oms.Code{
		io.EOF: oms.ErrUnavailable, &net.OpError{Op: "dial", Err: errors.New("refused")}: oms.ErrUnavailable,
		fmt.Errorf("dial: %w", context.DeadlineExceeded): oms.ErrTimeout, goredis.ErrClosed: oms.ErrClosed,
		goredis.ErrPoolTimeout: oms.ErrBusy, fmt.Errorf("x: %w", oms.ErrFenced): oms.ErrFenced,
	} {
		if got, _ := redis.Classify(err); got != want {
			t.Errorf("%v has the code %q, want %q", err, got, want)
		}
	}
}

// TestNothingLatches lets a server fail in every way and come back.
func TestNothingLatches(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, "redis://"+m.Addr())
	l := acquire(t, s, "c", time.Hour)
	for text, want := range answers {
		if strings.HasPrefix(text, "LOADING") || want == oms.ErrUnavailable && !strings.HasPrefix(text, "MISCONF") {
			continue // the client tries these again itself, for a second
		}
		m.SetError(text)
		err := s.Commit(t.Context(), l, one)
		_, loadErr := s.Load(t.Context(), "c")
		m.SetError("")
		for _, err := range []error{err, loadErr} {
			if oms.CodeOf(err) != want || !strings.Contains(err.Error(), m.Addr()) {
				t.Errorf("%s: %v, want the code %q and the address", text, err, want)
			}
		}
		if err := s.Commit(t.Context(), l, one); err != nil {
			t.Errorf("after %s has passed: %v", text, err)
		}
	}
}

func TestAServerThatLoadsIsWaitedFor(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, "redis://"+m.Addr())
	l := acquire(t, s, "c", time.Hour)
	m.SetError("LOADING Redis is loading the dataset in memory")
	if err := s.Commit(t.Context(), l, one); oms.CodeOf(err) != oms.ErrUnavailable {
		t.Errorf("Commit: %v, want ErrUnavailable", err)
	}
	m.SetError("")
	if err := s.Commit(t.Context(), l, one); err != nil {
		t.Error(err)
	}
}

func TestDeadPortIsUnavailable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := ln.Addr().String()
	ln.Close()
	s := open(t, "redis://"+dead)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = s.Check(ctx)
	if oms.CodeOf(err) != oms.ErrUnavailable || !strings.Contains(err.Error(), dead) {
		t.Errorf("Check: %v, want ErrUnavailable naming %s", err, dead)
	}
	if ctx.Err() != nil {
		t.Error("the call outlasted its context")
	}
	for _, err := range s.Watch(ctx, 0) {
		if oms.CodeOf(err) != oms.ErrUnavailable {
			t.Errorf("Watch yields %v, want ErrUnavailable", err)
		}
		break
	}
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(dead); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := s.Check(ctx); err != nil {
		t.Errorf("after the server has come: %v", err)
	}
}

// TestSilentServerEndsWithTheContext has a server that never answers.
func TestSilentServerEndsWithTheContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := open(t, "redis://"+ln.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = s.Load(ctx, "c")
	if code := oms.CodeOf(err); code != oms.ErrTimeout && code != oms.ErrUnavailable {
		t.Errorf("Load: %v, want ErrTimeout or ErrUnavailable", err)
	}
}

// TestManyCallsDoNotQueueForADeadServer has one call find out for all.
func TestManyCallsDoNotQueueForADeadServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var dialled atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			conn.Close()
		}
	})
	s := open(t, "redis://"+ln.Addr().String())
	const calls = 100
	var calling sync.WaitGroup
	for range calls {
		calling.Go(func() {
			if err := s.Check(t.Context()); oms.CodeOf(err) != oms.ErrUnavailable {
				t.Errorf("Check: %v, want ErrUnavailable", err)
			}
		})
	}
	calling.Wait()
	ln.Close()
	wg.Wait()
	if n := dialled.Load(); n > calls {
		t.Errorf("%d calls dialled %d times", calls, n)
	}
}

// TestUntrustedServerIsUnavailable has a certificate that nobody knows.
func TestUntrustedServerIsUnavailable(t *testing.T) {
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	m := miniredis.NewMiniRedis()
	if err := m.StartTLS(&tls.Config{Certificates: web.TLS.Certificates}); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s := open(t, "rediss://:geheim@"+m.Addr())
	err := s.Check(t.Context())
	if oms.CodeOf(err) != oms.ErrUnavailable || !strings.Contains(err.Error(), "x509") || strings.Contains(err.Error(), secret) {
		t.Errorf("Check: %v, want ErrUnavailable naming the certificate", err)
	}
}

// one is a commit.
var one = map[offsets.Partition]offsets.Position{`{"p":1}`: `{"n":1}`}

// acquire takes task 0 of a connector.
func acquire(t *testing.T, s offsets.Store, connector string, ttl time.Duration) offsets.Lease {
	t.Helper()
	l, err := s.Acquire(t.Context(), offsets.Owner{Connector: connector}, "gateway-a", ttl)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
