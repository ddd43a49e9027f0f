package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// A comparison is a figure of two sides that were measured in pairs.
type comparison struct {
	name         string
	target       float64 // that the ratio of the rates should reach; 0: none
	limit        int64   // bytes of memory that ours should stay under; 0: none
	ours, theirs []sample
}

// ratios returns the ratio of the rates, pair by pair.
func (c *comparison) ratios() []float64 {
	ratios := make([]float64, 0, len(c.ours))
	for i, s := range c.ours {
		ratios = append(ratios, s.rate()/c.theirs[i].rate())
	}
	return ratios
}

// inPairs runs each side once for every pair. Every other pair runs them in
// the opposite order, so that what drifts on the machine hits both alike.
func (b *bench) inPairs(name string, sides ...func() error) error {
	for i := range b.pairs {
		b.say("%s: pair %d of %d", name, i+1, b.pairs)
		order := slices.Clone(sides)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, run := range order {
			if err := run(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// The targets.
const (
	brokerTarget   = 0.85
	driverTarget   = 0.9
	pipelineTarget = 0.8
	pipelineLimit  = 200 << 20
)

// compareBroker publishes and receives with each client.
func (b *bench) compareBroker(ctx context.Context, partitions int) ([]*comparison, error) {
	name := count(partitions, "partition")
	tasks := []task{{Client: clientOMS}, {Client: clientBare}}
	if partitions == 1 {
		tasks = append(tasks, task{Client: clientNoIDs})
	}
	for i := range tasks {
		tasks[i].Records, tasks[i].Partitions = b.records, partitions
	}
	got, err := b.clientsInPairs(ctx, "broker, "+name, tasks...)
	if err != nil {
		return nil, err
	}
	all := []*comparison{
		{name: "publish, " + name, target: brokerTarget, ours: got[clientOMS][publish], theirs: got[clientBare][publish]},
		{name: "receive, " + name, target: brokerTarget, ours: got[clientOMS][receive], theirs: got[clientBare][receive]},
	}
	if partitions == 1 {
		all = append(all, &comparison{name: "publish, against no ids", ours: got[clientOMS][publish], theirs: got[clientNoIDs][publish]})
	}
	return all, nil
}

// clientsInPairs runs clients in turns, and returns what each measured in each
// step.
func (b *bench) clientsInPairs(ctx context.Context, name string, tasks ...task) (map[string]map[string][]sample, error) {
	got := make(map[string]map[string][]sample)
	var sides []func() error
	for _, t := range tasks {
		got[t.Client] = make(map[string][]sample)
		sides = append(sides, func() error {
			samples, err := b.runClient(ctx, t)
			for step, s := range samples {
				got[t.Client][step] = append(got[t.Client][step], s)
			}
			return err
		})
	}
	return got, b.inPairs(name, sides...)
}

// runClient has a client publish, and receive what it has published if it can,
// each in a process of its own.
func (b *bench) runClient(ctx context.Context, t task) (got map[string]sample, err error) {
	if t.Dir, err = os.MkdirTemp(b.dir, t.Client+"-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.Dir)) }()
	t.Topic = b.newTopic()
	got = make(map[string]sample)
	for _, t.Step = range []string{publish, receive} {
		if clients[t.Client][t.Step] == nil {
			continue
		}
		s, err := b.runTask(ctx, t)
		if err != nil {
			return nil, err
		}
		got[t.Step] = s
	}
	return got, nil
}

// newTopic returns the name of a topic that no run has used.
func (b *bench) newTopic() string {
	b.topics++
	return fmt.Sprintf("bench-%d", b.topics)
}

// comparePipeline moves files through the program, and as many messages
// through the bare client: publishing and receiving one after the other is
// what a pipeline would take that costs nothing itself and overlaps nothing.
func (b *bench) comparePipeline(ctx context.Context) (*comparison, error) {
	c := &comparison{name: "file to file", target: pipelineTarget, limit: pipelineLimit}
	ours := func() error {
		s, err := b.runPipeline(ctx)
		c.ours = append(c.ours, s)
		return err
	}
	theirs := func() error {
		got, err := b.runClient(ctx, task{Client: clientBare, Records: b.records, Partitions: 1})
		if err != nil {
			return err
		}
		p, r := got[publish], got[receive]
		c.theirs = append(c.theirs, sample{
			Records: b.records, Took: p.Took + r.Took, CPU: p.CPU + r.CPU, Peak: max(p.Peak, r.Peak),
		})
		return nil
	}
	return c, b.inPairs(c.name, ours, theirs)
}
