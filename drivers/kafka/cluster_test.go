package kafka_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/xdg-go/scram"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/oms/omstest"
)

// A cluster is a Kafka in this process that can stop and come back with what
// it had, and the proxy through which the driver reaches it.
type cluster struct {
	dir   string
	proxy *omstest.Proxy

	mu   sync.Mutex
	fake *kfake.Cluster
	port int
	in   atomic.Bool // the user late has the right password
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir()}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	proxy, err := omstest.NewProxy(c.addr())
	if err != nil {
		t.Fatal(err)
	}
	c.proxy = proxy
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
		c.stop()
	})
	return c
}

func (c *cluster) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(c.port), kfake.DataDir(c.dir), kfake.ClusterID("a-cluster"), kfake.DefaultNumPartitions(2),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "admin", "admin"), kfake.AllowAutoTopicCreation(),
		kfake.GroupMinSessionTimeout(time.Second), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(fake.ListenAddrs()[0])
	if err != nil {
		return err
	}
	c.fake = fake
	fake.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return c.deny(r)
	})
	c.port, err = strconv.Atoi(port)
	return err
}

// deny answers as brokers do to who is not who they say. The one in this
// process closes the connection.
func (c *cluster) deny(r kmsg.Request) (kmsg.Response, error, bool) {
	request, ok := r.(*kmsg.SASLAuthenticateRequest)
	if !ok || c.in.Load() || !bytes.Contains(request.SASLAuthBytes, []byte("n=late")) {
		return nil, nil, false
	}
	answer := kmsg.NewPtrSASLAuthenticateResponse()
	answer.Version = request.Version
	answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
	return answer, nil, true
}

func (c *cluster) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fake != nil {
		c.fake.Close()
	}
	c.fake = nil
}

func (c *cluster) addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("127.0.0.1:%d", c.port)
}

// driver dials the proxy, whatever address a broker gives.
func (c *cluster) driver() kafka.Driver { return kafka.Driver{Dial: detour(c.addr, c.proxy.Addr())} }

// patientRebalance is for members that are slow because the machine is busy.
const patientRebalance = "rebalance.timeout.ms=30000"

func (c *cluster) point() string {
	return fmt.Sprintf("oms:kafka://admin:admin@%s/?sasl.mechanism=scram-sha-256&session.timeout.ms=6000&heartbeat.interval.ms=200&request.timeout.ms=3000&"+patientRebalance, c.proxy.Addr())
}

// config is that of a program that knows nothing of package oms.
func (c *cluster) config() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_8_0_0
	cfg.Producer.Return.Successes = true
	cfg.Net.SASL.Enable, cfg.Net.SASL.User, cfg.Net.SASL.Password = true, "admin", "admin"
	cfg.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA256
	cfg.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return new(scramClient) }
	return cfg
}

// A scramClient proves a password, independently of the driver's.
type scramClient struct{ *scram.ClientConversation }

// Begin implements sarama.SCRAMClient.
func (s *scramClient) Begin(user, password, authzID string) error {
	client, err := scram.SHA256.NewClient(user, password, authzID)
	if err == nil {
		s.ClientConversation = client.NewConversation()
	}
	return err
}

// admit makes the password of a user good.
func (c *cluster) admit(t *testing.T, user, password string) error {
	t.Helper()
	defer c.in.Store(true)
	admin, err := sarama.NewClusterAdmin([]string{c.addr()}, c.config())
	if err != nil {
		return err
	}
	results, err := admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{
		Name: user, Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 4096, Salt: []byte("salt"), Password: []byte(password),
	}})
	for _, r := range results {
		if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
			err = errors.Join(err, r.ErrorCode)
		}
	}
	return errors.Join(err, admin.Close())
}

// foreign sends as a program does that knows nothing of package oms.
func foreign(addr string, cfg *sarama.Config, topic string, body []byte, headers map[string]string) error {
	p, err := sarama.NewSyncProducer([]string{addr}, cfg)
	if err != nil {
		return err
	}
	m := &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(body)}
	for name, value := range headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(name), Value: []byte(value)})
	}
	_, _, err = p.SendMessage(m)
	return errors.Join(err, p.Close())
}
