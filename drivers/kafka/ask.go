package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/internal/sleep"
	"github.com/omconnect/omconnect/oms"
)

// Back-off between attempts at a request.
const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 2 * time.Second
	openAgain  = 10 * time.Millisecond // after somebody else has dropped the connection
	attempts   = 5                     // of a request that a leader or coordinator is to answer
)

// ask makes a metadata request of the first broker that answers: one that is
// connected, any that is known, or those that the access point names.
func (c *conn) ask(ctx context.Context, request *sarama.MetadataRequest) (*sarama.MetadataResponse, error) {
	var connected, known []*sarama.Broker
	for _, b := range append(c.client.Brokers(), c.seeds...) {
		if ok, err := b.Connected(); ok && err == nil {
			connected = append(connected, b)
		} else {
			known = append(known, b)
		}
	}
	var told error
	for _, b := range append(connected, known...) {
		m, err := opened(ctx, c, b, func() (*sarama.MetadataResponse, error) { return b.GetMetadata(request) })
		if err == nil {
			return m, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if told == nil || codeOf(err) == oms.ErrDenied {
			told = c.from(b, err)
		}
		c.drop(b)
	}
	return nil, told
}

// opened makes a request of a broker that others ask as well. A connection that
// one of them has dropped, or has only begun to open, is not the broker's
// failure: it is opened again, and not for us to drop.
func opened[T any](ctx context.Context, c *conn, b *sarama.Broker, request func() (T, error)) (v T, err error) {
	for range attempts {
		v, err = call(ctx, func() (T, error) {
			var none T
			if err := connect(c.client, b); err != nil {
				return none, err
			}
			return request()
		})
		if !errors.Is(err, sarama.ErrNotConnected) || sleep.For(ctx, openAgain) != nil {
			break
		}
	}
	return v, err
}

// connect opens a connection to a broker of a client's, unless it is open, and
// waits for it. Where the client has been closed meanwhile, so is the
// connection: nobody else would.
func connect(client sarama.Client, b *sarama.Broker) error {
	if err := b.Open(client.Config()); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		return err
	}
	_, err := b.Connected()
	if err == nil && client.Closed() {
		err = sarama.ErrClosedClient
	}
	if err != nil {
		_ = b.Close() // it latches why it could not connect
	}
	return err
}

// from says of which broker an error is, and what may have to be set.
func (c *conn) from(b *sarama.Broker, err error) error {
	hint := c.options.security.hint(err)
	if hint == "" && strings.Contains(err.Error(), b.Addr()) {
		return err
	}
	// The code is that of the error, whatever words are put to it.
	return &oms.Error{Code: codeOf(err), Err: fmt.Errorf("the broker at %s: %w%s", b.Addr(), err, hint)}
}

// explain asks for the reason of an error by which the client library only
// says that no broker would have it.
func (c *conn) explain(ctx context.Context, err error) error {
	if err == nil || !errors.Is(err, sarama.ErrOutOfBrokers) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.requestTimeout)
	defer cancel()
	if _, why := c.cluster(ctx); why != nil && ctx.Err() == nil {
		return why
	}
	return err
}

// drop closes a connection that has failed, so that the next request opens
// another.
func (c *conn) drop(b *sarama.Broker) { _ = b.Close() }

// coordinated makes a request of the group's coordinator, and again where that
// has moved or its connection is lost. The request is one that may be made
// twice.
func coordinated[T any](ctx context.Context, c *conn, group string, request func(*sarama.Broker) (T, error)) (T, error) {
	return retry(ctx, func(again bool) (T, error) {
		var none T
		b, err := c.coordinator(ctx, group, again)
		if err != nil {
			return none, err
		}
		v, err := call(ctx, func() (T, error) { return request(b) })
		if err != nil && connectionLost(err) && ctx.Err() == nil {
			c.drop(b)
		}
		return v, err
	})
}

func (c *conn) coordinator(ctx context.Context, group string, refresh bool) (*sarama.Broker, error) {
	b, err := call(ctx, func() (*sarama.Broker, error) {
		if refresh {
			if err := c.client.RefreshCoordinator(group); err != nil {
				return nil, err
			}
		}
		return c.client.Coordinator(group)
	})
	return b, c.explain(ctx, err)
}

// retry makes a request up to so many times, while its error may pass soon.
func retry[T any](ctx context.Context, request func(again bool) (T, error)) (v T, err error) {
	wait := retryFirst
	for n := range attempts {
		if v, err = request(n > 0); err == nil || ctx.Err() != nil || !passing(err) {
			return v, err
		}
		if n < attempts-1 {
			if sleep.For(ctx, wait) != nil {
				return v, err
			}
			wait = min(2*wait, retryMost)
		}
	}
	return v, err
}

// passing reports whether the next attempt may well succeed: leaders and
// coordinators move, and a connection that was lost is opened again.
func passing(err error) bool {
	if _, ok := errors.AsType[onceError](err); ok {
		return false
	}
	if k, ok := errors.AsType[sarama.KError](err); ok {
		switch k { //nolint:exhaustive // the rest does not pass
		case sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable, sarama.ErrNotCoordinatorForConsumer,
			sarama.ErrConsumerCoordinatorNotAvailable, sarama.ErrOffsetsLoadInProgress, sarama.ErrReplicaNotAvailable,
			sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch, sarama.ErrUnstableOffsetCommit, sarama.ErrOffsetNotAvailable,
			sarama.ErrNotController, sarama.ErrConcurrentTransactions:
			return true
		}
		return false
	}
	return connectionLost(err)
}

// connectionLost reports whether an error is of the connection and not an
// answer. Nobody there at all does not pass soon.
func connectionLost(err error) bool {
	if _, ok := errors.AsType[sarama.KError](err); ok {
		return false
	}
	return codeOf(err) == oms.ErrUnavailable && !errors.Is(err, sarama.ErrOutOfBrokers) || errors.Is(err, sarama.ErrNotConnected)
}
