package kafka

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/oms"
)

const protocolType = "consumer"

// join joins the group's next generation and learns which partitions are the
// receiver's.
func (m *membership) join(ctx context.Context) error {
	seen, err := m.conn.topics(ctx, m.cfg.Topics...)
	if err != nil {
		return err
	}
	m.seen = seen
	strategy := m.strategy()
	answer, err := m.enter(ctx, strategy)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.member, m.generation = answer.MemberId, answer.GenerationId
	m.mu.Unlock()
	m.leader = answer.LeaderId == answer.MemberId
	request := &sarama.SyncGroupRequest{
		Version: 3, GroupId: m.cfg.Group, GenerationId: answer.GenerationId, MemberId: answer.MemberId, GroupInstanceId: m.instanceID(),
	}
	if m.leader {
		if err := m.plan(ctx, strategy, answer, request); err != nil {
			return err
		}
	}
	synced, err := call(ctx, func() (*sarama.SyncGroupResponse, error) { return m.broker.SyncGroup(request) })
	if err == nil {
		err = kerror(synced.Err)
	}
	if errors.Is(err, sarama.ErrRebalanceInProgress) {
		return m.join(ctx) // somebody has come meanwhile
	}
	if err != nil {
		return m.forgotten(err)
	}
	m.target = make(map[oms.Partition]bool)
	if len(synced.MemberAssignment) == 0 {
		return nil
	}
	assignment, err := synced.GetMemberAssignment()
	if err != nil {
		return err
	}
	for t, numbers := range assignment.Topics {
		for _, n := range numbers {
			m.target[oms.Partition{Topic: t, Number: int(n)}] = true
		}
	}
	return nil
}

// strategy returns how the group shares partitions. It keeps state and is made
// anew for each generation.
func (m *membership) strategy() sarama.BalanceStrategy {
	if m.conn.options.eager {
		return sarama.NewBalanceStrategyRange()
	}
	return sarama.NewBalanceStrategyCooperativeSticky()
}

// enter asks to join until the coordinator has given the member its id.
func (m *membership) enter(ctx context.Context, strategy sarama.BalanceStrategy) (*sarama.JoinGroupResponse, error) {
	for {
		m.mu.Lock()
		meta := &sarama.ConsumerGroupMemberMetadata{Version: 1, Topics: m.cfg.Topics, GenerationID: m.generation}
		owned := make(map[string][]int32)
		for _, c := range m.order {
			owned[c.id.Topic] = append(owned[c.id.Topic], number(c.id))
		}
		id := m.member
		m.mu.Unlock()
		for _, t := range slices.Sorted(maps.Keys(owned)) {
			meta.OwnedPartitions = append(meta.OwnedPartitions, &sarama.OwnedPartition{Topic: t, Partitions: owned[t]})
		}
		meta.OwnedPartitions = append(meta.OwnedPartitions, &sarama.OwnedPartition{Topic: mark})
		request := &sarama.JoinGroupRequest{
			Version: 5, GroupId: m.cfg.Group, MemberId: id, GroupInstanceId: m.instanceID(), ProtocolType: protocolType,
			SessionTimeout:   int32(m.conn.options.session / time.Millisecond),   //nolint:gosec // minutes at most
			RebalanceTimeout: int32(m.conn.options.rebalance / time.Millisecond), //nolint:gosec // as above
		}
		if err := request.AddGroupProtocolMetadata(strategy.Name(), meta); err != nil {
			return nil, err
		}
		answer, err := call(ctx, func() (*sarama.JoinGroupResponse, error) { return m.broker.JoinGroup(request) })
		if err == nil {
			err = kerror(answer.Err)
		}
		switch {
		case err == nil:
			return answer, nil
		case errors.Is(err, sarama.ErrMemberIdRequired) && answer.MemberId != id:
			m.mu.Lock()
			m.member = answer.MemberId
			m.mu.Unlock()
		case errors.Is(err, sarama.ErrInconsistentGroupProtocol):
			return nil, fail("join the group", m.cfg.Group, oms.ErrInvalid, errors.New("its members share partitions in another way: set rebalance.protocol as theirs is, or choose another group"))
		default:
			return nil, m.forgotten(err)
		}
	}
}

// forgotten notes that the coordinator does not know the member any more.
func (m *membership) forgotten(err error) error {
	if errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrFencedInstancedId) {
		m.mu.Lock()
		m.member, m.generation = "", 0
		m.mu.Unlock()
	}
	return err
}

// plan shares the partitions among the members, as their leader does.
func (m *membership) plan(ctx context.Context, strategy sarama.BalanceStrategy, answer *sarama.JoinGroupResponse, request *sarama.SyncGroupRequest) error {
	members, err := answer.GetMembers()
	if err != nil {
		return err
	}
	var names []string
	for _, meta := range members {
		names = append(names, meta.Topics...)
	}
	slices.Sort(names)
	seen, err := m.conn.topics(ctx, slices.Compact(names)...)
	if err != nil {
		return err
	}
	m.seen = seen // of all members: the leader is who looks out for changes
	topics := make(map[string][]int32, len(seen))
	for name, t := range seen {
		for n := range t.partitions {
			topics[name] = append(topics[name], int32(n))
		}
	}
	plan, err := strategy.Plan(members, topics)
	if err != nil {
		return err
	}
	for id := range members {
		if err := request.AddGroupAssignmentMember(id, &sarama.ConsumerGroupMemberAssignment{Version: 1, Topics: plan[id]}); err != nil {
			return err
		}
	}
	return nil
}

// leaveGroup tells the coordinator that the member goes, a static one too:
// nobody is to wait for it.
func (m *membership) leaveGroup() {
	m.mu.Lock()
	id := m.member
	for _, c := range slices.Clone(m.order) {
		c.release()
	}
	m.mu.Unlock()
	if id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(m.conn.ctx, m.conn.options.requestTimeout)
	defer cancel()
	request := &sarama.LeaveGroupRequest{
		Version: 3, GroupId: m.cfg.Group, Members: []sarama.MemberIdentity{{MemberId: id, GroupInstanceId: m.instanceID()}},
	}
	_, _ = coordinated(ctx, m.conn, m.cfg.Group, func(b *sarama.Broker) (struct{}, error) {
		answer, err := b.LeaveGroup(request)
		if err == nil {
			err = kerror(answer.Err)
		}
		return struct{}{}, err
	})
}
