package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

// The bare side is what a program would do with the client library alone: a
// server in its own process with the settings of drivers/embedded, one file
// stream for each partition, and no more work than delivery at least once
// needs.

// Settings that are those of drivers/embedded.
const (
	ackWait       = time.Minute
	maxAckPending = 1 << 20
	maxPending    = 256 << 20
	maxPayload    = 8 << 20
	retention     = 7 * 24 * time.Hour
	duplicates    = 500 * time.Millisecond
)

const (
	// bareWindow is how many messages wait for their confirmation, as many as
	// a producer of oms lets through.
	bareWindow = 10_000
	// bareFetch is how many messages one Fetch asks for.
	bareFetch = 1000
	patience  = 30 * time.Second
)

// body is that of all messages.
var body = make([]byte, 1<<10)

// checkBody is what each receiver does with a message.
func checkBody(b []byte) error {
	if len(b) != len(body) {
		return fmt.Errorf("a body has %d bytes", len(b))
	}
	return nil
}

// bareServer starts a server in this process, and a connection to it.
func bareServer(t task, opts ...jetstream.JetStreamOpt) (jetstream.JetStream, func(), error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "bare", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: filepath.Join(t.Dir, "store"), SyncInterval: t.Sync,
		MaxPayload: maxPayload, MaxPending: maxPending,
	})
	if err != nil {
		return nil, nil, err
	}
	s.Start()
	stop := func() {
		s.Shutdown()
		s.WaitForShutdown()
	}
	if !s.ReadyForConnections(patience) {
		stop()
		return nil, nil, errors.New("the bare server did not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		stop()
		return nil, nil, err
	}
	js, err := jetstream.New(nc, opts...)
	if err != nil {
		nc.Close()
		stop()
		return nil, nil, err
	}
	return js, func() { nc.Close(); stop() }, nil
}

func bareStream(partition int) string { return "bare-" + strconv.Itoa(partition) }

func bareSubject(partition int) string { return "bare." + strconv.Itoa(partition) }

// barePublish publishes asynchronously, a batch to each partition in turn, and
// waits for all confirmations. Each message has an id, so that one whose
// outcome is unknown can be sent again without being stored twice; the client
// without ids leaves that out.
func barePublish(ctx context.Context, t task, w *stopwatch) error {
	var failure atomic.Pointer[error]
	failed := jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) { failure.Store(&err) })
	js, stop, err := bareServer(t, failed, jetstream.WithPublishAsyncMaxPending(bareWindow))
	if err != nil {
		return err
	}
	defer stop()
	subjects := make([]string, 0, t.Partitions)
	for p := range t.Partitions {
		subjects = append(subjects, bareSubject(p))
		_, err := js.CreateStream(ctx, jetstream.StreamConfig{
			Name: bareStream(p), Subjects: []string{bareSubject(p)}, Storage: jetstream.FileStorage,
			Discard: jetstream.DiscardNew, MaxAge: retention, Duplicates: duplicates, AllowDirect: true,
		})
		if err != nil {
			return err
		}
	}
	if err := w.start(); err != nil {
		return err
	}
	run := rand.Text()[:12] + "."
	opts := []jetstream.PublishOpt{jetstream.WithStallWait(patience)}
	for i := range t.Records {
		if t.Client == clientBare {
			opts = append(opts[:1], jetstream.WithMsgID(run+strconv.Itoa(i)))
		}
		if _, err := js.PublishAsync(subjects[i/omsBatch%len(subjects)], body, opts...); err != nil {
			return err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(patience):
		return errors.New("the bare server does not confirm")
	}
	if err := failure.Load(); err != nil {
		return *err
	}
	return w.stop()
}

// bareReceive fetches and acknowledges, one loop for each partition, and waits
// until the last acknowledgement of each has been answered.
func bareReceive(ctx context.Context, t task, w *stopwatch) error {
	js, stop, err := bareServer(t)
	if err != nil {
		return err
	}
	defer stop()
	consumers := make([]jetstream.Consumer, 0, t.Partitions)
	counts := make([]uint64, 0, t.Partitions)
	for p := range t.Partitions {
		stream, err := js.Stream(ctx, bareStream(p))
		if err != nil {
			return err
		}
		counts = append(counts, stream.CachedInfo().State.Msgs)
		c, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: "bare", AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: maxAckPending,
		})
		if err != nil {
			return err
		}
		consumers = append(consumers, c)
	}
	if err := w.start(); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for p, c := range consumers {
		g.Go(func() error { return fetchAll(ctx, c, counts[p]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return w.stop()
}

func fetchAll(ctx context.Context, c jetstream.Consumer, n uint64) error {
	for n > 0 {
		batch, err := c.Fetch(bareFetch, jetstream.FetchMaxWait(patience))
		if err != nil {
			return err
		}
		before := n
		for m := range batch.Messages() {
			if err := checkBody(m.Data()); err != nil {
				return err
			}
			n--
			if n == 0 {
				return m.DoubleAck(ctx)
			}
			if err := m.Ack(); err != nil {
				return err
			}
		}
		if err := batch.Error(); err != nil || n == before {
			return fmt.Errorf("%d messages did not come: %w", n, err)
		}
	}
	return nil
}
