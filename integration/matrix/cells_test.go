package matrix

import (
	"fmt"
	"testing"
)

// A cell is a place in the matrix.
type cell struct {
	broker, state, shape, mode int
	kill                       bool // the gateway is killed too, not only stopped
}

var modes = []string{"pull", "push"}

func (c cell) String() string {
	text := fmt.Sprintf("%s/%s", brokers[c.broker].name, c.definition())
	if c.kill {
		text += "/kill"
	}
	return text
}

// definition names what a cell has in common with those of other brokers.
func (c cell) definition() string {
	return fmt.Sprintf("%s-%s-%s", states[c.state].name, shapes[c.shape].name, modes[c.mode])
}

// pairwise returns cells in which any two values of two dimensions meet.
func pairwise() (cells []cell) {
	for s := range shapes {
		for b := range brokers {
			cells = append(cells, cell{broker: b, shape: s, state: (b + s) % 2, mode: (b/2 + s) % 2, kill: (b+b/2+s/2)%2 == 0})
		}
	}
	return cells
}

// whole returns all cells.
func whole() (cells []cell) {
	for state := range states {
		for mode := range modes {
			for s := range shapes {
				for b := range brokers {
					cells = append(cells, cell{broker: b, state: state, shape: s, mode: mode, kill: (state+mode+s+b)%2 == 0})
				}
			}
		}
	}
	return cells
}

func TestAllPairsMeet(t *testing.T) {
	t.Parallel()
	for name, cells := range map[string][]cell{"pairwise": pairwise(), "whole": whole()} {
		meet := make(map[[4]int]bool) // dimension, value, dimension, value
		for _, c := range cells {
			values := []int{c.broker, c.state, c.shape, c.mode, 0}
			if c.kill {
				values[4] = 1
			}
			for i, v := range values {
				for j, w := range values {
					meet[[4]int{i, v, j, w}] = true
				}
			}
		}
		sizes := []int{len(brokers), len(states), len(shapes), len(modes), 2}
		for i, m := range sizes {
			for j, n := range sizes[:i] {
				for v := range m {
					for w := range n {
						if !meet[[4]int{i, v, j, w}] {
							t.Errorf("%s: value %d of dimension %d does not meet value %d of dimension %d", name, v, i, w, j)
						}
					}
				}
			}
		}
	}
}
