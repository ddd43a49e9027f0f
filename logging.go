package omconnect

import (
	"io"
	"log/slog"

	"github.com/omconnect/omconnect/internal/redact"
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
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr { return redact.Attr(a, redact.Text) }}
	if f.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
