package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// A copier is the program or Kafka Connect, moving a file into a topic or a
// topic into a file.
type copier interface {
	process() *child
	stop() error
}

func (c *child) process() *child { return c }

const (
	connectBatch = 5000            // records that Kafka Connect moves at a time
	copyPatience = 2 * time.Minute // for what is still to come
)

// The steps of a copy.
const (
	intoKafka = "file to Kafka"
	outOf     = "Kafka to file"
)

// measureConnect has the program and Kafka Connect copy the same file.
func (b *bench) measureConnect(ctx context.Context, r *result) error {
	in := filepath.Join(b.dir, "in.txt")
	size, err := writeLines(in, b.records)
	if err != nil {
		return err
	}
	err = b.withServer(ctx, servers.StartKafka, kafkaOptions, func(s *servers.Server) (err error) {
		client, err := oms.Open(ctx, "oms:kafka://"+s.Addr()+"/")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, client.Close(ctx)) }()
		if err := b.warm(ctx, "Kafka Connect", task{Client: clientKafka, Addr: s.Addr(), Records: b.records, Partitions: 1}); err != nil {
			return err
		}
		c := &copies{bench: b, server: s, client: client, in: in, size: size}
		ours, theirs := make(map[string][]sample), make(map[string][]sample)
		err = b.inPairs("Kafka Connect",
			func() error { return c.both(ctx, c.gateway, ours) },
			func() error { return c.both(ctx, c.worker, theirs) })
		for _, step := range []string{intoKafka, outOf} {
			r.connect = append(r.connect, &comparison{name: step, ours: ours[step], theirs: theirs[step]})
		}
		return err
	})
	return errors.Join(err, os.Remove(in))
}

// copies are made of one file over one broker.
type copies struct {
	*bench

	server *servers.Server
	client *oms.Client // to look at topics
	in     string
	size   int64 // in bytes
}

// A starter starts a copier of one step in a folder.
type starter func(ctx context.Context, dir, step, topic string) (copier, error)

func (c *copies) gateway(ctx context.Context, dir, step, topic string) (copier, error) {
	connector := fmt.Sprintf("in: {connector.class: file-source, file: %q, topic: %s}", c.in, topic)
	if step == outOf {
		connector = fmt.Sprintf("out: {connector.class: file-sink, file: out.txt, topics: %s}", topic)
	}
	yaml := "connectors:\n  " + connector + "\n"
	if err := os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	return c.launch(ctx, dir, "--broker", "oms:kafka://"+c.server.Addr()+"/")
}

func (c *copies) worker(ctx context.Context, dir, step, topic string) (copier, error) {
	connector := fmt.Sprintf("name=in\nconnector.class=FileStreamSource\nfile=%s\ntopic=%s\nbatch.size=%d\n", c.in, topic, connectBatch)
	if step == outOf {
		connector = fmt.Sprintf("name=out\nconnector.class=FileStreamSink\nfile=out.txt\ntopics=%s\n", topic)
	}
	return startWorker(ctx, c.server, dir, connector)
}

// both copies the file into a topic, and the topic into another file, which
// has to be the same then.
func (c *copies) both(ctx context.Context, start starter, into map[string][]sample) (err error) {
	dir, err := os.MkdirTemp(c.dir, "copy-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	topic := c.newTopic()
	if err := c.client.EnsureTopic(ctx, oms.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.client.DeleteTopic(ctx, topic)) }()
	out := filepath.Join(dir, outOf, "out.txt")
	for _, step := range []string{intoKafka, outOf} {
		folder := filepath.Join(dir, step)
		if err := os.Mkdir(folder, 0o750); err != nil {
			return err
		}
		arrived, all := func() (int64, error) { return c.stored(ctx, topic) }, int64(c.records)
		if step == outOf {
			arrived, all = func() (int64, error) { return sizeOf(out) }, c.size
		}
		process, err := start(ctx, folder, step, topic)
		if err != nil {
			return err
		}
		s, err := follow(ctx, process.process(), arrived, all)
		if stopped := process.stop(); err == nil {
			err = stopped
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		s.Records, s.Peak = c.records, process.process().peak
		into[step] = append(into[step], s)
	}
	return sameFiles(c.in, out)
}

// stored returns how many records a topic of one partition has.
func (c *copies) stored(ctx context.Context, topic string) (int64, error) {
	ends, err := c.client.Offsets(ctx, []string{topic}, oms.Start{From: oms.StartLatest})
	return ends[oms.Partition{Topic: topic}], err
}

// sizeOf returns the size of a file; one that is not there yet has none.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// follow measures a process from the last look at which nothing had arrived
// until everything has: its start is left out.
func follow(ctx context.Context, c *child, arrived func() (int64, error), all int64) (s sample, err error) {
	from, before := c.started, time.Duration(0)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	last, changed := int64(0), time.Now()
	for {
		now := time.Now()
		cpu, err := cpuOf(c.cmd.Process.Pid)
		if err != nil {
			return s, c.endedEarly()
		}
		n, err := arrived()
		if err != nil {
			return s, err
		}
		if n == 0 {
			from, before = now, cpu
		}
		if n >= all {
			if cpu, err = cpuOf(c.cmd.Process.Pid); err != nil {
				return s, c.endedEarly()
			}
			return sample{Took: time.Since(from), CPU: cpu - before}, nil
		}
		if n != last {
			last, changed = n, now
		}
		if now.Sub(changed) > copyPatience {
			return s, fmt.Errorf("%s has moved %d of %d and nothing more for %v", c.name, n, all, copyPatience)
		}
		select {
		case <-look.C:
		case <-c.exited:
			return s, c.endedEarly()
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// endedEarly says why a process is gone, or about to be.
func (c *child) endedEarly() error {
	return errors.Join(fmt.Errorf("%s ended before everything was moved", c.name), c.wait())
}
