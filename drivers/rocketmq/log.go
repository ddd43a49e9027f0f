package rocketmq

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

func init() { rlog.SetLogger(libraryLog{}) }

// libraryLog is where the client library logs: warnings and errors as warnings,
// since the driver reports what matters of them itself, and nothing else.
type libraryLog struct{}

// routine are warnings about what is no trouble: mostly of what the library asks
// for by itself, every 30 seconds for each topic that was ever used, also once
// it is deleted.
var routine = map[string]bool{
	"query topic route from server error":              true,
	"queryTopicRouteInfoFromServer return nil":         true,
	"send heart beat to broker error":                  true,
	"topic route info is nil or empty":                 true,
	"get topic route from name server failed":          true,
	"conn error, close connection":                     true,
	"connect to namesrv failed.":                       true,
	"no broker found for mq":                           true,
	"receive broker's requests, but no func to handle": true,
	// Of a half message: the verdict was not to commit it.
	"executeLocalTransaction but state unexpected": true,
}

func (libraryLog) Debug(string, map[string]any) {}
func (libraryLog) Info(string, map[string]any)  {}

func (l libraryLog) Warning(msg string, fields map[string]any) { l.say(msg, fields) }
func (l libraryLog) Error(msg string, fields map[string]any)   { l.say(msg, fields) }

// Fatal does not end the process, as the library's own logger does.
func (l libraryLog) Fatal(msg string, fields map[string]any) { l.say(msg, fields) }

// Level and OutputPath are slog's business.
func (libraryLog) Level(string)            {}
func (libraryLog) OutputPath(string) error { return nil }

// records are the fields that have a message in them, with its body. That is in
// no log.
var records = []string{"message", "msg"}

func (libraryLog) say(msg string, fields map[string]any) {
	level := slog.LevelWarn
	if routine[msg] {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.String("driver", Name), slog.String("says", msg)}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(records, name) {
			continue
		}
		attrs = append(attrs, slog.Any(name, fields[name]))
	}
	slog.LogAttrs(context.Background(), level, "client library", attrs...)
}
