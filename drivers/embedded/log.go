package embedded

import (
	"fmt"
	"log/slog"
	"strings"
)

// serverLog hands what the server has to say to slog, and notices a full disk:
// the server goes on as if nothing were, and never writes again.
type serverLog struct {
	log  *slog.Logger
	full func()
}

func (l serverLog) Noticef(format string, v ...any) {
	l.log.Debug("server", "says", fmt.Sprintf(format, v...))
}
func (l serverLog) Debugf(string, ...any)          {}
func (l serverLog) Tracef(string, ...any)          {}
func (l serverLog) Warnf(format string, v ...any)  { l.warn(format, v) }
func (l serverLog) Errorf(format string, v ...any) { l.warn(format, v) }
func (l serverLog) Fatalf(format string, v ...any) { l.warn(format, v) }

func (l serverLog) warn(format string, v []any) {
	text := fmt.Sprintf(format, v...)
	l.log.Warn("server", "says", text)
	if strings.Contains(text, "no space left") {
		l.full()
	}
}
