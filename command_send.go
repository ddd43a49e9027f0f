package omconnect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// sendCommand is omconnect send.
type sendCommand struct {
	brokerFlags

	Topic        string   `short:"t" required:"" help:"Topic to send to; made if it is missing."`
	NoCreate     bool     `help:"Do not make a missing topic."`
	Partitions   int      `help:"Partitions of a topic that is made; the broker's default if not given."`
	Format       string   `enum:"lines,json" default:"lines" help:"What a line is: lines for a body, json for a record as receive writes it."`
	Key          string   `help:"Key of every message that has none of its own."`
	KeySeparator string   `placeholder:"TEXT" help:"Text that ends the key at the beginning of each line."`
	Header       []string `short:"H" sep:"none" placeholder:"NAME=VALUE" help:"Header of every message; may be repeated."`
	File         string   `arg:"" optional:"" help:"File to read; - or nothing for stdin."`
}

// longestLine is how long a line may be, in bytes: more than any broker takes.
const longestLine = 256 << 20

// Run sends what it reads, a message a line.
func (c *sendCommand) Run(ctx context.Context, s *streams, logs *logFlags, plugins *connect.Plugins) (err error) {
	headers, err := c.check()
	if err != nil {
		return err
	}
	in, name, err := c.open(s.in)
	if err != nil {
		return err
	}
	defer in.Close() // it was read only
	slog.SetDefault(logs.warnings(s.err))
	client, err := c.attach(ctx, plugins)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, detach(ctx, client)) }()
	if err := c.makeTopic(ctx, s, client); err != nil {
		return err
	}
	producer, err := client.NewProducer(ctx, oms.SenderConfig{})
	if err != nil {
		return err
	}
	sending, stop := context.WithCancel(ctx)
	defer stop()
	d := &dispatch{file: name, failed: stop}
	err = d.lines(sending, in, func(n int64, line []byte) error {
		m, err := c.message(line, headers)
		if err != nil {
			return fmt.Errorf("%s line %d: %w", name, n, err)
		}
		d.send(sending, producer, n, m)
		return nil
	})
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err = errors.Join(d.outcome(), err, producer.Close(closing), d.outcome())
	_, werr := fmt.Fprintf(s.err, "sent %s to %s\n", count(d.confirmed(), "message"), printable(c.Topic))
	return errors.Join(err, werr)
}

// check returns the headers that every message gets.
func (c *sendCommand) check() (oms.Headers, error) {
	var headers oms.Headers
	for _, h := range c.Header {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, badUsage("--header %q is not NAME=VALUE", h)
		}
		headers = append(headers, oms.Header{Name: name, Value: []byte(value)})
	}
	if c.Format == "json" && c.KeySeparator != "" {
		return nil, badUsage("--key-separator goes with --format lines: a record has its key in itself")
	}
	if err := oms.ValidTopic(c.Topic); err != nil {
		return nil, badUsage("--topic: %w", err)
	}
	return headers, nil
}

// open returns what is to be read, and what errors call it.
func (c *sendCommand) open(stdin io.Reader) (io.ReadCloser, string, error) {
	if c.File == "" || c.File == "-" {
		return io.NopCloser(stdin), "stdin", nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, "", badUsage("%s: cannot be read: %w", c.File, cause(err))
	}
	return f, c.File, nil
}

// makeTopic makes the topic if it is missing, and says so.
func (c *sendCommand) makeTopic(ctx context.Context, s *streams, client *oms.Client) error {
	if c.NoCreate || !client.Capabilities().Has(oms.CreateTopic) {
		return nil
	}
	there, err := hasTopic(ctx, client, c.Topic)
	if err != nil || there {
		return err
	}
	if err := client.EnsureTopic(ctx, oms.TopicSpec{Name: c.Topic, Partitions: c.Partitions}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.err, "made the topic %s\n", printable(c.Topic))
	return err
}

// message makes a message of a line.
func (c *sendCommand) message(line []byte, headers oms.Headers) (*oms.Message, error) {
	m := &oms.Message{Body: line}
	switch {
	case c.Format == "json":
		r, err := parseRecord(line)
		if err != nil {
			return nil, err
		}
		m = r.message()
	case c.KeySeparator != "":
		key, body, ok := bytes.Cut(line, []byte(c.KeySeparator))
		if !ok {
			return nil, fmt.Errorf("there is no %q behind a key", c.KeySeparator)
		}
		m.Key, m.Body = key, body
	}
	if m.Key == nil && c.Key != "" {
		m.Key = []byte(c.Key)
	}
	m.Topic = c.Topic
	m.Headers = append(m.Headers, headers...)
	return m, nil
}

// A dispatch keeps count of what was sent.
type dispatch struct {
	file   string
	failed func() // ends reading

	mu   sync.Mutex
	sent int64
	bad  error // the first failure
	told bool
}

// send hands a message to the producer.
func (d *dispatch) send(ctx context.Context, p *oms.Producer, line int64, m *oms.Message) {
	p.SendAsync(ctx, []*oms.Message{m}, func(err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		switch {
		case err == nil:
			d.sent++
		case d.bad == nil && oms.CodeOf(oms.FailureOf(err, 0)) != oms.ErrAborted:
			d.bad = fmt.Errorf("%s line %d: %w", d.file, line, oms.FailureOf(err, 0))
			d.failed()
		}
	})
}

// outcome returns the first failure, once.
func (d *dispatch) outcome() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad == nil || d.told {
		return nil
	}
	d.told = true
	return d.bad
}

func (d *dispatch) confirmed() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent
}

// lines calls f with each line, without its end, until there is none left, ctx
// is done, or f fails. Reading a terminal cannot be interrupted, so it has a
// goroutine of its own, which ends with the process at the latest.
func (d *dispatch) lines(ctx context.Context, in io.Reader, f func(n int64, line []byte) error) error {
	type read struct {
		line []byte
		err  error
	}
	all := make(chan read)
	go func() {
		defer close(all)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, longestLine)
		scanner.Split(splitLines)
		for scanner.Scan() {
			select {
			case all <- read{line: bytes.Clone(scanner.Bytes())}:
			case <-ctx.Done():
				return
			}
		}
		if err := scanner.Err(); err != nil {
			select {
			case all <- read{err: err}:
			case <-ctx.Done():
			}
		}
	}()
	for n := int64(1); ; n++ {
		select {
		case next, more := <-all:
			if !more {
				return nil
			}
			if next.err != nil {
				return fmt.Errorf("%s line %d: cannot be read: %w", d.file, n, next.err)
			}
			if err := f(n, next.line); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// splitLines is bufio.ScanLines that leaves carriage returns alone: they are
// part of the body.
func splitLines(data []byte, last bool) (n int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if last && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// hasTopic tells whether the broker has the topic.
func hasTopic(ctx context.Context, client *oms.Client, name string) (bool, error) {
	all, err := client.Topics(ctx)
	for _, t := range all {
		if t.Name == name {
			return true, nil
		}
	}
	return false, err
}
