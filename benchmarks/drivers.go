package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/omconnect/omconnect/integration/servers"
)

// Rivals are a driver and the client library of its broker, on one server.
type rivals struct {
	broker     string // its name
	ours       string // a client, and the driver
	theirs     string // a client
	share      int    // one of so many records is moved: no broker has to take minutes
	partitions int
	start      func(ctx context.Context, dir string, opts ...servers.Option) (*servers.Server, error)
	options    []servers.Option
}

// compiled has a server's code compiled well, since it runs for long, and gives
// it room.
var compiled = servers.JVM("-Xmx1g", "-XX:TieredStopAtLevel=4")

var (
	kafkaRivals = rivals{
		broker: "Kafka", ours: clientKafka, theirs: clientKafkaBare, share: 1, partitions: 4,
		start: servers.StartKafka, options: kafkaOptions,
	}
	rabbitmqRivals = rivals{
		broker: "RabbitMQ", ours: clientRabbitMQ, theirs: clientRabbitMQBare, share: 10, partitions: 1,
		start: servers.StartRabbitMQ,
	}
	rocketmqRivals = rivals{
		broker: "RocketMQ", ours: clientRocketMQ, theirs: clientRocketMQBare, share: 5, partitions: 4,
		start: servers.StartRocketMQ, options: rocketmqOptions,
	}
)

// kafkaOptions also free the disk of a topic soon after it was deleted.
var kafkaOptions = []servers.Option{compiled, servers.Config("log.segment.delete.delay.ms", "1000")}

// rocketmqOptions give the log files of a usual size, and have a machine that is
// busy make senders wait: by default messages are refused after 200 ms.
var rocketmqOptions = []servers.Option{
	compiled, servers.Config("mappedFileSizeCommitLog", "134217728"),
	servers.Config("waitTimeMillsInSendQueue", "10000"), servers.Config("osPageCacheBusyTimeOutMills", "10000"),
}

// driver returns what measures a driver.
func (b *bench) driver(v rivals) func(context.Context, *result) error {
	return func(ctx context.Context, r *result) error {
		cs, err := b.compareDriver(ctx, v)
		r.drivers = append(r.drivers, cs...)
		return err
	}
}

// warmUp is which part of the records is moved before anything counts: a
// server is slow at first.
const warmUp = 5

// compareDriver publishes and receives with each of two clients.
func (b *bench) compareDriver(ctx context.Context, v rivals) (cs []*comparison, err error) {
	err = b.withServer(ctx, v.start, v.options, func(s *servers.Server) error {
		ours := task{Client: v.ours, Addr: s.Addr(), Node: s.AddrOf(servers.Broker), Records: v.records(b), Partitions: v.partitions}
		theirs := ours
		theirs.Client = v.theirs
		if err := b.warm(ctx, v.broker, ours, theirs); err != nil {
			return err
		}
		got, err := b.clientsInPairs(ctx, v.broker, ours, theirs)
		cs = []*comparison{
			{name: v.broker + ", send", target: driverTarget, ours: got[v.ours][publish], theirs: got[v.theirs][publish]},
			{name: v.broker + ", receive", target: driverTarget, ours: got[v.ours][receive], theirs: got[v.theirs][receive]},
		}
		return err
	})
	return cs, err
}

// warm runs clients with fewer records.
func (b *bench) warm(ctx context.Context, name string, tasks ...task) error {
	b.say("%s: warming up", name)
	for _, t := range tasks {
		t.Records = max(1, t.Records/warmUp)
		if _, err := b.runClient(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// records is how many are moved at a time.
func (v rivals) records(b *bench) int { return max(1, b.records/v.share) }

// withServer starts a server with nothing in it, and removes it after use. An
// error has what the server said at last.
func (b *bench) withServer(ctx context.Context, start func(context.Context, string, ...servers.Option) (*servers.Server, error),
	opts []servers.Option, use func(*servers.Server) error,
) (err error) {
	dir, err := os.MkdirTemp(b.dir, "server-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := start(ctx, dir, opts...)
	if err != nil {
		return err
	}
	defer func() {
		s.Kill() // nothing of it is kept
		err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}()
	if err := use(s); err != nil {
		return fmt.Errorf("%w\n%s", err, s.Log())
	}
	return nil
}
