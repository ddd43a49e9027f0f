package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/omconnect/omconnect/oms"
)

func init() { children["nats-server"] = natsServerChild }

// An externalServer is a NATS server in a process of its own, which a test may
// stop, and which dies with the test's process.
type externalServer struct {
	t     *testing.T
	store string

	mu       sync.Mutex
	admitted []string // users, beside the first
	cmd      *exec.Cmd
	commands io.WriteCloser
	answers  *bufio.Scanner
	address  string
}

// startExternal starts a server that is stopped when the test ends.
func startExternal(t *testing.T) *externalServer {
	t.Helper()
	s := &externalServer{t: t, store: t.TempDir()}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() }) // a test may have stopped it
	return s
}

// start starts the process and waits until it takes connections, on a port
// that need not be the last one.
func (s *externalServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := child(s.t, "nats-server", "OMCONNECT_TEST_STORE="+s.store)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	commands, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.commands, s.answers = cmd, commands, bufio.NewScanner(out)
	if s.address, err = s.answer(); err != nil {
		return err
	}
	for _, user := range s.admitted {
		err = errors.Join(err, s.order("admit "+user))
	}
	return err
}

// stop ends the process in good order: what it is killed with in memory, the
// last acknowledgements for one, NATS does not promise to keep.
func (s *externalServer) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("the server does not run")
	}
	err := s.commands.Close()
	if waited := s.cmd.Wait(); err == nil {
		err = waited
	}
	s.cmd = nil
	return err
}

func (s *externalServer) addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// tell has the process do something, and waits until it has.
func (s *externalServer) tell(command string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return errors.New("the server does not run")
	}
	return s.order(command)
}

// admit makes a user's password good, for later starts as well.
func (s *externalServer) admit(user string) error {
	err := s.tell("admit " + user)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admitted = append(s.admitted, user)
	return err
}

// order sends a command. The lock must be held.
func (s *externalServer) order(command string) error {
	if _, err := fmt.Fprintln(s.commands, command); err != nil {
		return err
	}
	answer, err := s.answer()
	if err == nil && answer != "done" {
		err = fmt.Errorf("the server's answer to %s: %s", command, answer)
	}
	return err
}

func (s *externalServer) answer() (string, error) {
	if !s.answers.Scan() {
		return "", errors.Join(errors.New("the server's process has ended"), s.answers.Err())
	}
	return s.answers.Text(), nil
}

// natsServerChild is what the process does: it says where it listens, takes
// commands, and ends when there are no more.
func natsServerChild() {
	gate := &users{passwords: map[string]string{"user": "right"}}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: os.Getenv("OMCONNECT_TEST_STORE"), SyncInterval: 2 * time.Second,
		CustomClientAuthentication: gate, PingInterval: 2 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		fmt.Println("the server does not start")
		os.Exit(1)
	}
	fmt.Println(s.Addr())
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		var err error
		switch command, user, _ := strings.Cut(commands.Text(), " "); command {
		case "admit":
			gate.set(user, "right")
		case "fill":
			err = limitStore(s, 1)
		case "drain":
			err = limitStore(s, -1)
		default:
			err = fmt.Errorf("there is no command %s", command)
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("done")
	}
	s.Shutdown()
	s.WaitForShutdown()
}

// limitStore sets how many bytes the server's streams may take together. With
// less than they have it refuses everything, as one does whose disk is full.
func limitStore(s *server.Server, bytes int64) error {
	return s.GlobalAccount().UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
		MaxMemory: -1, MaxStore: bytes, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1,
		MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
	}})
}

// users are those that a server knows.
type users struct {
	mu        sync.Mutex
	passwords map[string]string
}

func (u *users) set(name, password string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.passwords[name] = password
}

// Check implements the server's interface.
func (u *users) Check(c server.ClientAuthentication) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	o := c.GetOpts()
	want, known := u.passwords[o.Username]
	return known && o.Password == want
}

func TestAnExternalServerObeysAndKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	s := startExternal(t)
	c := open(t, "oms:nats://user:right@"+s.addr()+"/")
	if err := c.Check(testContext(t)); err != nil {
		t.Fatal(err)
	}
	stranger := open(t, "oms:nats://late:right@"+s.addr()+"/")
	if err := stranger.Check(testContext(t)); err == nil || !strings.Contains(err.Error(), "Authorization") {
		t.Errorf("a user who is not admitted: %v", err)
	}
	if err := s.admit("late"); err != nil {
		t.Fatal(err)
	}
	createTopic(t, c, "t", 1)
	p := newProducer(t, c)
	send(t, p, numbered("t", 0, 10)...)
	if err := s.tell("fill"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	sent := make(chan error, 1)
	p.SendAsync(ctx, numbered("t", 10, 1), func(err error) { sent <- err })
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for p.Stalled() == nil && ctx.Err() == nil {
		<-tick.C
	}
	if err := p.Stalled(); err == nil || !strings.Contains(err.Error(), "out of space") {
		t.Errorf("a full server stalls senders with %v", err)
	}
	if err := s.tell("drain"); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Errorf("the message that waited for room: %v", err)
	}
	if err := errors.Join(s.stop(), s.start()); err != nil {
		t.Fatal(err)
	}
	again := open(t, "oms:nats://late:right@"+s.addr()+"/")
	pc := newConsumer(t, again, oms.ReceiverConfig{Topics: []string{"t"}, Group: "g"})
	receive(t, pc, 11)
	if err := s.tell("dance"); err == nil {
		t.Error("the server takes any command")
	}
}
