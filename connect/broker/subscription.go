package broker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// A subscription is the membership of a source in its group.
type subscription struct {
	consumer *oms.PullConsumer // nil while there is no topic
	topics   []string          // that are read, or would be
	again    time.Time         // when to look again for topics
}

// missingWait is the time between two looks for a topic that is not there.
const missingWait = time.Second

// subscribe joins the group, unless others are in it. A topic that is missing
// is waited for.
func (s *source) subscribe(ctx context.Context) error {
	s.again, s.more = time.Now().Add(s.pace()), true
	topics, err := topicsOf(ctx, s.client, s.cfg)
	if err != nil {
		return err
	}
	if s.topics = topics; len(topics) == 0 {
		s.log.Info("no topic matches yet", "regex", s.cfg.pattern.String())
		return nil
	}
	if !s.cfg.shared {
		if err := connect.NotShared(ctx, s.client, s.cfg.group, topics, keyGroup, s.log); err != nil {
			return err
		}
	}
	if s.client.Capabilities().Has(oms.ManageGroups) {
		groups, err := s.client.Groups()
		if err == nil {
			err = groups.EnsureGroup(ctx, s.cfg.group, topics, s.cfg.start)
		}
		if err != nil {
			return unlessMissing(err)
		}
	}
	s.consumer, err = s.client.NewPullConsumer(ctx, oms.ReceiverConfig{
		Topics: topics, Group: s.cfg.group, Start: s.cfg.start, MaxUnacked: s.cfg.unacked, MaxUnackedBytes: s.cfg.bytes,
		OnAssigned: s.intake.assigned, OnRevoked: s.intake.revoked, OnGap: s.gaps.Found,
	})
	return unlessMissing(err)
}

// unlessMissing returns err, or nil when it says that a topic is missing.
func unlessMissing(err error) error {
	if oms.CodeOf(err) == oms.ErrNotFound {
		return nil
	}
	return err
}

// pace is the time between two looks for topics.
func (s *source) pace() time.Duration {
	if s.cfg.pattern != nil {
		return s.cfg.refresh
	}
	return missingWait
}

// ready reports whether there is something to receive from, and looks for
// topics when it is time. Without, it waits a little.
func (s *source) ready(ctx context.Context) (bool, error) {
	if due := time.Now().After(s.again); due && s.consumer == nil {
		if err := s.subscribe(ctx); err != nil {
			return false, err
		}
	} else if due && s.cfg.pattern != nil {
		s.again = time.Now().Add(s.pace())
		topics, err := topicsOf(ctx, s.client, s.cfg)
		switch {
		case err != nil && !oms.IsTemporary(err):
			return false, err
		case err == nil && !slices.Equal(topics, s.topics):
			s.log.Info("other topics match, the tasks start anew", "topics", len(topics), "before", len(s.topics))
			s.env.Reconfigure() // softly: what was read is finished first
		}
	}
	if s.consumer != nil {
		return true, nil
	}
	select {
	case <-time.After(pollWait):
	case <-ctx.Done():
	}
	return false, nil
}

// unsubscribe leaves the group.
func (s *source) unsubscribe(ctx context.Context) error {
	if s.consumer == nil {
		return nil
	}
	consumer := s.consumer
	s.consumer, s.again = nil, time.Now().Add(missingWait)
	err := consumer.Close(ctx)
	s.intake.reset()
	if oms.IsTemporary(err) || errors.Is(err, oms.ErrStaleDelivery) {
		return nil // what was not acknowledged comes again
	}
	return err
}

// topicsOf returns the topics to read, sorted if they match a pattern.
func topicsOf(ctx context.Context, client *oms.Client, cfg sourceConfig) ([]string, error) {
	if cfg.pattern == nil {
		return cfg.topics, nil
	}
	return cfg.pattern.Find(ctx, client)
}

// deleteGroup deletes the group of a connector that is being deleted. One that
// is gone already is fine.
func deleteGroup(ctx context.Context, env connect.Env, cfg sourceConfig) error {
	client, err := env.Broker(ctx, cfg.broker)
	if err != nil {
		return err
	}
	groups, err := client.Groups()
	if err != nil {
		return err
	}
	topics, err := topicsOf(ctx, client, cfg)
	if err != nil || len(topics) == 0 {
		return err
	}
	return unlessMissing(groups.DeleteGroup(ctx, cfg.group, topics))
}
