package redact

import (
	"context"
	"encoding"
	"fmt"
	"log/slog"
)

// Attr returns an attribute of a log record with its text changed by hide:
// strings, errors, and what else is shown as text. Whatever is none of these
// and has something to hide is shown as text as well.
func Attr(a slog.Attr, hide func(string) string) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(hide(v.String()))
	case slog.KindGroup:
		a.Value = slog.GroupValue(attrs(v.Group(), hide)...)
	case slog.KindAny:
		a.Value = anyValue(v, hide)
	default: // numbers, times and switches
		a.Value = v
	}
	return a
}

func attrs(as []slog.Attr, hide func(string) string) []slog.Attr {
	out := make([]slog.Attr, len(as))
	for i, a := range as {
		out[i] = Attr(a, hide)
	}
	return out
}

func anyValue(v slog.Value, hide func(string) string) slog.Value {
	switch v.Any().(type) {
	case error, fmt.Stringer, encoding.TextMarshaler, []byte:
		return slog.StringValue(hide(v.String()))
	}
	if text := v.String(); hide(text) != text {
		return slog.StringValue(hide(text))
	}
	return v
}

// Logger returns a logger that has hide change every text before it gets to l.
func Logger(l *slog.Logger, hide func(string) string) *slog.Logger {
	return slog.New(&handler{next: l.Handler(), hide: hide})
}

type handler struct {
	next slog.Handler
	hide func(string) string
}

// Enabled asks the handler behind.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

// Handle hands on a record that has nothing to hide.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, h.hide(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(Attr(a, h.hide))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs adds attributes.
func (h *handler) WithAttrs(as []slog.Attr) slog.Handler {
	return &handler{next: h.next.WithAttrs(attrs(as, h.hide)), hide: h.hide}
}

// WithGroup opens a group.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{next: h.next.WithGroup(name), hide: h.hide}
}
