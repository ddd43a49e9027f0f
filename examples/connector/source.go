package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var sourcePlugin = connect.Plugin{
	Class: "folder-source", Kind: connect.KindSource,
	Doc: "Sends each file of a folder as a message, in the order of their names.",
	Def: connect.ConfigDef{Keys: []connect.Key{
		{Name: "folder", Required: true, Doc: "Folder to read; files whose name begins with a dot are left out."},
	}},
	New: func(connect.Env) (connect.Connector, error) { return new(source), nil },
}

// A source sends files in the order of their names. The name of the last one
// is its position: a file that comes later must have a higher name.
type source struct {
	connect.Hooks
	folder, last string
}

// place is a position.
type place struct {
	Name string `json:"name"`
}

func (s *source) OnStart(_ context.Context, config oms.KeyValue) error {
	s.folder = config["folder"]
	_, err := os.ReadDir(s.folder)
	return err
}

func (s *source) Seek(_ context.Context, positions []oms.Origin) error {
	for _, p := range positions { // one at most: there is one partition
		var at place
		if err := p.Decode(&at); err != nil {
			return err
		}
		s.last = at.Name
	}
	return nil
}

func (s *source) Poll(ctx context.Context) ([]*oms.Message, error) {
	files, err := os.ReadDir(s.folder) // sorted by name
	if err != nil {
		return nil, err
	}
	var msgs []*oms.Message
	for _, f := range files {
		if len(msgs) == 100 {
			break // the rest comes with the next Poll
		}
		if f.Name() <= s.last || strings.HasPrefix(f.Name(), ".") || f.IsDir() {
			continue
		}
		body, err := os.ReadFile(filepath.Join(s.folder, f.Name()))
		if err != nil {
			return msgs, err // what is returned with an error counts
		}
		origin, err := oms.NewOrigin(map[string]string{"folder": s.folder}, place{f.Name()})
		if err != nil {
			return msgs, err
		}
		msgs = append(msgs, &oms.Message{Key: []byte(f.Name()), Body: body, Origin: origin})
		s.last = f.Name()
	}
	if len(msgs) == 0 {
		select { // nothing new: look again soon
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return msgs, nil
}
