package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

const sinkClass = "file-sink"

func init() { connect.Register(sinkPlugin()) }

func sinkPlugin() connect.Plugin {
	return connect.Plugin{
		Class: sinkClass,
		Kind:  connect.KindSink,
		Doc:   "Appends each message's body as a line to a file.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "file", Required: true, Doc: "The file to append to, made when it is missing, in a folder that is there. A relative path is taken from the gateway's working folder.", Check: checkPath},
			{Name: "format", Default: formatLines, Values: []string{formatLines, formatJSON}, Doc: "lines: the body as it is, which must not have line breaks. json: the body must be JSON, and is written on one line."},
			{Name: "fsync", Type: connect.Bool, Default: "true", Doc: "Whether each batch is on the disk before it is acknowledged; without, a power cut may lose what was acknowledged."},
		}},
		New: func(env connect.Env) (connect.Connector, error) {
			return &sink{log: env.Logger, config: env.Config}, nil
		},
	}
}

// A sink is a file-sink.
type sink struct {
	connect.Hooks
	log    *slog.Logger
	config oms.KeyValue // for OnDestroyed, which may come without OnStart
	path   string       // absolute
	format string
	fsync  bool
	f      *os.File // nil after a failure that left the file in an unknown state
	buf    bytes.Buffer
}

var _ connect.Sink = (*sink)(nil)

// maxKept is how large a buffer is kept for the next batch.
const maxKept = 4 << 20

// OnStart opens the file, and mends what a crash has left in it.
func (s *sink) OnStart(_ context.Context, config oms.KeyValue) error {
	if err := s.configure(config); err != nil {
		return err
	}
	return s.open()
}

func (s *sink) configure(config oms.KeyValue) error {
	r := sinkPlugin().Def.Complete(config).Reader()
	path := r.String("file")
	s.format, s.fsync = r.String("format"), r.Bool("fsync")
	if err := r.Err(); err != nil {
		return err
	}
	var err error
	if s.path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	return nil
}

// OnStop notes that the file is whole, and closes it.
func (s *sink) OnStop(context.Context) error {
	if s.f == nil {
		return nil
	}
	f := s.f
	s.f = nil
	err := f.Sync()
	if err == nil {
		err = s.note(f, false)
	}
	if err != nil { // the next start finds an open note, and looks for itself
		s.log.Warn("the file could not be noted as whole", "file", s.path, "error", err)
	}
	return f.Close()
}

// OnDestroyed removes the note, after it has served to mend the file. The file
// itself stays.
func (s *sink) OnDestroyed(ctx context.Context) error {
	if err := s.configure(s.config); err != nil {
		return nil //nolint:nilerr // it never ran, so there is nothing to remove
	}
	if _, err := os.Stat(s.path + noteSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(s.path); err == nil {
		switch err := s.open(); {
		case errors.Is(err, oms.ErrBusy):
			return nil // the note is that of another sink
		case err != nil:
			return err
		}
		if err := s.OnStop(ctx); err != nil {
			return err
		}
	}
	if err := os.Remove(s.path + noteSuffix); err != nil {
		return s.failed("remove", err)
	}
	return nil
}

// Put appends the messages.
func (s *sink) Put(_ context.Context, msgs []*oms.Message) error {
	if err := s.stillThere(); err != nil {
		return err
	}
	if s.buf.Cap() > maxKept {
		s.buf = bytes.Buffer{}
	}
	s.buf.Reset()
	refused := encode(&s.buf, s.format, msgs)
	if s.buf.Len() > 0 {
		if err := s.append(s.buf.Bytes()); err != nil {
			return err
		}
	}
	return refused
}

// append writes and syncs. When that fails, what was written of it is cut off.
func (s *sink) append(data []byte) error {
	info, err := s.f.Stat()
	if err != nil {
		return s.failed("write", err)
	}
	_, err = s.f.Write(data)
	if err == nil && s.fsync {
		err = s.f.Sync()
	}
	if err == nil {
		return nil
	}
	if cut := s.f.Truncate(info.Size()); cut != nil {
		s.log.Warn("what was written of a batch could not be cut off; the file is opened again before the next", "file", s.path, "error", cut)
		s.abandon()
	}
	return s.failed("write", err)
}

// stillThere opens the file again when it is not open, or no longer the one
// that has its name: what is written to a deleted file is lost.
func (s *sink) stillThere() error {
	if s.f == nil {
		return s.open()
	}
	open, err := s.f.Stat()
	if err != nil {
		return s.failed("write", err)
	}
	named, err := os.Stat(s.path)
	if err == nil && os.SameFile(open, named) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.failed("write", err)
	}
	s.log.Warn("the file was moved away or deleted; it is begun anew", "file", s.path)
	s.abandon()
	return s.open()
}

// abandon closes the file as it is.
func (s *sink) abandon() {
	_ = s.f.Close() // what was acknowledged has been synced
	s.f = nil
}

// failed gives an error of the operating system its code and place.
func (s *sink) failed(op string, err error) error {
	return &oms.Error{Op: op, Driver: sinkClass, Target: s.path, Code: codeOf(err), Err: err}
}
