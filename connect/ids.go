package connect

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/omconnect/omconnect/oms"
)

// An idMaker gives messages without an id one that depends on where they come
// from and nothing else, so that a record that is read again is recognised.
// Records of one position are told apart by their number, those without a
// position by their number since the last one that has one, be it from before
// a restart. One goroutine uses it.
type idMaker struct {
	connector string
	last      map[string]*place // by partition
}

type place struct {
	position string
	at       int // records of the position
	after    int // records without one, since
}

// newIDMaker returns an idMaker for a source that goes on from the positions.
func newIDMaker(connector string, from []oms.Origin) *idMaker {
	g := &idMaker{connector: connector, last: make(map[string]*place)}
	for _, o := range from {
		g.last[o.Partition] = &place{position: o.Position}
	}
	return g
}

func (g *idMaker) give(m *oms.Message) {
	p := g.last[m.Origin.Partition]
	if p == nil {
		p = new(place)
		g.last[m.Origin.Partition] = p
	}
	kind, index := "after", 0
	switch m.Origin.Position {
	case "":
		p.after++
		index = p.after
	case p.position:
		p.at++
		kind, index = "at", p.at
	default:
		*p = place{position: m.Origin.Position, at: 1}
		kind, index = "at", 1
	}
	if m.ID != "" {
		return
	}
	text := make([]byte, 0, 256)
	for _, part := range []string{g.connector, m.Origin.Partition, p.position, kind} {
		text = append(append(text, part...), 0)
	}
	sum := sha256.Sum256(strconv.AppendInt(text, int64(index), 10))
	m.ID = hex.EncodeToString(sum[:16])
}
