package connect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// keyGroup is what a sink reads as. With sharedSuffix behind it, it is the key
// that allows others' programs in the group.
const (
	keyGroup     = "consumer.group"
	sharedSuffix = ".shared"
)

// errForeign is that a group has members that are others' programs.
var errForeign = errors.New("other programs are members of it")

// foreignWait is the time between two looks at who is foreign. A member that
// has just left may be listed for a moment.
const foreignWait = time.Second

// NotShared returns an error if others' programs receive as a group now: each
// message goes to one member, so that they would take a share of what the
// connector is to get. The error is temporary, and says what to do; key names
// the group in the connector's configuration. A broker that does not tell, or
// does not let this user ask, is taken at its word: the second is logged.
func NotShared(ctx context.Context, client *oms.Client, group string, topics []string, key string, log *slog.Logger) error {
	if len(topics) == 0 || !client.Capabilities().Has(oms.ForeignMembers) {
		return nil
	}
	names, err := client.ForeignMembers(ctx, group, topics)
	if err == nil && len(names) > 0 {
		select {
		case <-time.After(foreignWait):
		case <-ctx.Done():
			return ctx.Err()
		}
		var again []string
		again, err = client.ForeignMembers(ctx, group, topics)
		names = slices.DeleteFunc(again, func(name string) bool { return !slices.Contains(names, name) })
	}
	switch {
	case oms.CodeOf(err) == oms.ErrDenied:
		log.Warn("nobody can see whether other programs are in the group: the broker does not let this user ask", "group", group, "error", err)
		return nil
	case oms.CodeOf(err) == oms.ErrInvalid:
		return nil // of a name: who joins is told the same
	case err != nil:
		return fmt.Errorf("ask for the members of group %s: %w", group, err)
	case len(names) == 0:
		return nil
	}
	return &oms.Error{Op: "join", Driver: client.AccessPoint().Driver, Target: group, Code: oms.ErrBusy, Err: fmt.Errorf(
		"%w and take a share of its messages: %s; end them, choose another %s, or set %s=true",
		errForeign, told(names), key, key+sharedSuffix)}
}

// told returns a few names, and how many others there are.
func told(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:most], ", "), len(names)-most)
}

// joinable returns an error if the group of a sink's task is not to be joined
// now. Of a pattern it looks at the topics that match.
func (t *task) joinable(ctx context.Context, client *oms.Client) (err error) {
	if t.set.sharedGroup {
		return nil
	}
	topics := t.set.topics
	if t.watch != nil {
		if topics, _, err = t.watch.look(ctx); err != nil {
			return err
		}
	}
	return NotShared(ctx, client, t.set.group, topics, keyGroup, t.logger)
}
