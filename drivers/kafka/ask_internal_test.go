package kafka

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/omconnect/omconnect/oms"
)

// openFake opens a broker in this process by a driver, and returns the
// connection.
func openFake(t *testing.T) (*conn, *kfake.Cluster) {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ClusterID("a-cluster"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	ap, err := oms.ParseAccessPoint("oms:kafka://" + fake.ListenAddrs()[0] + "/")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := Driver{}.Open(t.Context(), ap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return opened.(*conn), fake
}

// One of two that ask at once finds a connection that the other has dropped.
func TestAConnectionThatSomebodyElseHasDroppedIsOpenedAgain(t *testing.T) {
	t.Parallel()
	c, _ := openFake(t)
	b, asked := c.seeds[0], 0
	m, err := opened(t.Context(), c, b, func() (*sarama.MetadataResponse, error) {
		asked++
		if asked == 1 {
			c.drop(b)
		}
		return b.GetMetadata(&sarama.MetadataRequest{Version: 8, Topics: []string{}})
	})
	if err != nil || m.ClusterID == nil || *m.ClusterID != "a-cluster" || asked != 2 {
		t.Errorf("the answer is %+v, %v, behind %d attempts", m, err, asked)
	}
	asked = 0
	_, err = opened(t.Context(), c, b, func() (struct{}, error) {
		asked++
		c.drop(b)
		return struct{}{}, sarama.ErrNotConnected
	})
	if !errors.Is(err, sarama.ErrNotConnected) || asked != attempts {
		t.Errorf("a connection that is always dropped: %v, behind %d attempts, want %d", err, asked, attempts)
	}
}

func TestManyWhoAskAtOnceAreAllAnswered(t *testing.T) {
	t.Parallel()
	for range 20 {
		c, _ := openFake(t)
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				if id, err := c.Identity(t.Context()); err != nil || id != "a-cluster" {
					t.Errorf("the identity is %q, %v", id, err)
				}
			})
		}
		asking.Wait()
	}
}

// A counting client counts how often it is asked for partitions.
type countingClient struct {
	sarama.Client
	asked atomic.Int32
}

func (c *countingClient) Partitions(topic string) ([]int32, error) {
	c.asked.Add(1)
	return c.Client.Partitions(topic)
}

func TestPartitionsAreAskedForOnceABatch(t *testing.T) {
	t.Parallel()
	c, fake := openFake(t)
	for _, topic := range []string{"a", "b"} {
		if err := fake.CreateTopic(topic, 2, nil); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*sender)
	client := &countingClient{Client: s.client}
	s.client = client
	for range 3 {
		var msgs []*oms.Message
		for range 50 {
			msgs = append(msgs, &oms.Message{Topic: "a"}, &oms.Message{Topic: "b"})
		}
		told := make(chan error, 1)
		s.SendAsync(t.Context(), msgs, func(err error) { told <- err })
		if err := <-told; err != nil {
			t.Fatalf("send: %v", err)
		}
	}
	if n := client.asked.Load(); n != 6 {
		t.Errorf("three batches for two topics asked %d times for partitions, want 6", n)
	}
}
