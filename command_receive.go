package omconnect

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// receiveCommand is omconnect receive.
type receiveCommand struct {
	brokerFlags

	Topic    []string `short:"t" required:"" help:"Topic to receive from; may be repeated."`
	Group    string   `short:"g" help:"Group to receive as: what was printed does not come again, and its members share the messages. A group of its own, which is deleted at the end, if not given."`
	From     string   `default:"earliest" placeholder:"WHERE" help:"Where a new group starts: earliest, latest, or a time such as 2026-02-28T12:00:00Z."`
	Count    int64    `short:"n" placeholder:"N" help:"End after that many messages."`
	UntilEnd bool     `help:"End when everything that is there has been printed."`
	Format   string   `enum:"lines,json" default:"lines" help:"What is printed for a message: lines for its body, json for a record with key, headers and all."`
}

// receiveWait is how long the command waits before it looks whether to end.
const receiveWait = 500 * time.Millisecond

// Run prints messages until it is told to end. A message is acknowledged after
// it was printed.
func (c *receiveCommand) Run(ctx context.Context, s *streams, logs *logFlags, plugins *connect.Plugins) (err error) {
	start, err := c.check()
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that has enough, such as head, ends the command in good order
	slog.SetDefault(logs.warnings(s.err))
	client, err := c.attach(ctx, plugins)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, detach(ctx, client)) }()
	if err := c.findTopics(ctx, s, client); err != nil {
		return err
	}
	group := c.Group
	if group == "" {
		group = "omconnect-receive-" + strings.ToLower(rand.Text()[:12])
		defer func() { err = errors.Join(err, forget(ctx, client, group, c.Topic)) }()
	}
	if groups, gerr := client.Groups(); gerr == nil {
		if err := groups.EnsureGroup(ctx, group, c.Topic, start); err != nil {
			return unlessStopped(ctx, err)
		}
	}
	consumer, err := client.NewPullConsumer(ctx, oms.ReceiverConfig{Topics: c.Topic, Group: group, Start: start, OnGap: reportGap(s.err)})
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), brokerPatience)
		defer cancel()
		err = errors.Join(err, consumer.Close(closing))
	}()
	p := newPrinter(s.out, c.Format == "json")
	err = c.receive(ctx, client, consumer, group, p)
	if p.broken {
		return nil // whoever reads has enough
	}
	return errors.Join(unlessStopped(ctx, err), p.warn(s.err))
}

// check returns where a new group starts.
func (c *receiveCommand) check() (oms.Start, error) {
	if len(c.Topic) == 0 {
		return oms.Start{}, badUsage("--topic must name at least one")
	}
	for _, t := range c.Topic {
		if err := oms.ValidTopic(t); err != nil {
			return oms.Start{}, badUsage("--topic: %w", err)
		}
	}
	if c.Count < 0 {
		return oms.Start{}, badUsage("--count %d is below 0", c.Count)
	}
	switch c.From {
	case "earliest":
		return oms.Start{}, nil
	case "latest":
		return oms.Start{From: oms.StartLatest}, nil
	}
	at, err := time.Parse(time.RFC3339, c.From)
	if err != nil {
		return oms.Start{}, badUsage("--from %q is neither earliest nor latest nor a time such as 2026-02-28T12:00:00Z", c.From)
	}
	return oms.Start{From: oms.StartAtTime, At: at}, nil
}

// findTopics says which topics are not there yet. There is nothing to wait for
// with --until-end: then it is an error.
func (c *receiveCommand) findTopics(ctx context.Context, s *streams, client *oms.Client) error {
	if c.UntilEnd && !client.Capabilities().Has(oms.ReportLag) {
		return badUsage("--until-end: this broker does not tell how much is left; use --count")
	}
	if !client.Capabilities().Has(oms.CreateTopic) {
		return nil
	}
	for _, t := range c.Topic {
		there, err := hasTopic(ctx, client, t)
		switch {
		case err != nil:
			return unlessStopped(ctx, err)
		case there:
		case c.UntilEnd:
			return fmt.Errorf("there is no topic %s", t)
		default:
			if _, err := fmt.Fprintf(s.err, "waiting for the topic %s, which is not there yet\n", printable(t)); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive prints messages until there have been enough.
func (c *receiveCommand) receive(ctx context.Context, client *oms.Client, consumer *oms.PullConsumer, group string, p *printer) error {
	const most = 500
	for n := int64(0); c.Count == 0 || n < c.Count; {
		limit := most
		if c.Count > 0 {
			limit = int(min(most, c.Count-n))
		}
		msgs, err := consumer.Receive(ctx, limit, receiveWait)
		if err != nil {
			return err
		}
		if len(msgs) == 0 {
			if end, err := c.atEnd(ctx, client, consumer, group); err != nil || end {
				return err
			}
			continue
		}
		if err := p.print(msgs); err != nil {
			return err
		}
		n += int64(len(msgs))
		// Those of an earlier session come again, to whoever has them then.
		if err := consumer.Ack(ctx, msgs...); err != nil && !errors.Is(err, oms.ErrStaleDelivery) {
			return err
		}
	}
	return nil
}

// atEnd tells whether nothing is left, if the command is to end then.
func (c *receiveCommand) atEnd(ctx context.Context, client *oms.Client, consumer *oms.PullConsumer, group string) (bool, error) {
	if !c.UntilEnd {
		return false, nil
	}
	if err := consumer.Flush(ctx); err != nil {
		return false, err
	}
	left, err := client.Lag(ctx, group, c.Topic)
	return left == 0, err
}

// forget deletes the group that the command made for itself.
func forget(ctx context.Context, client *oms.Client, group string, topics []string) error {
	groups, err := client.Groups()
	if err != nil {
		return nil // where groups cannot be deleted they end by themselves
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), brokerPatience)
	defer cancel()
	if err := groups.DeleteGroup(ctx, group, topics); err != nil && oms.CodeOf(err) != oms.ErrNotFound {
		return fmt.Errorf("the group %s stays behind: %w", group, err)
	}
	return nil
}

// reportGap says on stderr what retention has removed.
func reportGap(w io.Writer) func(oms.Gap) {
	return func(g oms.Gap) {
		_, _ = fmt.Fprintf(w, "%s: the broker no longer has the offsets from %d to %d\n", g.Partition, g.From, g.To-1)
	}
}

// A printer prints messages.
type printer struct {
	w        *bufio.Writer
	json     bool
	terminal bool // escapes what a terminal would obey
	broken   bool // nobody reads any more
	breaks   int64
	empty    int64
}

func newPrinter(w io.Writer, asJSON bool) *printer {
	f, ok := w.(interface{ Fd() uintptr })
	return &printer{w: bufio.NewWriter(w), json: asJSON, terminal: ok && isatty.IsTerminal(f.Fd())}
}

// print prints all of the messages, and returns when they are out.
func (p *printer) print(msgs []*oms.Message) error {
	for _, m := range msgs {
		if err := p.one(m); err != nil {
			return p.failed(err)
		}
	}
	return p.failed(p.w.Flush())
}

func (p *printer) failed(err error) error {
	p.broken = p.broken || errors.Is(err, syscall.EPIPE)
	return err
}

func (p *printer) one(m *oms.Message) error {
	if p.json {
		return writeRecord(p.w, recordOf(m))
	}
	if m.Body == nil {
		p.empty++
	}
	if bytes.IndexByte(m.Body, '\n') >= 0 {
		p.breaks++
	}
	line := m.Body
	if p.terminal {
		line = []byte(printable(string(m.Body)))
	}
	if _, err := p.w.Write(line); err != nil {
		return err
	}
	return p.w.WriteByte('\n')
}

// warn says what lines did not show.
func (p *printer) warn(w io.Writer) error {
	var err error
	if p.breaks > 0 && !p.terminal {
		_, err = fmt.Fprintf(w, "%s had line breaks in the body; --format json shows where each ends\n", count(p.breaks, "message"))
	}
	if p.empty > 0 {
		_, e := fmt.Fprintf(w, "%s had no body at all (tombstones); --format json tells them from empty ones\n", count(p.empty, "message"))
		err = errors.Join(err, e)
	}
	return err
}
