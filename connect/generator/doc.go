// Package generator has generator-source, which makes up records: to try a
// gateway without any data, and to load one.
//
// Each task makes its own sequence, from 1. A record's key is task-seq, as in
// 0-17, and its body a JSON object,
//
//	{"task":0,"seq":17,"time":"2026-01-02T15:04:05.000Z","pad":"xxxx"}
//
// whose padding gives it exactly body.bytes bytes; one that would be longer
// without padding has none. The partition is {"task":0}, the position
// {"seq":17}: a task goes on behind the last record that was committed.
package generator
