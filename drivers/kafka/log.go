package kafka

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/IBM/sarama"
)

// A logger passes what the client library says to the program's log. The
// library has one for the whole process.
type logger struct{}

// Print implements sarama.StdLogger.
func (logger) Print(v ...any) { slog.Debug(line(fmt.Sprint(v...)), "component", "sarama") } //nolint:sloglint // the library's own words

// Printf implements sarama.StdLogger.
func (l logger) Printf(format string, v ...any) { l.Print(fmt.Sprintf(format, v...)) }

// Println implements sarama.StdLogger.
func (l logger) Println(v ...any) { l.Print(fmt.Sprintln(v...)) }

func line(text string) string { return strings.TrimSpace(text) }

// library sets what the client library has once for a process: where it logs,
// that a panic of one of its goroutines is logged and does not end the
// process, and how large a batch may become when it is decompressed.
var library = sync.OnceFunc(func() {
	const largest = 1 << 30
	sarama.Logger = logger{}
	sarama.PanicHandler = func(v any) {
		slog.Error("a goroutine of the Kafka client library has ended in a panic", "panic", fmt.Sprint(v))
	}
	sarama.MaxDecompressedBatchSize = largest
})
