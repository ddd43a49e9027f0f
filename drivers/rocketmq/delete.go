package rocketmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/omconnect/omconnect/oms"
)

// looks is how often a broker is asked where its log ends before what it has
// taken counts as all that it will take: a message may just be on its way there.
const looks = 3

// DeleteTopic removes the topic from all masters and name servers.
//
// A broker that comes to index a message while it deletes the topic's index
// dies as a whole: its JVM writes to memory that is not mapped any more. So the
// topic is left without queues first, and the broker indexes what it has taken.
func (c *conn) DeleteTopic(ctx context.Context, name string) error {
	const op = "delete topic"
	if err := c.options.checkTopic(name); err != nil {
		return invalid(op, name, err)
	}
	r, err := c.routes.found(ctx, name)
	if err == nil && len(r.masters) == 0 {
		err = errNoMaster
	}
	if err != nil {
		return classify(op, name, err)
	}
	fields := map[string]string{"topic": r.native}
	for _, address := range r.brokers() {
		if err := c.quiet(ctx, address, r.native); err != nil {
			return classify(op, name, err)
		}
		if _, err := c.askBroker(ctx, address, reqDeleteTopic, fields); err != nil {
			return classify(op, name, err)
		}
	}
	for _, host := range c.options.hosts {
		if _, err := c.peers.ask(ctx, host, reqDeleteTopicInName, fields, nil); err != nil && codeOf(err) != oms.ErrNotFound {
			return classify(op, name, err)
		}
	}
	c.routes.drop(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	for o := range c.open {
		if r, ok := o.(*receiver); ok {
			r.topicGone(name)
		}
	}
	return nil
}

// quiet returns when a broker takes no more messages for a topic, and has
// indexed those that it took. With an error the topic is as it was, if the
// broker can be told so.
//
// Brokers do not ask for a topic's permissions when they are sent to, but do
// for the number of its queues.
func (c *conn) quiet(ctx context.Context, address, native string) error {
	config, err := c.configAt(ctx, address, native)
	if _, answered := errors.AsType[*answerError](err); err != nil && !answered {
		return err
	}
	if config == nil {
		return c.awaitIndex(ctx, address)
	}
	closed := *config
	closed.Read, closed.Write = 0, 0
	if err = c.configure(ctx, address, native, &closed); err == nil {
		err = c.awaitIndex(ctx, address)
	}
	if err == nil {
		return nil
	}
	// Also a request that had no answer may have been done.
	if failed := c.configure(context.WithoutCancel(ctx), address, native, config); failed != nil {
		return fmt.Errorf("%w; the topic may be left without queues at %s (%v): delete it again", err, address, failed)
	}
	return err
}

// awaitIndex waits until a broker has indexed what it has stored by now. One
// that cannot tell is not waited for.
func (c *conn) awaitIndex(ctx context.Context, address string) error {
	looked, end := 0, int64(0)
	why := "it has not said"
	err := c.await(ctx, func() (bool, error) {
		a, err := c.askBroker(ctx, address, reqRuntimeInfo, nil)
		if answer, ok := errors.AsType[*answerError](err); ok && (answer.code == resNotSupported || answer.code == resError) {
			why = err.Error() // with resError it is too young to tell
			return answer.code == resNotSupported, nil
		}
		if err != nil {
			return false, err
		}
		var info struct {
			Table struct { // in bytes of the log
				End    int64 `json:"commitLogMaxOffset,string"`
				Behind int64 `json:"dispatchBehindBytes,string"`
			} `json:"table"`
		}
		if err := decodeJSON(a.body, &info); err != nil {
			return false, err
		}
		looked++
		if looked <= looks {
			end = info.Table.End
		}
		why = fmt.Sprintf("%d bytes are left", info.Table.Behind)
		return looked >= looks && info.Table.End-info.Table.Behind >= end, nil
	})
	if err != nil {
		return fmt.Errorf("waiting until the broker at %s has indexed what it stored (%s): %w", address, why, err)
	}
	return nil
}
