package embedded_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// The driver nats against a server in a process of its own, behind a proxy.
func TestConformanceOfAnExternalServer(t *testing.T) {
	s := startExternal(t)
	proxy, err := omstest.NewProxy(s.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
	})
	omstest.Run(t, externalHarness(t, s, proxy))
}

func externalHarness(t *testing.T, s *externalServer, proxy *omstest.Proxy) *omstest.Harness {
	t.Helper()
	const dead = "oms:nats://user:right@127.0.0.1:1/"
	address := fmt.Sprintf("oms:nats://user:right@%s/", proxy.Addr())
	strangers := 0
	stranger := func() oms.AccessPoint {
		strangers++
		return point(t, fmt.Sprintf("oms:nats://stranger%d:right@%s/", strangers, proxy.Addr()))
	}
	late, nobody := stranger(), point(t, dead)
	mend := func(context.Context) error { // and the next rule has another stranger
		err := s.admit(late.User)
		late = stranger()
		return err
	}
	start := func(context.Context) error {
		err := s.start()
		proxy.Retarget(s.addr())
		return err
	}
	stop := func(context.Context) error { return s.stop() }
	return &omstest.Harness{
		Driver: embedded.Driver{External: true}, AccessPoint: point(t, address),
		Denied: &late, Mend: mend, Dead: &nobody,
		Valid: []string{address, address + "?retention.ms=60000&replication.factor=1", "oms:nats://one,two:4222,[::1]:4222/"},
		Invalid: map[string]string{
			"oms:nats:///": "host", address + "region": "region", address + "?replication.factor=9": "replication.factor",
			address + "?tls=perhaps": "tls", address + "?dir=somewhere": "dir",
		},
		ReservedTopics:  reservedTopics,
		ReservedHeaders: reservedHeaders,
		Foreign: func(ctx context.Context, topic string, body []byte, headers map[string]string) error {
			return foreign(ctx, s.addr(), nats.UserInfo("user", "right"), topic, body, headers)
		},
		Trim: func(ctx context.Context, p oms.Partition, before int64) error {
			return trim(ctx, s.addr(), nats.UserInfo("user", "right"), p, before)
		},
		Fill: func(context.Context) (func(), error) {
			return func() {
				if err := s.tell("drain"); err != nil {
					t.Errorf("make room: %v", err)
				}
			}, s.tell("fill")
		},
		Broker: omstest.Broker{
			Stop: stop, Start: start,
			Restart:         func(ctx context.Context) error { return errors.Join(stop(ctx), start(ctx)) },
			Cut:             func(context.Context) error { proxy.Cut(); return nil },
			Heal:            func(context.Context) error { proxy.Heal(); return nil },
			KillConnections: func(context.Context) error { proxy.KillConnections(); return nil },
		},
		Child: func(ctx context.Context, topic, group string, acks int) (omstest.Child, error) {
			return startMember(ctx, t, address, topic, group, acks)
		},
		Full:     os.Getenv("OMCONNECT_TEST_FULL") != "",
		Patience: patience,
	}
}

// patience is how long a rule waits for what must happen. A driver finds out
// about a dead connection within 30 s, and the machine may be busy.
const patience = 90 * time.Second

// What NATS keeps for itself, some of each kind.
var (
	reservedTopics  = []string{"$SYS", "$JS.API.INFO", "__internal", "_INBOX.a", "KV_state", "OBJ_files", "MQTT_messages"}
	reservedHeaders = []string{
		"Nats-Msg-Id", "Nats-Expected-Stream", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Msg-Id",
		"Nats-Expected-Last-Subject-Sequence", "Nats-Rollup", "Nats-TTL", "Nats-Incr", "Nats-Batch-Id", "Nats-Batch-Sequence",
		"Nats-Schedule", "Nats-Schedule-Target", "Nats-Marker-Reason", "Nats-Trace-Dest", "Nats-Trace-Only", "Nats-Required-Api-Level",
		"Nats-Request-Info", "Nats-Stream-Source", "Status", "Description", "Oms",
	}
)

func point(t *testing.T, text string) oms.AccessPoint {
	t.Helper()
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return ap
}

// natively has f work on a server as NATS programs do.
func natively(address string, user nats.Option, f func(jetstream.JetStream) error) error {
	nc, err := nats.Connect("nats://"+address, user)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return f(js)
}

// foreign publishes to the first partition of a topic.
func foreign(ctx context.Context, address string, user nats.Option, topic string, body []byte, headers map[string]string) error {
	m := nats.NewMsg(topic + ".0")
	m.Data = body
	for name, value := range headers {
		m.Header[name] = []string{value}
	}
	return natively(address, user, func(js jetstream.JetStream) error {
		_, err := js.PublishMsg(ctx, m)
		return err
	})
}

// trim removes the beginning of a partition's stream, one message after the
// other as age does: a purge would move the group's position as well.
func trim(ctx context.Context, address string, user nats.Option, p oms.Partition, before int64) error {
	return natively(address, user, func(js jetstream.JetStream) error {
		stream, err := js.Stream(ctx, fmt.Sprintf("%s-%d", p.Topic, p.Number))
		if err != nil {
			return err
		}
		for seq := stream.CachedInfo().State.FirstSeq; seq < uint64(before); seq++ {
			if err := stream.DeleteMsg(ctx, seq); err != nil {
				return err
			}
		}
		return nil
	})
}

func init() { children["member"] = memberChild }

// A memberProcess is a member of a group in another process.
type memberProcess struct {
	cmd   *exec.Cmd
	acked chan []string // closed when the process has ended
}

func startMember(_ context.Context, t *testing.T, accessPoint, topic, group string, acks int) (omstest.Child, error) {
	t.Helper()
	cmd := child(t, "member", "OMCONNECT_TEST_POINT="+accessPoint, "OMCONNECT_TEST_TOPIC="+topic,
		"OMCONNECT_TEST_GROUP="+group, "OMCONNECT_TEST_ACKS="+strconv.Itoa(acks))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &memberProcess{cmd: cmd, acked: make(chan []string, 1)}
	go func() {
		defer close(c.acked)
		lines := bufio.NewReader(out)
		line, err := lines.ReadBytes('\n')
		var bodies []string
		if err == nil && json.Unmarshal(line, &bodies) == nil {
			c.acked <- bodies
		}
		_, _ = io.Copy(io.Discard, lines) // until it is killed
	}()
	return c, nil
}

// Acked implements omstest.Child.
func (c *memberProcess) Acked(ctx context.Context) ([]string, error) {
	select {
	case bodies, ok := <-c.acked:
		if !ok {
			return nil, errors.New("the process has ended without a word about what it acknowledged")
		}
		return bodies, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Kill implements omstest.Child.
func (c *memberProcess) Kill() error {
	err := c.cmd.Process.Kill()
	for range c.acked { // Wait closes what is being read
	}
	_ = c.cmd.Wait() // killed
	return err
}

// memberChild is what the process does.
func memberChild() {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "the other process:", err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	acks, err := strconv.Atoi(os.Getenv("OMCONNECT_TEST_ACKS"))
	check(err)
	c, err := oms.Open(ctx, os.Getenv("OMCONNECT_TEST_POINT"))
	check(err)
	pc, err := c.NewPullConsumer(ctx, oms.ReceiverConfig{
		Topics: []string{os.Getenv("OMCONNECT_TEST_TOPIC")}, Group: os.Getenv("OMCONNECT_TEST_GROUP"),
	})
	check(err)
	acked := make([]string, 0, acks)
	for len(acked) < acks {
		msgs, err := pc.Receive(ctx, acks-len(acked), time.Minute)
		check(err)
		check(pc.Ack(ctx, msgs...))
		acked = append(acked, bodies(msgs)...)
	}
	check(pc.Flush(ctx))
	check(json.NewEncoder(os.Stdout).Encode(acked))
	for { // hold whatever else comes
		if _, err := pc.Receive(ctx, 1000, time.Minute); err != nil {
			fmt.Fprintln(os.Stderr, "the other process holds no more:", err)
		}
	}
}
