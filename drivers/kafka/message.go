package kafka

import (
	"strings"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
)

// The headers that carry the parts of a message for which a record has no
// place of its own.
const (
	headerID          = "oms-id"
	headerBorn        = "oms-born"
	headerCorrelation = "oms-correlation-id"
	headerExpires     = "oms-expires"
	headerTraceParent = "traceparent"
	headerTraceState  = "tracestate"
	headerPrefix      = "oms-"        // of all that are ours
	headerWard        = envelope.Ward // before the name of one that looks like ours and is not
)

// The names of ours as records have them. Nobody changes these bytes.
var (
	nameID          = []byte(headerID)
	nameBorn        = []byte(headerBorn)
	nameCorrelation = []byte(headerCorrelation)
	nameExpires     = []byte(headerExpires)
	nameTraceParent = []byte(headerTraceParent)
	nameTraceState  = []byte(headerTraceState)
	nameWard        = []byte(headerWard)
)

// warded is the name under which a header travels.
func warded(name string) string {
	if strings.HasPrefix(name, headerPrefix) || name == headerTraceParent || name == headerTraceState {
		return headerWard + name
	}
	return name
}
