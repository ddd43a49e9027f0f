package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const sourceClass = "file-source"

func init() { connect.Register(sourcePlugin()) }

func sourcePlugin() connect.Plugin {
	return connect.Plugin{
		Class: sourceClass,
		Kind:  connect.KindSource,
		Doc:   "Reads the lines, JSON lines or CSV rows of a file, and what is appended to it.",
		Def: connect.ConfigDef{
			Keys: []connect.Key{
				{Name: "file", Required: true, Doc: "The file to read. A relative path is taken from the gateway's working folder.", Check: checkPath},
				{Name: "format", Default: formatLines, Values: []string{formatLines, formatJSON, formatCSV}, Doc: "What a record is: a line, a line of JSON, or a CSV row under a header, which becomes a JSON object."},
				{Name: "follow", Type: connect.Bool, Default: "false", Doc: "Whether to wait for more at the end, through renaming and truncation, instead of finishing there."},
				{Name: "key.field", Doc: "With format json or csv, the field whose text becomes the message's key; a record without it has no key."},
				{Name: "batch.max.records", Type: connect.Int, Default: "1000", Min: 1, Max: 100_000, Doc: "The most records that are read at once."},
				{Name: "max.line.bytes", Type: connect.Int, Default: "1048576", Min: 1, Max: 1 << 30, Doc: "The longest record in bytes; a longer one is an error."},
			},
			Check: func(config oms.KeyValue) oms.KeyErrors {
				if config["key.field"] != "" && config["format"] == formatLines {
					return oms.KeyErrors{{Key: "key.field", Problem: "lines have no fields; set format to json or csv, or leave this out"}}
				}
				return nil
			},
		},
		New: func(env connect.Env) (connect.Connector, error) { return &source{log: env.Logger}, nil },
	}
}

// checkPath refuses what no system takes for a path.
func checkPath(path string) error {
	if strings.ContainsRune(path, 0) {
		return errors.New("a path has no zero bytes")
	}
	return nil
}

// A source is a file-source. It does its work in Poll and has no goroutine.
type source struct {
	connect.Hooks
	log       *slog.Logger
	settings  settings
	path      string // absolute
	partition string
	stored    *position // where to go on, until the file has been opened
	inputs    []*input  // the first is read; the others took its name, one after the other
	endedAt   time.Time // when the end of a renamed file was first seen; zero when there was more
	done      bool
	positions []byte // reused
}

var (
	_ connect.Source     = (*source)(nil)
	_ connect.Positioned = (*source)(nil)
)

// OnStart opens the file. One that is missing is waited for with follow.
func (s *source) OnStart(_ context.Context, config oms.KeyValue) error {
	r := sourcePlugin().Def.Complete(config).Reader()
	path := r.String("file")
	s.settings = settings{
		format: r.String("format"), keyField: r.String("key.field", ""), follow: r.Bool("follow"),
		batch: r.Int("batch.max.records"), limit: r.Int("max.line.bytes"),
	}
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if s.path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	origin, err := oms.NewOrigin(map[string]string{"file": s.path}, nil)
	if err != nil {
		return err
	}
	s.partition = origin.Partition
	if _, err := s.opened(); err != nil {
		return err
	}
	return nil
}

// Seek remembers where to go on. The file may still be missing.
func (s *source) Seek(_ context.Context, positions []oms.Origin) error {
	for _, o := range positions {
		if o.Partition != s.partition {
			continue // of a file that the connector read before it was given this one
		}
		p, err := parsePosition(o.Position)
		if err != nil {
			return fmt.Errorf("the stored position of partition %s: %w", o.Partition, err)
		}
		s.stored = &p
	}
	return nil
}

// OnStop closes the files.
func (s *source) OnStop(context.Context) error {
	for _, in := range s.inputs {
		in.close()
	}
	s.inputs = nil
	return nil
}

// Poll returns the next records. While another file waits to be read it does
// not return without any, as long as it may take: the source is not idle.
func (s *source) Poll(ctx context.Context) ([]*oms.Message, error) {
	msgs, err := s.poll()
	patience := time.Now().Add(renamedGrace + followInterval)
	for wait := s.settings.follow; wait && len(msgs) == 0 && err == nil; {
		timer := time.NewTimer(followInterval)
		select {
		case <-timer.C:
			msgs, err = s.poll()
		case <-ctx.Done():
			timer.Stop()
			return nil, nil
		}
		wait = len(s.inputs) > 1 && time.Now().Before(patience)
	}
	return msgs, err
}

// poll reads without waiting.
func (s *source) poll() ([]*oms.Message, error) {
	if s.done {
		return nil, io.EOF // whatever may be appended by now
	}
	if ok, err := s.opened(); err != nil || !ok {
		return nil, err
	}
	if s.stored != nil {
		if err := s.resume(); err != nil {
			return nil, err
		}
	}
	if s.settings.follow {
		if err := s.watch(); err != nil {
			return nil, err
		}
	}
	in := s.inputs[0]
	found, err := in.records(false)
	if errors.Is(err, errReplaced) {
		return s.messages(in, found), s.replaced(err)
	}
	if err != nil || len(found) > 0 {
		s.endedAt = time.Time{}
		return s.messages(in, found), s.failed(err)
	}
	if s.settings.follow {
		return s.atEnd()
	}
	found, err = in.records(true)
	s.done = err == nil
	if s.done && len(found) == 0 {
		err = io.EOF
	}
	return s.messages(in, found), s.failed(err)
}

// messages makes messages of records. All of a batch is allocated at once.
func (s *source) messages(in *input, records []found) []*oms.Message {
	if len(records) == 0 {
		return nil
	}
	msgs := make([]*oms.Message, len(records))
	messages := make([]oms.Message, len(records))
	origins := make([]oms.Origin, len(records))
	s.positions = s.positions[:0]
	id := in.id.String()
	for _, r := range records {
		s.positions = appendPosition(s.positions, id, r.line, r.end, r.tail)
	}
	text := string(s.positions)
	for i, r := range records {
		end := strings.IndexByte(text, '}') + 1
		origins[i] = oms.Origin{Partition: s.partition, Position: text[:end]}
		text = text[end:]
		messages[i] = oms.Message{Key: r.key, Body: r.body, Origin: &origins[i]}
		msgs[i] = &messages[i]
	}
	return msgs
}

// failed gives an error of the operating system its code and place.
func (s *source) failed(err error) error {
	if err == nil || errors.Is(err, io.EOF) || oms.CodeOf(err) != "" {
		return err
	}
	return &oms.Error{Op: "read", Driver: sourceClass, Target: s.path, Code: codeOf(err), Err: err}
}
