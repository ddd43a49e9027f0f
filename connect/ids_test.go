package connect

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// Some records have a position, some share one, some have none and ride with
// the next. Read again behind any position, each has the id that it had.
func TestRecordReadAgainHasTheSameID(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, seed))
	const partition = `{"file":"a"}`
	var positions []string
	var ends []int // where a position is over: where reading may begin again
	for place := range 200 {
		position := ""
		if r.IntN(3) > 0 {
			position = fmt.Sprintf(`{"n":%d}`, place)
		}
		for range 1 + r.IntN(3) {
			positions = append(positions, position)
		}
		if position != "" {
			ends = append(ends, len(positions))
		}
	}
	read := func(from int, at []oms.Origin) []string {
		ids := newIDMaker("c", at)
		var list []string
		for _, position := range positions[from:] {
			noise := &oms.Message{Origin: &oms.Origin{Partition: `{"file":"b"}`, Position: fmt.Sprint(r.Int())}}
			ids.give(noise) // of another partition
			m := &oms.Message{Origin: &oms.Origin{Partition: partition, Position: position}}
			ids.give(m)
			list = append(list, m.ID)
		}
		return list
	}
	all := read(0, nil)
	seen := make(map[string]int)
	for i, id := range all {
		if j, twice := seen[id]; twice {
			t.Fatalf("seed %d: records %d and %d have one id", seed, j, i)
		}
		seen[id] = i
	}
	for _, from := range ends {
		again := read(from, []oms.Origin{{Partition: partition, Position: positions[from-1]}})
		for i, id := range again {
			if id != all[from+i] {
				t.Fatalf("seed %d: read again from %d, record %d has another id", seed, from, from+i)
			}
		}
	}
}

func TestIDOfTheConnectorIsKeptAndDiffersBetweenConnectors(t *testing.T) {
	give := func(connector, id string) string {
		m := &oms.Message{ID: id, Origin: &oms.Origin{Partition: "{}", Position: "{}"}}
		newIDMaker(connector, nil).give(m)
		return m.ID
	}
	if got := give("a", "mine"); got != "mine" {
		t.Errorf("the id was changed to %s", got)
	}
	if give("a", "") == give("b", "") {
		t.Error("two connectors give one id")
	}
}
