package kafka_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

var (
	resources = map[string]sarama.AclResourceType{
		"topic": sarama.AclResourceTopic, "group": sarama.AclResourceGroup, "transactional id": sarama.AclResourceTransactionalID,
	}
	operations = map[string]sarama.AclOperation{
		"describe": sarama.AclOperationDescribe, "write": sarama.AclOperationWrite, "read": sarama.AclOperationRead,
		"create": sarama.AclOperationCreate, "delete": sarama.AclOperationDelete, "describe configs": sarama.AclOperationDescribeConfigs,
	}
)

// documented returns the rights that the page names, in the order of its table.
func documented(t *testing.T) (rights []sarama.AclCreation) {
	t.Helper()
	page, err := os.ReadFile("../../docs/brokers/kafka.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Permissions")
	table, _, _ = strings.Cut(table, "\n## ")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || resources[strings.TrimSpace(cells[1])] == 0 {
			continue
		}
		operation, known := operations[strings.TrimSpace(cells[2])]
		if !known {
			t.Fatalf("the page names the operation %q, which the test does not know", cells[2])
		}
		rights = append(rights, sarama.AclCreation{
			Resource: sarama.Resource{
				ResourceType: resources[strings.TrimSpace(cells[1])], ResourceName: "mine.", ResourcePatternType: sarama.AclPatternPrefixed,
			},
			Acl: sarama.Acl{Principal: "User:alice", Host: "*", Operation: operation, PermissionType: sarama.AclPermissionAllow},
		})
	}
	return rights
}

func (b *broker) grant(t *testing.T, rights ...sarama.AclCreation) {
	t.Helper()
	var all []*sarama.ResourceAcls
	for _, r := range rights {
		all = append(all, &sarama.ResourceAcls{Resource: r.Resource, Acls: []*sarama.Acl{&r.Acl}})
	}
	if err := b.admin(t).CreateACLs(all); err != nil {
		t.Fatal(err)
	}
}

func TestTheRightsOfThePageAreEnough(t *testing.T) {
	t.Parallel()
	b := &broker{servers.Kafka(t, servers.User("alice", "wonder.land"),
		servers.Config("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
		servers.Config("super.users", "User:ANONYMOUS"))}
	conn := openAt(t, "oms:kafka://alice:wonder.land@"+b.Addr()+"/?request.timeout.ms=30000&delivery.timeout.ms=30000")
	const topic, group = "mine.topic", "mine.group"
	topics := []string{topic}
	s := sender(t, conn)
	groups := conn.(oms.GroupAdmin)
	all := []struct {
		what string
		do   func(ctx context.Context) error
	}{
		{"make a topic", func(ctx context.Context) error {
			return conn.(oms.TopicAdmin).CreateTopic(ctx, oms.TopicSpec{Name: topic, Partitions: 1})
		}},
		{"send", func(context.Context) error { return follow(t, s, &oms.Message{Topic: topic, Body: []byte("b")}) }},
		{"make a group", func(ctx context.Context) error { return groups.EnsureGroup(ctx, group, topics, oms.Start{}) }},
		{"receive", func(ctx context.Context) error {
			r := receiver(t, conn, oms.ReceiverConfig{Group: group, Topics: topics})
			msgs, err := r.Receive(ctx, 1)
			if err == nil {
				err = errors.Join(r.Ack(ctx, msgs), r.Flush(ctx))
			}
			return errors.Join(err, r.Close(ctx))
		}},
		{"ask for the lag", func(ctx context.Context) error {
			_, err := conn.(oms.LagReporter).Lag(ctx, group, topics)
			return err
		}},
		{"list the members", func(ctx context.Context) error {
			_, err := groups.Members(ctx, group, topics)
			return err
		}},
		{"send a transaction", func(ctx context.Context) error {
			s, err := conn.(oms.TxOpener).OpenTx(ctx, "mine.id")
			if err != nil {
				return err
			}
			return errors.Join(s.SendAll(ctx, []*oms.Message{{Topic: topic, Body: []byte("b")}}), s.Close(ctx))
		}},
		{"delete the group", func(ctx context.Context) error { return groups.DeleteGroup(ctx, group, topics) }},
		{"delete the topic", func(ctx context.Context) error { return conn.(oms.TopicAdmin).DeleteTopic(ctx, topic) }},
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.do(func(admin sarama.ClusterAdmin) error {
		return admin.CreateTopic("theirs", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	}); err != nil {
		t.Fatal(err)
	}
	err := outcome(t, s, &oms.Message{Topic: "theirs", Body: []byte("b")})
	if !isOne(err, denied) || !strings.Contains(err.Error(), "theirs") {
		t.Errorf("send to somebody else's topic: %v, want %v with its name", err, oms.ErrDenied)
	}
	for _, step := range all {
		err := step.do(ctx)
		if err != nil && !isOne(err, denied) || err == nil {
			t.Errorf("%s without a right: %v, want %v", step.what, err, oms.ErrDenied)
		}
	}
	b.grant(t, documented(t)...)
	again := time.NewTicker(50 * time.Millisecond) // it takes a broker a moment
	defer again.Stop()
	for _, step := range all {
		err := step.do(ctx)
		for ; isOne(err, denied) && ctx.Err() == nil; err = step.do(ctx) {
			<-again.C
		}
		if err != nil {
			t.Fatalf("%s with the rights of the page: %v", step.what, err)
		}
	}
}
