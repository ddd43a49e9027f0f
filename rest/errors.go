package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/omconnect/omconnect/internal/redact"
	"github.com/omconnect/omconnect/oms"
)

// An Error is the body of every answer that is not a success.
type Error struct {
	Code    int    `json:"error_code" doc:"The answer's status code."`
	Message string `json:"message" doc:"What is wrong, and what to do about it."`
}

var _ huma.StatusError = (*Error)(nil)

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// GetStatus returns the status code.
func (e *Error) GetStatus() int { return e.Code }

// statuses is the one table that turns codes into answers. Codes that are not
// in it are the gateway's own trouble: an internal error, told in the log.
var statuses = map[oms.Code]int{
	oms.ErrInvalid:     http.StatusBadRequest,
	oms.ErrUnsupported: http.StatusBadRequest, // existing clients show the message of a 400
	oms.ErrNotFound:    http.StatusNotFound,
	oms.ErrExists:      http.StatusConflict,
	oms.ErrAborted:     http.StatusConflict,
	oms.ErrHeld:        http.StatusConflict,
	oms.ErrTooLarge:    http.StatusRequestEntityTooLarge,
	oms.ErrUnavailable: http.StatusServiceUnavailable,
	oms.ErrBusy:        http.StatusServiceUnavailable,
	oms.ErrClosed:      http.StatusServiceUnavailable,
	oms.ErrTimeout:     http.StatusGatewayTimeout,
}

// answer turns an error into what the client is told of it.
func answer(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	code := oms.CodeOf(err)
	if code == "" { // the contexts are this package's own
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			code = oms.ErrTimeout
		case errors.Is(err, context.Canceled):
			code = oms.ErrClosed
		}
	}
	status, ok := statuses[code]
	if !ok {
		return fail(http.StatusInternalServerError, "internal error")
	}
	return fail(status, explain(err))
}

// fail returns the answer of that status.
func fail(status int, message string) *Error {
	return &Error{Code: status, Message: presentable(message)}
}

// explain words an error for its reader. Of an *oms.Error about the request
// the cause says it best; of others, the operation and the store matter.
func explain(err error) string {
	if problems, ok := errors.AsType[oms.KeyErrors](err); ok {
		return explainProblems(problems)
	}
	if e, ok := errors.AsType[*oms.Error](err); ok && e.Err != nil {
		if slices.Contains([]oms.Code{oms.ErrNotFound, oms.ErrExists, oms.ErrHeld, oms.ErrInvalid}, e.Code) {
			return e.Err.Error()
		}
	}
	return err.Error()
}

// noClass is how the message on an unknown class begins: clients look for it.
const noClass = "Failed to find any class that implements Connector"

// explainProblems lists what is wrong with a configuration, beginning as Kafka
// Connect does.
func explainProblems(problems oms.KeyErrors) string {
	if len(problems) == 1 && strings.HasPrefix(problems[0].Problem, noClass) {
		return problems[0].Problem
	}
	const most = 100 // nobody reads more, and a body may have very many keys
	var b strings.Builder
	fmt.Fprintf(&b, "Connector configuration is invalid and contains the following %d error(s):\n", len(problems))
	for i, p := range problems {
		if i == most {
			fmt.Fprintf(&b, "(and %d more)\n", len(problems)-most)
			break
		}
		fmt.Fprintf(&b, "%s\n", p.Error())
	}
	b.WriteString("Nothing was changed; correct the configuration and send it again.")
	return b.String()
}

// rebalance is a word that makes some clients wait and try again, whatever
// the status. Nothing here passes by waiting for one.
var rebalance = regexp.MustCompile(`(?i)(re)(balanc)`)

// presentable makes a message fit to be sent.
func presentable(message string) string {
	const longest = 32 << 10
	message = redact.Users(message) // before a cut hides the @
	if len(message) > longest {
		cut := longest
		for !utf8.RuneStart(message[cut]) {
			cut--
		}
		message = message[:cut] + "…"
	}
	return rebalance.ReplaceAllString(message, "$1-$2")
}

// From here on huma too answers with our body, for every API in the process
// as it has one setting for all of them.
func init() { //nolint:gochecknoinits // it is a registration
	huma.NewError = newHumaError
}

// newHumaError words what huma itself found wrong. The values that it would
// echo are left out: they may be secret.
func newHumaError(status int, message string, errs ...error) huma.StatusError {
	var details []string
	for _, err := range errs {
		if e, ok := errors.AsType[*Error](err); ok {
			return e
		}
		if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			details = append(details, strings.TrimPrefix(d.Location+": "+d.Message, ": "))
		}
	}
	switch {
	case status == http.StatusUnprocessableEntity:
		status = http.StatusBadRequest // clients of Kafka Connect know no other
	case status >= http.StatusInternalServerError:
		return fail(status, "internal error")
	}
	if len(details) > 0 {
		message += ": " + strings.Join(details, "; ")
	}
	return fail(status, message)
}
