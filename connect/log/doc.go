// Package logsink has log-sink, which writes each message to the gateway's
// log: to see what goes through a topic.
//
// A body and a key stand there as text. What is not printable is escaped as in
// a Go string, so that no message can write to a terminal or begin a line of
// its own, and a backslash is doubled, so that the escapes are certain.
package logsink
