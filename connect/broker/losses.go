package broker

import (
	"log/slog"
	"maps"
	"slices"

	"github.com/omconnect/omconnect/oms"
)

// losses counts what records have gone on without.
type losses struct {
	log    *slog.Logger
	counts map[string]int64 // by kind
}

// note counts a record, and warns about the first of its kind.
func (l *losses) note(f feature, m *oms.Message, target oms.AccessPoint) {
	l.counts[f.kind]++
	if l.counts[f.kind] == 1 {
		l.log.Warn("a record has something that the target cannot carry; further ones are counted",
			"record", place(m), "has", f.kind, "target", target.String(), "becomes", f.becomes)
	}
}

// report logs how many there were.
func (l *losses) report() {
	for _, kind := range slices.Sorted(maps.Keys(l.counts)) {
		l.log.Warn("records have gone on without something that the target cannot carry", "had", kind, "records", l.counts[kind])
	}
	clear(l.counts)
}
