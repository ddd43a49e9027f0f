package embedded

import (
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

// laneHeaders are those that a message of ours has and no sender gave it.
var laneHeaders = [...]string{envelopeHeader, jetstream.MsgIDHeader, jetstream.ExpectedLastMsgIDHeader}

// foreignHeaders returns the NATS headers behind the first so many of each
// name, sorted by name: NATS keeps no order between names.
func foreignHeaders(header nats.Header, taken map[string]int) oms.Headers {
	ours := laneHeaders[:0]
	if _, ok := header[envelopeHeader]; ok {
		ours = laneHeaders[:]
	}
	theirs := len(header)
	for _, name := range ours {
		if _, ok := header[name]; ok {
			theirs--
		}
	}
	if theirs == 0 { // as a rule; walking through a map costs more than this
		return nil
	}
	var names []string
	for name, values := range header {
		if !slices.Contains(ours, name) && len(values) > taken[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var hs oms.Headers
	for _, name := range names {
		for _, value := range header[name][taken[name]:] {
			hs = append(hs, oms.Header{Name: strings.TrimPrefix(name, envelope.Ward), Value: []byte(value)})
		}
	}
	return hs
}
