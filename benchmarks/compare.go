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
	pipelineTarget = 0.8
	pipelineLimit  = 200 << 20
)

// compareBroker publishes and receives with each client.
func (b *bench) compareBroker(ctx context.Context, partitions int) ([]*comparison, error) {
	name := fmt.Sprintf("%d partition", partitions)
	if partitions > 1 {
		name += "s"
	}
	got := make(map[string]map[string][]sample)
	var sides []func() error
	add := func(client string) {
		got[client] = make(map[string][]sample)
		sides = append(sides, func() error {
			samples, err := b.runClient(ctx, client, partitions)
			for step, s := range samples {
				got[client][step] = append(got[client][step], s)
			}
			return err
		})
	}
	add(clientOMS)
	add(clientBare)
	if partitions == 1 {
		add(clientNoIDs)
	}
	if err := b.inPairs("broker, "+name, sides...); err != nil {
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

// runClient has a client publish, and receive what it has published if it can,
// each in a process of its own.
func (b *bench) runClient(ctx context.Context, client string, partitions int) (got map[string]sample, err error) {
	dir, err := os.MkdirTemp(b.dir, client+"-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	got = make(map[string]sample)
	for _, step := range []string{publish, receive} {
		if clients[client][step] == nil {
			continue
		}
		s, err := b.runTask(ctx, task{Client: client, Step: step, Dir: dir, Records: b.records, Partitions: partitions})
		if err != nil {
			return nil, err
		}
		got[step] = s
	}
	return got, nil
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
		got, err := b.runClient(ctx, clientBare, 1)
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
