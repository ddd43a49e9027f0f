package servers_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"github.com/omconnect/omconnect/integration/servers"
)

func TestKafkaComesBackWithItsDataAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := servers.Kafka(t, servers.Config("num.partitions", "3"))
	loopback(t, s)
	admin := kafkaAdmin(t, s.Addr(), kafkaConfig())
	if err := admin.CreateTopic("kept", &sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	until(t, "the topic to have 3 partitions, as Config says, with leaders", func() bool { // the broker learns it behind the answer
		described, err := admin.DescribeTopics([]string{"kept"})
		return err == nil && len(described[0].Partitions) == 3 &&
			!slices.ContainsFunc(described[0].Partitions, func(p *sarama.PartitionMetadata) bool { return p.Leader != 1 })
	})
	if err := admin.Close(); err != nil {
		t.Fatal(err)
	}
	producer, err := sarama.NewSyncProducer([]string{s.Addr()}, kafkaConfig())
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: "kept", Partition: 2, Value: sarama.StringEncoder("yes")})
	if err := producer.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	lives(t, s, func() {
		t.Helper()
		client, err := sarama.NewClient([]string{s.Addr()}, kafkaConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		until(t, "the partition to have a leader and to go on at 1", func() bool {
			next, err := client.GetOffset("kept", 2, sarama.OffsetNewest)
			if err == nil && next != 1 {
				t.Fatalf("the partition goes on at %d, want 1", next)
			}
			if err != nil {
				_ = client.RefreshMetadata("kept") // it is asked again
			}
			return err == nil
		})
	})
}

func TestKafkaTakesItsUsersOverTLSOnly(t *testing.T) {
	t.Parallel()
	c := certificates(t)
	s := servers.Kafka(t, servers.TLS(c), servers.User("alice", "wonder-land"), servers.User("bob", "secret.2"))
	for name, user := range map[string]struct {
		mechanism      string
		name, password string
		wanted         bool
	}{
		"plain":          {sarama.SASLTypePlaintext, "alice", "wonder-land", true},
		"scram 256":      {sarama.SASLTypeSCRAMSHA256, "bob", "secret.2", true},
		"scram 512":      {sarama.SASLTypeSCRAMSHA512, "alice", "wonder-land", true},
		"wrong password": {sarama.SASLTypePlaintext, "alice", "secret.2", false},
		"no such user":   {sarama.SASLTypeSCRAMSHA256, "eve", "secret.2", false},
	} {
		config := kafkaConfig()
		config.Net.TLS.Enable, config.Net.TLS.Config = true, clientConfig(t, c)
		config.Net.SASL.Enable, config.Net.SASL.Mechanism = true, sarama.SASLMechanism(user.mechanism)
		config.Net.SASL.User, config.Net.SASL.Password = user.name, user.password
		config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient {
			return &scramClient{hash: map[string]scram.HashGeneratorFcn{
				sarama.SASLTypeSCRAMSHA256: scram.SHA256, sarama.SASLTypeSCRAMSHA512: scram.SHA512,
			}[user.mechanism]}
		}
		if err := kafkaTakes(s.Addr(), config); (err == nil) != user.wanted {
			t.Errorf("%s: got %v, want that it is let in: %v", name, err, user.wanted)
		}
	}
	if err := kafkaTakes(s.Addr(), kafkaConfig()); err == nil {
		t.Error("a client without TLS and user is let in")
	}
	if err := kafkaTakes(s.AddrOf(servers.Plain), kafkaConfig()); err != nil {
		t.Errorf("at the plain address: %v, want that everybody is let in", err)
	}
}

func TestKafkaAsksForAClientsCertificateIfTold(t *testing.T) {
	t.Parallel()
	c := certificates(t)
	s := servers.Kafka(t, servers.TLS(c), servers.ClientCertificates())
	config := kafkaConfig()
	config.Net.TLS.Enable, config.Net.TLS.Config = true, clientConfig(t, c)
	if err := kafkaTakes(s.Addr(), config); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	config.Net.TLS.Config.Certificates = nil
	if err := kafkaTakes(s.Addr(), config); err == nil {
		t.Error("a client without a certificate is let in")
	}
}

func kafkaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Metadata.Retry.Max = 0
	config.Net.DialTimeout, config.Net.ReadTimeout = patience, patience
	return config
}

func kafkaAdmin(t *testing.T, addr string, config *sarama.Config) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{addr}, config)
	if err != nil {
		t.Fatal(err)
	}
	return admin
}

// kafkaTakes returns nil if a client with that configuration is let in.
func kafkaTakes(addr string, config *sarama.Config) error {
	client, err := sarama.NewClient([]string{addr}, config)
	if err != nil {
		return err
	}
	return client.Close()
}

func clientConfig(t *testing.T, c *servers.Certificates) *tls.Config {
	t.Helper()
	config, err := c.ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func (c *scramClient) Begin(user, password, authorization string) error {
	client, err := c.hash.NewClient(user, password, authorization)
	if err != nil {
		return err
	}
	c.conversation = client.NewConversation()
	return nil
}

func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }
func (c *scramClient) Done() bool                            { return c.conversation.Done() }
