package embedded

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/omconnect/omconnect/oms"
)

// A backend is what a link dials.
type backend interface {
	// dial returns a new connection, which does not reconnect.
	dial(ctx context.Context, common []nats.Option) (*nats.Conn, error)
	// admit returns ErrFull when n more bytes must not be written now.
	admit(n int) error
	// unanswered is told of writes that were not answered in time, and says
	// why that was, if it knows.
	unanswered() error
	// written returns when the acknowledgement of a message outlives the broker.
	written(ctx context.Context, stream, durable string, offset int64) error
	// floor returns what of a consumer's ack floor outlives the broker.
	floor(ctx context.Context, stream, durable string, told uint64) (uint64, error)
	// identity returns what tells this broker from another; "" when the
	// connection has to be asked.
	identity() string
	inProcess() bool
	close() error
}

// The broker's user; its password is made anew at every start.
const brokerUser = "omconnect"

// readyWithin is how long the server may take to read its store.
const readyWithin = 2 * time.Minute

// A broker is a NATS server in this process.
type broker struct {
	options options
	folder  *folder
	log     *slog.Logger
	// revive is told when the server must be restarted because the disk was
	// full and is not any more.
	revive func()

	mu      sync.Mutex
	server  *server.Server
	secret  string
	fatal   error         // what the server gave up with
	disk    *disk         // nil until the first start
	ill     bool          // a write failed for want of space; only a restart helps
	closing chan struct{} // closed by close
	nursing sync.WaitGroup
}

var _ backend = (*broker)(nil)

func newBroker(o options, f *folder) *broker {
	return &broker{
		options: o, folder: f, closing: make(chan struct{}),
		log: slog.Default().With("driver", Name, "folder", f.path),
	}
}

func (b *broker) inProcess() bool  { return true }
func (b *broker) identity() string { return b.folder.identity }

// dial connects to the server, which it starts when it does not run.
func (b *broker) dial(_ context.Context, common []nats.Option) (*nats.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ill && b.server != nil && b.disk.roomy() {
		b.log.Warn("there is room on the disk again: the broker is restarted")
		b.stop()
	}
	if b.server == nil || !b.server.Running() {
		if err := b.start(); err != nil {
			return nil, err
		}
	}
	return nats.Connect("", append(common, nats.InProcessServer(b.server), nats.UserInfo(brokerUser, b.secret))...)
}

// start starts the server. The lock must be held.
func (b *broker) start() error {
	select {
	case <-b.closing:
		return &oms.Error{Code: oms.ErrClosed}
	default:
	}
	if err := os.MkdirAll(b.folder.store(), 0o700); err != nil {
		return err
	}
	d, err := newDisk(b.folder.path, b.options.minFree)
	if err != nil {
		return err
	}
	b.disk, b.secret, b.fatal, b.ill = d, rand.Text(), nil, false
	most := b.options.retentionBytes
	if most == 0 {
		most = d.free/2 + used(b.folder.store())
	}
	s, err := server.NewServer(&server.Options{
		ServerName: Name, Host: "127.0.0.1", Port: server.RANDOM_PORT,
		CustomClientAuthentication: gate{user: brokerUser, password: b.secret},
		NoSigs:                     true, DisableJetStreamBanner: true,
		JetStream: true, StoreDir: b.folder.store(),
		JetStreamMaxStore: max(most, 1<<20), JetStreamMaxMemory: 64 << 20,
		SyncInterval: b.options.syncInterval, SyncAlways: b.options.strict,
		MaxPayload: int32(b.options.maxMessage + headerRoom), //nolint:gosec // at most 64 MiB
		MaxPending: 256 << 20,
	})
	if err != nil {
		return err
	}
	// The server calls Fatalf where a program of its own would exit.
	s.SetLoggerV2(fatalLog{serverLog{log: b.log, full: func() { go b.sicken() }}, &b.fatal}, false, false, false)
	s.Start()
	b.server = s
	if !s.ReadyForConnections(readyWithin) || b.fatal != nil {
		err := b.fatal
		b.stop()
		return errors.Join(errors.New("the server did not start"), err)
	}
	return b.folder.announce(s.Addr().String(), brokerUser, b.secret)
}

// stop stops the server. The lock must be held.
func (b *broker) stop() {
	_ = b.folder.withdraw() // an endpoint nobody answers at does no harm
	b.server.Shutdown()
	b.server.WaitForShutdown()
	b.server = nil
}

func (b *broker) admit(n int) error {
	b.mu.Lock()
	d, ill := b.disk, b.ill
	b.mu.Unlock()
	switch {
	case d == nil:
		return nil
	case ill:
		return d.full()
	}
	return d.admit(n)
}

func (b *broker) unanswered() error {
	b.mu.Lock()
	d, ill := b.disk, b.ill
	b.mu.Unlock()
	if d == nil || (!ill && !d.isFull()) {
		return nil
	}
	b.sicken()
	return d.full()
}

// sicken notes that a write failed for want of space. The server does not get
// over that by itself: from here on it is watched, and restarted when there is
// room.
func (b *broker) sicken() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ill || b.server == nil {
		return
	}
	select {
	case <-b.closing:
		return
	default:
	}
	b.ill = true
	b.log.Warn("the disk is full: the broker takes no messages until there is room", "min.free.bytes", strconv.FormatInt(b.disk.floor, 10))
	b.nursing.Add(1)
	go b.nurse(b.disk)
}

func (b *broker) nurse(d *disk) {
	defer b.nursing.Done()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-b.closing:
			return
		case <-tick.C:
			if d.roomy() {
				b.revive()
				return
			}
		}
	}
}

func (b *broker) close() error {
	close(b.closing)
	b.nursing.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server != nil {
		b.stop()
	}
	return b.folder.close()
}

// A gate lets in who knows the password: this process, and those that may read
// the endpoint file.
type gate struct{ user, password string }

// Check implements the server's interface.
func (g gate) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	return o.Username == g.user && subtle.ConstantTimeCompare([]byte(o.Password), []byte(g.password)) == 1
}

// fatalLog keeps what the server would have exited with.
type fatalLog struct {
	serverLog
	fatal *error
}

func (l fatalLog) Fatalf(format string, v ...any) {
	*l.fatal = fmt.Errorf(format, v...)
	l.warn(format, v)
}
