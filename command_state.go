package omconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/offsets"
)

// stateCommand is omconnect state.
type stateCommand struct {
	Export exportState `cmd:"" help:"Write definitions and positions as lines of JSON. They hold whatever passwords the configurations hold."`
	Import importState `cmd:"" help:"Bring an export into a state, such as that of the embedded store into Redis."`
}

// stateFlags name the store that a command works on, as those of run do.
type stateFlags struct {
	State  string `env:"OMCONNECT_STATE" placeholder:"URL" help:"The state: embedded (the default), or redis[s]://host:port/db."`
	Data   string `env:"OMCONNECT_DATA" placeholder:"DIR" help:"Data folder of the gateway; ./data by default."`
	Config string `short:"c" placeholder:"FILE" help:"Configuration, such as gateway.yaml."`
}

// stateAnswers is how long the commands wait for the store to answer.
const stateAnswers = 10 * time.Second

// with opens the store, and calls f when it has answered. The data folder is
// locked meanwhile if lock says so, or if the state is in it.
func (c *stateFlags) with(ctx context.Context, logger *slog.Logger, plugins *connect.Plugins, lock bool, f func(store offsets.Store, folder *dataFolder, id string) error) (err error) {
	settings, err := loadSettings(gatewayFlags{State: c.State, Data: c.Data}, c.Config, plugins)
	if err != nil {
		return err
	}
	var folder *dataFolder
	if lock || settings.state == embeddedName {
		if _, err := os.Stat(settings.data); errors.Is(err, os.ErrNotExist) && !lock {
			return badUsage("there is no data folder %s; name that of the gateway with --data", settings.data)
		}
		if folder, err = openDataFolder(settings.data); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, folder.close()) }()
	}
	store, err := openState(settings, folder, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	asking, cancel := context.WithTimeout(ctx, stateAnswers)
	defer cancel()
	id, err := askState(asking, store)
	if err != nil {
		return fmt.Errorf("state %s: %w", redact.Text(settings.state), err)
	}
	return f(store, folder, id)
}

type exportState struct {
	stateFlags

	File string `arg:"" optional:"" help:"File to write; - or nothing for stdout. One that exists is not overwritten."`
}

// Run writes the export.
func (c *exportState) Run(ctx context.Context, s *streams, logs *logFlags, plugins *connect.Plugins) error {
	return c.with(ctx, logs.warnings(s.err), plugins, false, func(store offsets.Store, _ *dataFolder, id string) error {
		all, err := readStore(ctx, store)
		if err != nil {
			return err
		}
		if err := c.write(s.out, id, all); err != nil {
			return err
		}
		end := all.end()
		_, err = fmt.Fprintf(s.err, "exported %s and %s\n", count(int64(end.Definitions), "connector"), count(int64(end.Positions), "position"))
		return err
	})
}

// write writes to stdout, or to a file that only its owner may read and that
// is there whole or not at all.
func (c *exportState) write(stdout io.Writer, id string, all contents) error {
	if c.File == "" || c.File == "-" {
		return writeExport(stdout, id, all)
	}
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return badUsage("%s: cannot be made: %w", c.File, cause(err))
	}
	err = errors.Join(writeExport(f, id, all), f.Sync(), f.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", c.File, err), os.Remove(c.File))
	}
	return nil
}

type importState struct {
	stateFlags

	Replace bool   `help:"Overwrite connectors that the state has otherwise."`
	File    string `arg:"" optional:"" help:"Export to read; - or nothing for stdin."`
}

// Run reads the export and writes it into the store. The gateway of the data
// folder knows the store from then on; it must not run meanwhile.
func (c *importState) Run(ctx context.Context, s *streams, logs *logFlags, plugins *connect.Plugins) error {
	in, name := io.NopCloser(s.in), "stdin"
	if c.File != "" && c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return badUsage("%s: cannot be read: %w", c.File, cause(err))
		}
		in, name = f, c.File
	}
	defer in.Close() // it was read only
	all, err := readExport(in, name)
	if err != nil {
		return err
	}
	return c.with(ctx, logs.warnings(s.err), plugins, true, func(store offsets.Store, folder *dataFolder, id string) error {
		if err := writeStore(ctx, store, all, c.Replace); err != nil {
			return err
		}
		if err := folder.remember(storeFile, id); err != nil {
			return notWritable(folder.path, err)
		}
		end := all.end()
		_, err := fmt.Fprintf(s.err, "imported %s and %s\n", count(int64(end.Definitions), "connector"), count(int64(end.Positions), "position"))
		return err
	})
}
