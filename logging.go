package omconnect

import (
	"fmt"
	"io"
	"log/slog"
)

// logFlags say how the program logs.
type logFlags struct {
	Format string `name:"log-format" enum:"text,json" default:"text" help:"Format of the log on stderr: text or json."`
	Level  string `name:"log-level" enum:"debug,info,warn,error" default:"info" help:"Least level that is logged: debug, info, warn or error."`
}

// logger returns a logger of which no attribute shows a password.
func (f logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.Level)); err != nil {
		level = slog.LevelInfo
	}
	return f.from(level, w)
}

// warnings is the logger of a command that is used by hand: it says what is
// wrong, or everything if it is asked to.
func (f logFlags) warnings(w io.Writer) *slog.Logger {
	if f.Level == "info" {
		return f.from(slog.LevelWarn, w)
	}
	return f.logger(w)
}

func (f logFlags) from(level slog.Level, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: redactAttr}
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

func redactAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(redact(a.Value.String()))
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(redact(v.Error()))
		case fmt.Stringer:
			a.Value = slog.StringValue(redact(v.String()))
		}
	default: // numbers and times; the members of groups come one by one
	}
	return a
}
