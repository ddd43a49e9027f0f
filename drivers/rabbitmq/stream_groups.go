package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/omconnect/omconnect/oms"
)

// AMQP 0-9-1 keeps no positions of streams. So each group has a small stream
// for each partition, whose last message is its position: anybody can read it,
// also while a member is writing the next one.

// A position is where a group goes on in a topic.
type position struct {
	identity string // of the topic
	offset   int64
}

// positionForm is the version of what a position looks like.
const positionForm = "1"

func (p position) String() string {
	return positionForm + " " + p.identity + " " + strconv.FormatInt(p.offset, 10)
}

// parsePosition refuses what another version may have written.
func parsePosition(text string) (p position, err error) {
	form, rest, _ := strings.Cut(text, " ")
	identity, number, _ := strings.Cut(rest, " ")
	p.identity = identity
	p.offset, err = strconv.ParseInt(number, 10, 64)
	if form != positionForm || err != nil {
		return p, &oms.Error{Code: oms.ErrFormat, Err: fmt.Errorf("the position is %.100q, want %s, an identity and an offset", text, positionForm)}
	}
	return p, nil
}

// position returns a group's position, and whether there is one: that of an
// earlier topic of the name is none.
func (c *conn) position(ctx context.Context, group string, p oms.Partition, identity string) (offset int64, ok bool, err error) {
	name := positionQueue(group, p)
	q, found, err := c.queue(ctx, name)
	if err != nil || !found {
		return 0, false, err
	}
	ds, err := c.readSurely(ctx, name, lastChunk, mostPrefetch)
	switch {
	case err != nil:
		return 0, false, err
	case len(ds) == 0 && q.Messages > 0:
		return 0, false, &oms.Error{Code: oms.ErrUnavailable, Err: fmt.Errorf("stream %s does not tell the position that it has", name)}
	case len(ds) == 0: // whoever made it has not come to write one
		return 0, false, nil
	}
	at, err := parsePosition(string(ds[len(ds)-1].Body))
	if err != nil {
		return 0, false, fmt.Errorf("stream %s: %w", name, err)
	}
	return at.offset, at.identity == identity, nil
}

// store notes a group's position, and returns when the broker has it. A stream
// for it that others have deleted is made again.
func (c *conn) store(ctx context.Context, group string, p oms.Partition, at position) error {
	name, text := positionQueue(group, p), []string{at.String()}
	err := c.put(ctx, name, text)
	if !isCode(err, amqp.NoRoute) {
		return err
	}
	if err := c.declareStream(ctx, name, noteArguments); err != nil {
		return err
	}
	return c.put(ctx, name, text)
}

// settlePosition returns a group's position, and has it begin where start says
// if there is none.
func (c *conn) settlePosition(ctx context.Context, group string, p oms.Partition, identity string, start oms.Start) (offset int64, err error) {
	offset, ok, err := c.position(ctx, group, p, identity)
	if err != nil || ok {
		return offset, err
	}
	err = c.locked(ctx, func() error { // a second beginning could skip messages
		if err := c.declareStream(ctx, positionQueue(group, p), noteArguments); err != nil {
			return err
		}
		if offset, ok, err = c.position(ctx, group, p, identity); err != nil || ok {
			return err
		}
		if offset, err = c.offset(ctx, p, start); err != nil {
			return err
		}
		return c.store(ctx, group, p, position{identity, offset})
	})
	return offset, err
}

// offset returns where a group would begin.
func (c *conn) offset(ctx context.Context, p oms.Partition, start oms.Start) (int64, error) {
	if start.From == oms.StartAtTime {
		return c.offsetAt(ctx, p, start.At)
	}
	e, err := c.edgesOf(ctx, p)
	if start.From == oms.StartLatest {
		return e.next, err
	}
	return e.first, err
}

// joinStreams makes the positions of a group for a topic that is there.
func (c *conn) joinStreams(ctx context.Context, group, topic string, start oms.Start) error {
	return c.partitioned(ctx, topic, func(p oms.Partition, identity string) error {
		if err := tooLong(positionQueue(group, p)); err != nil {
			return err
		}
		_, err := c.settlePosition(ctx, group, p, identity, start)
		return err
	})
}

// partitioned calls f for each partition of a topic.
func (c *conn) partitioned(ctx context.Context, topic string, f func(p oms.Partition, identity string) error) error {
	n, err := c.partitions(ctx, topic)
	if err != nil {
		return err
	}
	identity, err := c.identityOf(ctx, topic)
	if err != nil {
		return err
	}
	for number := range n {
		if err := f(oms.Partition{Topic: topic, Number: number}, identity); err != nil {
			return err
		}
	}
	return nil
}

// deletePositions forgets how far a group has come. The topic may be gone.
func (c *conn) deletePositions(ctx context.Context, group, topic string) error {
	for number := range mostPartitions {
		name := positionQueue(group, oms.Partition{Topic: topic, Number: number})
		if len(name) > shortString {
			return nil // there can be none
		}
		_, found, err := c.queue(ctx, name)
		if err != nil || !found {
			return err
		}
		if err := c.deleteQueue(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Offsets implements oms.OffsetFinder, for streams.
func (c *conn) Offsets(ctx context.Context, topics []string, start oms.Start) (map[oms.Partition]int64, error) {
	offsets := make(map[oms.Partition]int64)
	err := c.eachPartition(ctx, topics, func(p oms.Partition, _ string) (err error) {
		offsets[p], err = c.offset(ctx, p, start)
		return err
	})
	if err != nil {
		return nil, fail("find offsets", strings.Join(topics, ", "), err)
	}
	return offsets, nil
}

// Positions implements oms.GroupPositioner, for streams.
func (c *conn) Positions(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	positions := make(map[oms.Partition]int64)
	err := c.eachPartition(ctx, topics, func(p oms.Partition, identity string) error {
		offset, ok, err := c.position(ctx, group, p, identity)
		if ok {
			positions[p] = offset
		}
		return err
	})
	if err != nil {
		return nil, fail("find positions of", group, err)
	}
	return positions, nil
}

func (c *conn) eachPartition(ctx context.Context, topics []string, f func(p oms.Partition, identity string) error) error {
	if !c.opts.isStream() {
		return errNoOffsets()
	}
	topics, err := checkTopics(topics)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		if err := c.partitioned(ctx, topic, f); err != nil {
			return err
		}
	}
	return nil
}

// streamLag returns what a group has not acknowledged. It knows of what is
// acknowledged here at once, of other members when they have stored it. Where
// the broker keeps something of its own among the messages, that counts until
// it is passed.
func (c *conn) streamLag(ctx context.Context, group string, topics []string) (map[oms.Partition]int64, error) {
	lag := make(map[oms.Partition]int64)
	for _, topic := range topics {
		err := c.eachPartition(ctx, []string{topic}, func(p oms.Partition, identity string) error {
			offset, ok := c.ownPosition(group, p)
			if !ok {
				var err error
				if offset, ok, err = c.position(ctx, group, p, identity); err != nil {
					return err
				}
			}
			e, err := c.edgesOf(ctx, p)
			if !ok {
				offset = e.first
			}
			lag[p] = max(0, e.next-max(offset, e.first))
			return err
		})
		if err != nil && oms.CodeOf(err) != oms.ErrNotFound && !errors.Is(err, oms.ErrNotFound) {
			return nil, err
		}
	}
	return lag, nil
}

// ownPosition returns the position of a group where a receiver of this
// connection reads the partition.
func (c *conn) ownPosition(group string, p oms.Partition) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.streams {
		if r.cfg.Group != group {
			continue
		}
		if offset, ok := r.positionOf(p); ok {
			return offset, true
		}
	}
	return 0, false
}
