package kafka_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// A fortress is a broker that asks its clients for a certificate and for a
// password.
func fortress(t *testing.T) (b *broker, ours, others *servers.Certificates) {
	t.Helper()
	ours, err := servers.NewCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if others, err = servers.NewCertificates(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return &broker{servers.Kafka(t, servers.TLS(ours), servers.ClientCertificates(), servers.User("alice", "wonder.land"))}, ours, others
}

// pass is the part of an access point that shows certificates.
func pass(ca, client *servers.Certificates) string {
	return fmt.Sprintf("&tls=true&tls.ca.file=%s&tls.cert.file=%s&tls.key.file=%s", ca.CA, client.Client, client.ClientKey)
}

func TestABrokerThatAsksWhoItsClientsAre(t *testing.T) {
	t.Parallel()
	b, ours, others := fortress(t)
	topic := b.topic(t, 1)
	const patient = "/?request.timeout.ms=30000&delivery.timeout.ms=30000"
	at := func(user, password, more string) string {
		return fmt.Sprintf("oms:kafka://%s:%s@%s%s%s", user, password, b.Addr(), patient, more)
	}
	for what, text := range map[string]string{
		"plain": at("alice", "wonder.land", pass(ours, ours)), "plain by name": at("alice", "wonder.land", "&sasl.mechanism=plain"+pass(ours, ours)),
		"scram 256":                at("alice", "wonder.land", "&sasl.mechanism=scram-sha-256"+pass(ours, ours)),
		"scram 512":                at("alice", "wonder.land", "&sasl.mechanism=scram-sha-512"+pass(ours, ours)),
		"another name of the host": strings.Replace(at("alice", "wonder.land", "&tls.server.name=localhost"+pass(ours, ours)), "127.0.0.1", "localhost", 1),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn := openAt(t, text)
			if err := outcome(t, sender(t, conn), &oms.Message{Topic: topic, Body: []byte("b")}); err != nil {
				t.Fatal(err)
			}
			if _, got := get(t, receiver(t, conn, oms.ReceiverConfig{Group: what, Topics: []string{topic}}), 1); !cmp.Equal(got, []string{"b"}) {
				t.Errorf("received %q", got)
			}
		})
	}
	for what, c := range map[string]struct {
		text string
		want []oms.Code
		says string
	}{
		"a wrong password":                 {at("alice", "wrong", pass(ours, ours)), denied, "Authentication failed"},
		"a wrong password for scram":       {at("alice", "wrong", "&sasl.mechanism=scram-sha-256"+pass(ours, ours)), denied, "Authentication failed"},
		"a user that is not there":         {at("eve", "wonder.land", "&sasl.mechanism=scram-sha-512"+pass(ours, ours)), denied, "Authentication failed"},
		"a mechanism that is not there":    {strings.Replace(at("", "", "&sasl.mechanism=oauthbearer&sasl.token=t"+pass(ours, ours)), ":@", "", 1), denied, "mechanism"},
		"no user":                          {strings.Replace(at("", "", pass(ours, ours)), ":@", "", 1), away, "sasl.mechanism"},
		"a certificate of somebody else":   {at("alice", "wonder.land", pass(ours, others)), denied, "certificate"},
		"no certificate":                   {at("alice", "wonder.land", "&tls=true&tls.ca.file="+ours.CA), denied, "certificate"},
		"a broker nobody vouches for":      {at("alice", "wonder.land", pass(others, ours)), denied, "unknown authority"},
		"a broker of another name":         {at("alice", "wonder.land", "&tls.server.name=elsewhere"+pass(ours, ours)), denied, "elsewhere"},
		"no TLS where the broker has it":   {at("alice", "wonder.land", ""), away, "tls=true"},
		"TLS where the broker has none":    {strings.Replace(at("alice", "wonder.land", pass(ours, ours)), b.Addr(), b.AddrOf(servers.Plain), 1), away, "TLS"},
		"a user where the broker has none": {strings.Replace(at("alice", "wonder.land", ""), b.Addr(), b.AddrOf(servers.Plain), 1), denied, "SASL"},
		"a port where nobody listens":      {"oms:kafka://127.0.0.1:1" + patient, away, "connection refused"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn := openAt(t, c.text)
			address := point(t, c.text).Hosts[0]
			asked := conn.Check(t.Context())
			sent := outcome(t, sender(t, conn), &oms.Message{Topic: topic, Body: []byte("b")})
			for op, err := range map[string]error{"check": asked, "send": sent} {
				if err == nil {
					t.Errorf("%s: the broker lets the client in", op)
					continue
				}
				for _, part := range []string{address, c.says} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%s: the error does not say %q: %v", op, part, err)
					}
				}
				if strings.Contains(err.Error(), "wonder.land") || !isOne(err, c.want) {
					t.Errorf("%s: %v, want one of %v and no secret", op, err, c.want)
				}
			}
			if !strings.Contains(sent.Error(), topic) {
				t.Errorf("the error does not say the topic: %v", sent)
			}
		})
	}
}

var (
	denied = []oms.Code{oms.ErrDenied}
	away   = []oms.Code{oms.ErrUnavailable, oms.ErrTimeout}
)

// isOne reports whether an error, or the one message of its batch, has one of
// the codes.
func isOne(err error, codes []oms.Code) bool {
	if batch, ok := errors.AsType[*oms.BatchError](err); ok {
		err = batch.Failed[0]
	}
	for _, code := range codes {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}
