package omconnect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/embedded"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// openState opens the store. It does not wait for one that is away.
func openState(s *settings, folder *dataFolder, logger *slog.Logger) (offsets.Store, error) {
	if s.state == embeddedName {
		store, err := embedded.Open(folder.path)
		if err != nil {
			return nil, usageError{fmt.Errorf("state: %w", err)} // the folder is ours: nothing to wait for
		}
		return store, nil
	}
	config, err := redis.ParseURL(s.state)
	if err != nil {
		return nil, usageError{fmt.Errorf("state: %w", err)}
	}
	if s.cluster != "" {
		config.Namespace = s.cluster
	}
	return redis.New(config, logger), nil
}

// How long waitForState waits between tries: doubled from the first to the
// last.
const (
	stateRetryFirst = 250 * time.Millisecond
	stateRetryMost  = 10 * time.Second
	statePatience   = 5 * time.Second // for one answer
)

// waitForState returns the id of the store once it answers. A store that is
// away is asked again and again; an error that waiting does not mend, such as
// a format that is newer than this program, is returned.
func waitForState(ctx context.Context, store offsets.Store, shown string, logger *slog.Logger) (id string, err error) {
	wait := stateRetryFirst
	for told := false; ; told = true {
		id, err = askState(ctx, store)
		switch {
		case err == nil && told:
			logger.Info("the state store answers now", "state", shown)
			return id, nil
		case err == nil:
			return id, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case !mayPass(err):
			return "", usageError{fmt.Errorf("state %s: %w", shown, err)}
		}
		logger.Warn("the state store does not answer; nothing runs until it does", "state", shown, "error", err, "next_try", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		wait = min(2*wait, stateRetryMost)
	}
}

func askState(ctx context.Context, store offsets.Store) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, statePatience)
	defer cancel()
	if err := store.Check(ctx); err != nil {
		return "", err
	}
	return store.ID(ctx)
}

// mayPass reports whether an error of the store is one to wait out: it is
// away, or an operator mends its users or its memory meanwhile.
func mayPass(err error) bool {
	return oms.IsTemporary(err) || errors.Is(err, oms.ErrDenied) || errors.Is(err, context.DeadlineExceeded)
}

// recognise compares the store with the one that this gateway used before. An
// emptied or foreign one would have every source read from its start again,
// and every connector of REST forgotten.
func recognise(folder *dataFolder, id, shown string, accept bool, logger *slog.Logger) error {
	known, err := folder.recall(storeFile)
	if err != nil {
		return notWritable(folder.path, err)
	}
	switch {
	case known == id:
		return nil
	case known == "":
	case accept:
		logger.Warn("another state store is accepted: positions and connectors are those that it has", "state", shown)
	default:
		return badUsage("state %s: this is not the store that data folder %s knows: it was emptied, or is another one, and positions would be lost; "+
			"name the right one with --state, restore it, or start with --accept-empty-state to go on with what it has", shown, folder.path)
	}
	if err := folder.remember(storeFile, id); err != nil {
		return notWritable(folder.path, err)
	}
	return nil
}
