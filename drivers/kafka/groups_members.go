package kafka

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

// mark tells this driver's members from those of other programs. A member says
// when it joins that it owns no partition of a topic of this name, and
// coordinators give that back to whoever describes the group. Nothing follows
// from it: no assignor looks at a topic without partitions, and no topic can
// have the name.
const mark = "oms:member"

// A group that shares out anew does not tell what its members said.
const (
	restWait  = 10 * time.Second
	restAgain = 200 * time.Millisecond
)

// oldestNext is the version from which brokers tell of each member of a group
// whether it speaks the protocol of KIP-848.
var oldestNext = sarama.V4_0_0_0 //nolint:gochecknoglobals // a constant that Go has no form for

// Members implements oms.GroupAdmin. The names of this driver's members are
// the brokers' member ids, which begin with the client id; those of others have
// their client id and the host that they are at.
//
// Members that read none of the topics are left out. Those that do not say
// which they read, and all of a group that is for something else than
// consuming, are counted, and foreign. What a group that shares out anew keeps
// to itself is waited for; a member that is still not known then is not said to
// be foreign.
func (c *conn) Members(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	const op = "list members"
	if err := checkGroup(op, group, topics); err != nil {
		return nil, err
	}
	if err := c.alive(op, group); err != nil {
		return nil, err
	}
	d, err := c.describeAtRest(ctx, group)
	if err != nil {
		return nil, classify(op, group, err)
	}
	members := readers(d, topics)
	if d.State != "Dead" || len(members) > 0 {
		return members, nil
	}
	if c.options.version.IsAtLeast(oldestNext) {
		if members, err = c.nextMembers(ctx, group, topics); err != nil || members != nil {
			return members, classify(op, group, err)
		}
	}
	stored, err := c.positions(ctx, group, nil)
	if err != nil {
		return nil, classify(op, group, err)
	}
	if len(stored) == 0 {
		return nil, fail(op, group, oms.ErrNotFound, errors.New("there is no such group"))
	}
	return members, nil
}

// describeAtRest describes a group, if possible when its members are known.
func (c *conn) describeAtRest(ctx context.Context, group string) (*sarama.GroupDescription, error) {
	deadline := time.NewTimer(restWait)
	defer deadline.Stop()
	for {
		d, err := c.describe(ctx, group)
		if err != nil || !isMoving(d) {
			return d, err
		}
		again := time.NewTimer(restAgain)
		select {
		case <-again.C:
		case <-deadline.C:
			again.Stop()
			return d, nil
		case <-ctx.Done():
			again.Stop()
			return nil, ctx.Err()
		}
	}
}

// isMoving reports whether a group shares out anew, and keeps to itself what
// its members said.
func isMoving(d *sarama.GroupDescription) bool {
	if d.State != "PreparingRebalance" && d.State != "CompletingRebalance" {
		return false
	}
	for _, m := range d.Members {
		if len(m.MemberMetadata) == 0 {
			return true
		}
	}
	return false
}

// readers returns the members that read one of the topics, sorted by name.
func readers(d *sarama.GroupDescription, topics []string) []oms.Member {
	members := make([]oms.Member, 0, len(d.Members))
	for id, m := range d.Members {
		meta, err := m.GetMemberMetadata()
		silent := err != nil || meta == nil || len(meta.Topics) == 0 || isOther(d)
		switch {
		case !silent && !reads(meta.Topics, topics):
		case !isOther(d) && err == nil && (meta == nil || isMarked(meta)):
			members = append(members, oms.Member{Name: id})
		default:
			members = append(members, stranger(id, m.ClientId, m.ClientHost))
		}
	}
	return sorted(members)
}

// isOther reports whether a group is not one of consumers. Those of Kafka
// Connect's workers share connectors, and nobody but them can join.
func isOther(d *sarama.GroupDescription) bool {
	return d.ProtocolType != "" && d.ProtocolType != protocolType
}

func isMarked(meta *sarama.ConsumerGroupMemberMetadata) bool {
	return slices.ContainsFunc(meta.OwnedPartitions, func(o *sarama.OwnedPartition) bool { return o.Topic == mark })
}

func reads(of, topics []string) bool {
	return slices.ContainsFunc(of, func(t string) bool { return slices.Contains(topics, t) })
}

// stranger returns a member of another program. Hosts are told with a slash.
func stranger(id, client, host string) oms.Member {
	return oms.Member{Name: client + " at " + strings.TrimPrefix(host, "/") + " (" + id + ")", Foreign: true}
}

func sorted(members []oms.Member) []oms.Member {
	slices.SortFunc(members, func(a, b oms.Member) int { return cmp.Compare(a.Name, b.Name) })
	return members
}

// speaksNext is the type of a member that speaks the protocol of KIP-848.
const speaksNext = 1

// nextMembers returns the members of a group of the protocol of KIP-848, which
// has no description as others have. Those that speak it are foreign: this
// driver's do not. What the others have said when they joined is not told. Nil
// is that the group is not of that protocol.
func (c *conn) nextMembers(ctx context.Context, group string, topics []string) ([]oms.Member, error) {
	return coordinated(ctx, c, group, func(b *sarama.Broker) ([]oms.Member, error) {
		answer, err := b.ConsumerGroupDescribe(&sarama.ConsumerGroupDescribeRequest{Version: 1, GroupIDs: []string{group}})
		if err != nil {
			return nil, err
		}
		var members []oms.Member
		for _, d := range answer.Groups {
			if d.GroupID != group || errors.Is(d.ErrorCode, sarama.ErrGroupIDNotFound) {
				continue
			}
			if err := kerror(d.ErrorCode); err != nil {
				return nil, err
			}
			members = make([]oms.Member, 0, len(d.Members))
			for _, m := range d.Members {
				switch {
				case len(m.SubscribedTopicNames) > 0 && !reads(m.SubscribedTopicNames, topics):
				case m.MemberType == speaksNext:
					members = append(members, stranger(m.MemberID, m.ClientID, m.ClientHost))
				default:
					members = append(members, oms.Member{Name: m.MemberID})
				}
			}
		}
		return sorted(members), nil
	})
}
