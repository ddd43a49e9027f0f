package omconnect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/internal/redact"
)

// commandLine is the grammar of the command line. Its names are stable:
// scripts rely on them.
type commandLine struct {
	logFlags

	Run        runCommand        `cmd:"" help:"Run the gateway."`
	Connectors connectorsCommand `cmd:"" help:"See and control the connectors of a running gateway."`
	Validate   validateCommand   `cmd:"" help:"Check a gateway.yaml or the configuration of a connector, without asking any broker."`
	Test       samplesCommand    `cmd:"" help:"Put the records of files through the transforms of a connector, and compare what comes out."`
	Plugins    pluginsCommand    `cmd:"" help:"List the classes of connectors, or the keys of one."`
	New        newCommand        `cmd:"" help:"Begin something of one's own."`
	Send       sendCommand       `cmd:"" help:"Send lines to a topic of any broker."`
	Receive    receiveCommand    `cmd:"" help:"Print the messages of topics of any broker."`
	State      stateCommand      `cmd:"" help:"Copy definitions and positions from one state to another."`
	Token      tokenCommand      `cmd:"" help:"Print the token that calls of the gateway's REST API need, if it asks for one."`
	Health     healthCommand     `cmd:"" help:"Ask a running gateway whether it is up; exit with 1 if it is not."`
	Completion completionCommand `cmd:"" help:"Print what a shell needs to complete commands, flags and names."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"Print what the last word may become."`
	Reference  referenceCommand  `cmd:"" hidden:"" help:"Write the pages of the reference."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// exited is what the parser's own exit (after --help) panics with.
type exited int

// execute parses the arguments and runs the command that they name.
func execute(ctx context.Context, args []string, s *streams) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			if r != exitGood {
				err = badUsage("see omconnect --help")
			}
		default:
			panic(r)
		}
	}()
	var grammar commandLine
	parser, err := newParser(&grammar, kong.Writers(s.out, s.err), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if e, ok := errors.AsType[*kong.ParseError](err); ok {
		return badUsage("%w; see omconnect %s--help", e, path(e.Context))
	}
	if err != nil {
		return usageError{err}
	}
	return command.Run()
}

// newParser returns the parser of the grammar.
func newParser(grammar *commandLine, options ...kong.Option) (*kong.Kong, error) {
	parser, err := kong.New(grammar, append(
		options,
		kong.Name("omconnect"),
		kong.Description("A gateway between databases, files and message brokers, after the OpenMessaging Connect draft."),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"url": defaultURL},
		kong.Bind(&grammar.logFlags, &connect.DefaultPlugins),
	)...)
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err) // a mistake in the grammar
	}
	return parser, nil
}

// path returns the command that was recognised so far, with a space at its end.
func path(c *kong.Context) string {
	if c == nil || c.Selected() == nil {
		return ""
	}
	return strings.TrimPrefix(c.Selected().Path(), c.Model.Name+" ") + " "
}

// runCommand is omconnect run.
type runCommand struct {
	gatewayFlags

	Config           string `short:"c" placeholder:"FILE" help:"Configuration, such as gateway.yaml. A flag or variable of the environment comes before it."`
	UntilIdle        bool   `help:"Exit when every source is quiet and every sink has all of it: 0, or 1 if a connector failed."`
	AcceptEmptyState bool   `help:"Start although the state store was emptied or is another one than before."`
	BrokerChanged    string `enum:",continue,restart" default:"" help:"Start connectors that worked with another broker so far: continue from their positions, or restart from the beginning. Without it they fail."`
}

// Run runs the gateway.
func (c *runCommand) Run(ctx context.Context, s *streams, logs *logFlags, plugins *connect.Plugins) error {
	settings, err := loadSettings(c.gatewayFlags, c.Config, plugins)
	if err != nil {
		return err
	}
	line := newStatusLine(s.err)
	logger := logs.logger(line)
	slog.SetDefault(logger) // drivers have no other
	for _, arg := range s.args {
		if redact.Text(arg) != arg {
			logger.Warn("everybody on this machine can see the password on the command line; use the environment or the file")
		}
	}
	g := &gateway{
		settings: settings, plugins: plugins, acceptState: c.AcceptEmptyState, brokerChange: connect.BrokerChange(c.BrokerChanged), untilIdle: c.UntilIdle,
		streams: s, line: line, logger: logger,
	}
	return g.run(ctx)
}

// versionCommand is omconnect version.
type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "omconnect", Version)
	return err
}
