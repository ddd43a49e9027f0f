package omconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/omconnect/omconnect/connect"
)

// waitIdle waits until nothing is left to move, shows on a terminal how far it
// is, and sums up.
func (g *gateway) waitIdle(ctx context.Context, rt *connect.Runtime) error {
	showing := start(ctx, func(ctx context.Context) error {
		g.line.follow(ctx, rt.Progress)
		return nil
	})
	err := rt.WaitIdle(ctx)
	_ = showing.stop() // has nothing to fail with
	return errors.Join(unlessStopped(ctx, err), summarise(g.streams.out, rt.Progress()))
}

// summarise writes a line for each connector.
func summarise(w io.Writer, all []connect.Progress) error {
	rows := make([][]string, 0, len(all))
	for _, p := range all {
		rows = append(rows, []string{p.Name, string(p.Kind), string(p.State), count(p.Records, "record")})
	}
	return writeTable(w, nil, rows)
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A statusLine is the last line of a terminal, redrawn in place, and the
// writer of what scrolls above it. On anything but a terminal it is that
// writer only.
type statusLine struct {
	terminal bool

	mu    sync.Mutex
	w     io.Writer
	shown string
}

func newStatusLine(w io.Writer) *statusLine {
	f, ok := w.(*os.File)
	return &statusLine{w: w, terminal: ok && isatty.IsTerminal(f.Fd())}
}

// clearLine goes to the beginning of the line and erases what is there.
const clearLine = "\r\x1b[K"

// Write writes above the line.
func (l *statusLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shown == "" {
		return l.w.Write(p)
	}
	_, _ = io.WriteString(l.w, clearLine) // a line that is not drawn is no loss
	n, err := l.w.Write(p)
	_, _ = io.WriteString(l.w, l.shown)
	return n, err
}

// show replaces the line; "" removes it.
func (l *statusLine) show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.terminal && text != l.shown {
		l.shown = text
		_, _ = io.WriteString(l.w, clearLine+text)
	}
}

// redrawEvery is often enough to see that something moves.
const redrawEvery = 500 * time.Millisecond

// follow shows the progress until ctx is done.
func (l *statusLine) follow(ctx context.Context, progress func() []connect.Progress) {
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	defer l.show("")
	for {
		select {
		case <-ticker.C:
			l.show(describe(progress()))
		case <-ctx.Done():
			return
		}
	}
}

// describe tells in a line how much was read and written so far, and which
// connectors do not just run.
func describe(all []connect.Progress) string {
	const width = 79 // what every terminal has; a line that wraps cannot be redrawn in place
	var read, written int64
	var other []string
	for _, p := range all {
		if p.Kind == connect.KindSource {
			read += p.Records
		} else {
			written += p.Records
		}
		if p.State != connect.Running && p.State != connect.Finished {
			other = append(other, p.Name+" "+string(p.State))
		}
	}
	text := []rune(printable(strings.Join(append([]string{fmt.Sprintf("%d read, %d written", read, written)}, other...), "; ")))
	if len(text) > width {
		text = append(text[:width-1], '…')
	}
	return string(text)
}
