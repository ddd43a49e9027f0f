package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/omconnect/omconnect/connect" //nolint:depguard // this program is what is tested, as anybody's
	"github.com/omconnect/omconnect/oms"     //nolint:depguard // see above
)

func sourcePlugin(class, me string, trap *trap, early bool) connect.Plugin {
	return connect.Plugin{
		Class: class, Kind: connect.KindSource, Doc: "Reads a folder of numbered files, and deletes what was committed.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "spool", Required: true, Doc: "The folder: a file for each record, named by its number."},
			{Name: "batch", Type: connect.Int, Default: "10", Min: 1, Max: 1000, Doc: "Most records of a poll."},
			{Name: "positions", Required: true, Doc: "The file that tells of every position, as it becomes known here."},
		}},
		New: func(env connect.Env) (connect.Connector, error) {
			s := &spool{dir: env.Config["spool"], positions: journal{path: env.Config["positions"], me: me}}
			var err error
			if s.batch, err = strconv.Atoi(env.Config["batch"]); err != nil {
				return nil, err
			}
			w := watched{spool: s, trap: trap}
			if early {
				return eager{w}, nil
			}
			return w, nil
		},
	}
}

// A spool is an upstream that is gone once it was told so: a folder of records
// in files, the number of each its name.
type spool struct {
	connect.Hooks
	dir       string
	batch     int
	positions journal
	last      int // the record read last
}

// A position is where the spool was left.
type position struct {
	N int `json:"n"`
}

const spoolPartition = `{"spool":"only"}`

// Seek goes on behind the position stored.
func (s *spool) Seek(_ context.Context, origins []oms.Origin) (err error) {
	if s.last, err = latest(origins); err != nil {
		return err
	}
	return s.positions.add("seek %d", s.last)
}

func latest(origins []oms.Origin) (int, error) {
	var p position
	for _, o := range origins {
		if err := json.Unmarshal([]byte(o.Position), &p); err != nil {
			return 0, err
		}
	}
	return p.N, nil
}

// Poll reads the next records that there are. A number that is missing was
// deleted: a spool does not know whether that was right.
func (s *spool) Poll(context.Context) ([]*oms.Message, error) {
	var msgs []*oms.Message
	for len(msgs) < s.batch {
		body, err := os.ReadFile(s.file(s.last + 1))
		if errors.Is(err, fs.ErrNotExist) {
			next, err := s.next()
			if err != nil || next == 0 {
				return msgs, err
			}
			s.last = next - 1
			continue
		}
		if err != nil {
			return msgs, err
		}
		s.last++
		p, err := json.Marshal(position{s.last})
		if err != nil {
			return msgs, err
		}
		msgs = append(msgs, &oms.Message{Body: body, Origin: &oms.Origin{Partition: spoolPartition, Position: string(p)}})
	}
	return msgs, nil
}

func (s *spool) file(n int) string { return filepath.Join(s.dir, fmt.Sprintf("%09d", n)) }

// next returns the first number behind the record read last; 0 if there is
// none.
func (s *spool) next() (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, err
	}
	i, _ := slices.BinarySearchFunc(entries, filepath.Base(s.file(s.last+1)), func(e fs.DirEntry, name string) int { return cmp.Compare(e.Name(), name) })
	if i == len(entries) {
		return 0, nil
	}
	return strconv.Atoi(entries[i].Name())
}

// Committed deletes what is not needed any more.
func (s *spool) Committed(_ context.Context, origins []oms.Origin) error {
	n, err := latest(origins)
	if err != nil {
		return err
	}
	if err := s.positions.add("told %d", n); err != nil {
		return err
	}
	return s.prune(n)
}

func (s *spool) prune(upTo int) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() > filepath.Base(s.file(upTo)) {
			break
		}
		// Another gateway may be at the same, if this one is late.
		if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// A watched spool has the points seek, poll, commit and upstream.
type watched struct {
	*spool
	trap *trap
}

var (
	_ connect.Source     = watched{}
	_ connect.Positioned = watched{}
	_ connect.Committed  = watched{}
)

func (w watched) Seek(ctx context.Context, origins []oms.Origin) error {
	err := w.spool.Seek(ctx, origins)
	w.trap.hit(atSeek)
	return err
}

func (w watched) Poll(ctx context.Context) ([]*oms.Message, error) {
	msgs, err := w.spool.Poll(ctx)
	if len(msgs) > 0 {
		w.trap.hit(atPoll)
	}
	return msgs, err
}

func (w watched) Committed(ctx context.Context, origins []oms.Origin) error {
	w.trap.hit(atCommit)
	err := w.spool.Committed(ctx, origins)
	w.trap.hit(atUpstream)
	return err
}

// An eager source lets go of records upstream as soon as it has read them.
type eager struct{ watched }

func (e eager) Poll(ctx context.Context) ([]*oms.Message, error) {
	before := e.last
	msgs, err := e.spool.Poll(ctx)
	if e.last > before {
		err = errors.Join(err, e.prune(e.last))
		e.trap.hit(atPoll)
	}
	return msgs, err
}
