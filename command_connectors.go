package omconnect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/rest/client"
)

// defaultURL is the address of a gateway that was told nothing.
const defaultURL = "http://" + defaultListen

// connectorsCommand is omconnect connectors: the client of the REST API.
type connectorsCommand struct {
	outputFlag

	callFlags

	List    listConnectors   `cmd:"" help:"List the connectors and what they are doing."`
	Create  createConnector  `cmd:"" help:"Create a connector."`
	Get     getConnector     `cmd:"" help:"Print the configuration of a connector."`
	Status  connectorStatus  `cmd:"" help:"Print all that is known of what a connector is doing."`
	Pause   pauseConnector   `cmd:"" help:"Have a connector stop reading, and keep what is costly."`
	Resume  resumeConnector  `cmd:"" help:"Have a connector run again."`
	Restart restartConnector `cmd:"" help:"Have a connector start anew from its positions."`
	Delete  deleteConnector  `cmd:"" help:"Delete a connector; its positions are kept."`
}

// AfterApply gives the commands below what they share.
func (c *connectorsCommand) AfterApply(command *kong.Context) error {
	gateway, err := c.client()
	if err != nil {
		return err
	}
	command.Bind(gateway, &c.outputFlag)
	return nil
}

// called words the error of a call, and tells a configuration that the gateway
// refuses from a failure.
func called(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok && (e.Code == http.StatusBadRequest || e.Code == http.StatusUnprocessableEntity) {
		return usageError{err}
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == http.StatusUnauthorized {
		return badUsage("%w; set "+tokenVariable+", or name the data folder of a gateway on this machine with --data", err)
	}
	e, ok := errors.AsType[*oms.Error](err)
	switch {
	case ok && e.Code == oms.ErrInvalid:
		return usageError{err}
	case ok && e.Code == oms.ErrUnavailable && e.Err != nil:
		return e.Err // it says the address, and what to do
	}
	return err
}

type listConnectors struct{}

// Run lists the connectors.
func (listConnectors) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	all, err := gateway.List(ctx)
	if err != nil {
		return called(err)
	}
	for i := range all {
		redactStatus(&all[i])
	}
	if output.Output == "json" {
		return writeJSON(s.out, all)
	}
	rows := make([][]string, 0, len(all))
	for _, c := range all {
		rows = append(rows, []string{c.Name, c.Type, c.State, strconv.Itoa(len(c.Tasks)), strconv.FormatInt(records(c), 10), c.Cause})
	}
	return writeTable(s.out, []string{"NAME", "TYPE", "STATE", "TASKS", "RECORDS", "CAUSE"}, rows)
}

func records(c client.Status) (n int64) {
	for _, t := range c.Tasks {
		n += t.Records
	}
	return n
}

type createConnector struct {
	Name string   `arg:"" help:"Name of the connector."`
	Keys []string `arg:"" optional:"" name:"key=value" help:"Its configuration, instead of a file."`
	File string   `short:"f" placeholder:"FILE" help:"Its configuration in YAML or JSON; - or nothing for stdin."`
}

// Run creates the connector.
func (c *createConnector) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	config, err := c.config(s.in)
	if err != nil {
		return err
	}
	made, err := gateway.Create(ctx, c.Name, config)
	if err != nil {
		return called(err)
	}
	return printConnector(s, made, output)
}

// config reads the configuration from where the arguments say.
func (c *createConnector) config(stdin io.Reader) (oms.KeyValue, error) {
	if len(c.Keys) > 0 {
		if c.File != "" {
			return nil, badUsage("the configuration comes from a file or from key=value, not from both")
		}
		return pairs(c.Keys)
	}
	ps := &problems{file: c.File}
	data, err := c.read(stdin)
	if err != nil {
		return nil, err
	}
	if c.File == "" || c.File == "-" {
		ps.file = "stdin"
	}
	request, _ := readConnector(data, ps)
	if request.Name != "" && request.Name != c.Name {
		ps.add(0, "name", "is not %s, which the command names", c.Name)
	}
	return request.Config, ps.err()
}

func (c *createConnector) read(stdin io.Reader) ([]byte, error) {
	if c.File != "" && c.File != "-" {
		return readFile(c.File)
	}
	data, err := io.ReadAll(stdin)
	if err != nil {
		return nil, fmt.Errorf("stdin: cannot be read: %w", err)
	}
	return data, nil
}

type getConnector struct {
	Name string `arg:"" help:"Name of the connector."`
}

// Run prints the configuration.
func (c *getConnector) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	got, err := gateway.Get(ctx, c.Name)
	if err != nil {
		return called(err)
	}
	return printConnector(s, got, output)
}

func printConnector(s *streams, c client.Connector, output *outputFlag) error {
	if output.Output == "json" {
		return writeJSON(s.out, c)
	}
	rows := make([][]string, 0, len(c.Config))
	for _, key := range oms.KeyValue(c.Config).Keys() {
		rows = append(rows, []string{key, c.Config[key]})
	}
	return writeTable(s.out, nil, rows)
}

type connectorStatus struct {
	Name string `arg:"" help:"Name of the connector."`
}

// Run prints the status.
func (c *connectorStatus) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	got, err := gateway.Status(ctx, c.Name)
	if err != nil {
		return called(err)
	}
	redactStatus(&got)
	if output.Output == "json" {
		return writeJSON(s.out, got)
	}
	var rows [][]string
	say := func(what, text string) {
		if text != "" {
			rows = append(rows, []string{what, text})
		}
	}
	say("name", got.Name)
	say("type", got.Type)
	say("state", got.State)
	say("target", got.Target)
	say("defined in", got.Origin)
	say("worker", got.Worker)
	say("since", clock(got.Since))
	say("by", got.By)
	say("cause", got.Cause)
	if err := writeTable(s.out, nil, rows); err != nil || len(got.Tasks) == 0 {
		return err
	}
	rows = nil
	for _, t := range got.Tasks {
		rows = append(rows, []string{
			strconv.Itoa(t.ID), t.State, strconv.FormatInt(t.Records, 10), clock(t.Since),
			strconv.Itoa(t.Attempts), clock(t.NextRetry), t.Cause,
		})
	}
	if _, err := fmt.Fprintln(s.out); err != nil {
		return err
	}
	return writeTable(s.out, []string{"TASK", "STATE", "RECORDS", "SINCE", "ATTEMPTS", "NEXT TRY", "CAUSE"}, rows)
}

// redactStatus removes passwords from the texts of failures, which quote what
// databases and brokers said.
func redactStatus(s *client.Status) {
	s.Cause, s.Trace = redact.Text(s.Cause), redact.Text(s.Trace)
	for i := range s.Tasks {
		s.Tasks[i].Cause, s.Tasks[i].Trace = redact.Text(s.Tasks[i].Cause), redact.Text(s.Tasks[i].Trace)
	}
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

type pauseConnector struct {
	Name string `arg:"" help:"Name of the connector."`
}

// Run pauses the connector.
func (c *pauseConnector) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	return ask(ctx, s, output, gateway.Pause, c.Name, "pauses")
}

type resumeConnector struct {
	Name string `arg:"" help:"Name of the connector."`
}

// Run resumes the connector.
func (c *resumeConnector) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	return ask(ctx, s, output, gateway.Resume, c.Name, "resumes")
}

type restartConnector struct {
	Name string `arg:"" help:"Name of the connector."`
}

// Run restarts the connector.
func (c *restartConnector) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	return ask(ctx, s, output, gateway.Restart, c.Name, "restarts")
}

type deleteConnector struct {
	Name string `arg:"" help:"Name of the connector."`
}

// Run deletes the connector.
func (c *deleteConnector) Run(ctx context.Context, s *streams, gateway *client.Client, output *outputFlag) error {
	return ask(ctx, s, output, gateway.Delete, c.Name, "is deleted")
}

// ask makes a call that answers nothing, and says what follows from it.
func ask(ctx context.Context, s *streams, output *outputFlag, call func(context.Context, string) error, name, follows string) error {
	if err := call(ctx, name); err != nil {
		return called(err)
	}
	if output.Output == "json" {
		return nil
	}
	_, err := fmt.Fprintf(s.out, "%s %s\n", printable(strings.TrimSpace(name)), follows)
	return err
}
