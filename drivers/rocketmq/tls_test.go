package rocketmq_test

import (
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// The library has one setting of TLS for the process. A gateway that bridges
// two clusters needs two.
func TestTLSForOneClusterIsNotForAnother(t *testing.T) {
	certificates, err := servers.NewCertificates(t.TempDir())
	must(t, err)
	plain, secret := servers.RocketMQ(t), servers.RocketMQ(t, servers.TLS(certificates))
	conns := []oms.Conn{
		openAt(t, parse(t, "oms:rocketmq://"+plain.Addr()+"/")),
		openAt(t, parse(t, "oms:rocketmq://"+secret.Addr()+"/?tls=true&tls.insecure=true")),
	}
	for range 2 { // in turn
		for i, c := range conns {
			err := c.(oms.TopicAdmin).CreateTopic(within(t), oms.TopicSpec{Name: "secured", Partitions: 1})
			if err != nil && oms.CodeOf(err) != oms.ErrExists {
				t.Fatal(err)
			}
			must(t, sendAll(t, c, &oms.Message{Topic: "secured", Body: []byte{byte(i)}}))
			if got := receiveAll(t, c, "secured", "secured", 1)[0]; got.Body[0] != byte(i) {
				t.Errorf("cluster %d has the message of the other", i)
			}
		}
	}
}
