package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var sinkPlugin = connect.Plugin{
	Class: "folder-sink", Kind: connect.KindSink,
	Doc: "Writes each message as a file that is named by its key; a tombstone removes the file.",
	Def: connect.ConfigDef{Keys: []connect.Key{
		{Name: "folder", Required: true, Doc: "Folder to write to; made if it is missing."},
	}},
	New: func(connect.Env) (connect.Connector, error) { return new(sink), nil },
}

// A sink writes files. A message that comes again replaces its own file.
type sink struct {
	connect.Hooks
	folder string
}

func (s *sink) OnStart(_ context.Context, config oms.KeyValue) error {
	s.folder = config["folder"]
	return os.MkdirAll(s.folder, 0o750)
}

func (s *sink) HandlesTombstones() bool { return true }

func (s *sink) Put(_ context.Context, msgs []*oms.Message) error {
	for i, m := range msgs {
		if err := s.write(m); err != nil {
			if unsafe := s.sync(); unsafe != nil {
				return unsafe // none is known to be safe
			}
			return &connect.PartialError{Index: i, Err: err} // those before it are safe
		}
	}
	return s.sync() // nil means safe, even if the power fails now
}

func (s *sink) write(m *oms.Message) error {
	name := string(m.Key)
	if !filepath.IsLocal(name) || filepath.Base(name) != name || name[0] == '.' {
		return &oms.Error{Op: "write", Target: name, Code: oms.ErrInvalid, Err: errors.New("the key is no name for a file")}
	}
	path := filepath.Join(s.folder, name)
	if m.Body == nil {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	hidden := filepath.Join(s.folder, "."+name) // nobody sees half a file
	f, err := os.Create(hidden)
	if err != nil {
		return err
	}
	_, err = f.Write(m.Body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(hidden, path)
}

// sync makes names last, as f.Sync does contents.
func (s *sink) sync() error {
	folder, err := os.Open(s.folder)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
