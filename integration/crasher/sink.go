package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/omconnect/omconnect/connect" //nolint:depguard // this program is what is tested, as anybody's
	"github.com/omconnect/omconnect/oms"     //nolint:depguard // see above
)

// A journal is a file that several processes append to. An entry is one line,
// whole if it ends with a bar: a process may die in the middle of one. Each
// begins with its own line break, so that the next is not spoilt.
type journal struct {
	path string
	me   string // begins each entry
}

func (j journal) add(format string, args ...any) error {
	return j.write([]byte(j.entry(format, args...)))
}

func (j journal) entry(format string, args ...any) string {
	return "\n" + j.me + " " + fmt.Sprintf(format, args...) + " |"
}

func (j journal) write(entries []byte) error {
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(entries)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func sinkPlugin(me string, trap *trap) connect.Plugin {
	return connect.Plugin{
		Class: "journal-sink", Kind: connect.KindSink, Doc: "Appends the number and the body of each message to a file.",
		Def: connect.ConfigDef{Keys: []connect.Key{{Name: "journal", Required: true, Doc: "The file."}}},
		New: func(env connect.Env) (connect.Connector, error) {
			return &journalSink{journal: journal{path: env.Config["journal"], me: me}, trap: trap}, nil
		},
	}
}

// A journalSink has the point put.
type journalSink struct {
	connect.Hooks
	journal journal
	trap    *trap
}

var _ connect.Sink = (*journalSink)(nil)

// Put appends to the journal: offset in the topic, body.
func (s *journalSink) Put(_ context.Context, msgs []*oms.Message) error {
	var b bytes.Buffer
	for _, m := range msgs {
		b.WriteString(s.journal.entry("%d %s", m.Offset, m.Body))
	}
	err := s.journal.write(b.Bytes())
	s.trap.hit(atPut)
	return err
}
