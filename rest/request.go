package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

// The requests. huma fills in the fields that have tags; Resolve checks them
// and reads the body itself, because huma's way would lose how numbers were
// written and take duplicate keys.

// A lookup asks about one connector.
type lookup struct {
	Name string `path:"name" doc:"Name of the connector."`
}

// Resolve implements huma.Resolver.
func (l *lookup) Resolve(huma.Context) []error { return failures(validName(l.Name)) }

// A command tells one connector something.
type command struct {
	Name string `path:"name" doc:"Name of the connector."`
}

// Resolve implements huma.Resolver.
func (c *command) Resolve(ctx huma.Context) []error { return failures(validName(c.Name), noBody(ctx)) }

// A restart is a command with options.
type restart struct {
	Name         string `path:"name" doc:"Name of the connector."`
	IncludeTasks bool   `query:"includeTasks" default:"false" doc:"Restart the tasks too, and answer with the status. Here they are restarted either way."`
	OnlyFailed   bool   `query:"onlyFailed" default:"false" doc:"Restart only if the connector or one of its tasks has failed, and answer with the status."`
}

// Resolve implements huma.Resolver.
func (r *restart) Resolve(ctx huma.Context) []error { return failures(validName(r.Name), noBody(ctx)) }

// A listing asks about all connectors.
type listing struct {
	Expand []string `query:"expand,explode" nullable:"false" doc:"What to tell of each connector: status, info, omconnect. Others are ignored."`

	expanded bool // even by ?expand=
}

// Resolve implements huma.Resolver.
func (l *listing) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	l.Expand, l.expanded = u.Query()["expand"]
	return nil
}

// A flatCreation is the draft's: the name in the path, and the configuration
// as the body.
type flatCreation struct {
	Name string `path:"name" doc:"Name of the connector."`

	request connect.Request
}

// Resolve implements huma.Resolver.
func (c *flatCreation) Resolve(ctx huma.Context) []error {
	if err := validName(c.Name); err != nil {
		return failures(err)
	}
	body, err := readBody(ctx)
	if err != nil {
		return failures(err)
	}
	o, err := decodeObject(body)
	if err != nil {
		return failures(err)
	}
	config, err := o.flat()
	c.request = connect.Request{Name: c.Name, Config: config}
	return failures(err)
}

// A creation is Kafka Connect's: name and configuration in the body.
type creation struct {
	request connect.Request
}

// Resolve implements huma.Resolver.
func (c *creation) Resolve(ctx huma.Context) []error {
	body, err := readBody(ctx)
	if err != nil {
		return failures(err)
	}
	o, err := decodeObject(body)
	if err != nil {
		return failures(err)
	}
	c.request, err = o.request()
	return failures(err)
}

// request reads the body of POST /connectors.
func (o object) request() (connect.Request, error) {
	var problems []string
	for _, key := range o.keys {
		if !slices.Contains([]string{"name", "config", "initial_state"}, key) {
			problems = append(problems, fmt.Sprintf("%.100q is no field of this request", key))
		}
	}
	name, ok := o.values["name"].(string)
	if !ok || name == "" {
		problems = append(problems, `"name" must be there, a string`)
	}
	config, ok := o.values["config"].(object)
	if !ok {
		problems = append(problems, `"config" must be there, an object`)
	}
	target, err := initialTarget(o.values["initial_state"])
	if err != nil {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		return connect.Request{}, fail(http.StatusBadRequest,
			`the request body must be {"name": …, "config": {…}}, with "initial_state" where it is wanted: `+strings.Join(problems, "; "))
	}
	flat, err := config.flat()
	return connect.Request{Name: name, Config: flat, Target: target}, err
}

// initialTarget reads initial_state, which may be null or left out.
func initialTarget(v any) (offsets.Target, error) {
	if v == nil {
		return offsets.TargetRunning, nil
	}
	s, _ := v.(string)
	target := offsets.Target(strings.ToUpper(s))
	if !slices.Contains([]offsets.Target{offsets.TargetRunning, offsets.TargetPaused, offsets.TargetStopped}, target) {
		return "", fmt.Errorf(`"initial_state" must be RUNNING, PAUSED or STOPPED`)
	}
	return target, nil
}

func validName(name string) error {
	if err := connect.ValidName(name); err != nil {
		return &oms.Error{Op: "check name", Code: oms.ErrInvalid, Err: err}
	}
	return nil
}

// failures are the answers of the errors that there are. huma calls one that
// has a status by that.
func failures(errs ...error) []error {
	var answers []error
	for _, err := range errs {
		if err != nil {
			answers = append(answers, answer(err))
		}
	}
	return answers
}
