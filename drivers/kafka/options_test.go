package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/oms"
)

func TestAccessPointsThatAreWrongAreRefusedWithEveryReason(t *testing.T) {
	t.Parallel()
	const one = "oms:kafka://one/?"
	for text, keys := range map[string][]string{
		"oms:kafka:///":                                                   {"host"},
		"oms:kafka://one/region":                                          {"region"},
		one + "version=2.3.1":                                             {"version"},
		one + "version=new":                                               {"version"},
		one + "max.message.bytes=0":                                       {"max.message.bytes"},
		one + "max.message.bytes=9999999999":                              {"max.message.bytes"},
		one + "client.id=a+b":                                             {"client.id"},
		one + "compression.type=rar":                                      {"compression.type"},
		one + "request.timeout.ms=1":                                      {"request.timeout.ms"},
		one + "delivery.timeout.ms=soon":                                  {"delivery.timeout.ms"},
		one + "session.timeout.ms=5000&heartbeat.interval.ms=2501":        {"heartbeat.interval.ms"},
		one + "rebalance.protocol=random":                                 {"rebalance.protocol"},
		one + "consumer.offset.out.of.range=ignore":                       {"consumer.offset.out.of.range"},
		one + "tls.ca.file=x&tls.server.name=y":                           {"tls.ca.file", "tls.server.name"},
		one + "tls=true&tls.cert.file=x":                                  {"tls.cert.file"},
		one + "sasl.mechanism=scram-sha-256":                              {"user"},
		one + "sasl.mechanism=oauthbearer":                                {"sasl.token.file"},
		one + "sasl.mechanism=oauthbearer&sasl.token=a&sasl.token.file=b": {"sasl.token.file"},
		one + "sasl.token=a":                                              {"sasl.token"},
		one + "no.such.option=1&tls=maybe&client.id=":                     {"no.such.option", "tls"},
	} {
		_, err := kafka.Driver{}.Open(t.Context(), point(t, text))
		if !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%s: %v, want %v", text, err, oms.ErrInvalid)
			continue
		}
		for _, key := range keys {
			if !strings.Contains(err.Error(), key) {
				t.Errorf("%s: the error does not name %s: %v", text, key, err)
			}
		}
	}
}

func TestSecretsOfAnAccessPointAreInNoError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"oms:kafka://user:hush@one/?tls=perhaps", "oms:kafka://one/?sasl.mechanism=plain&sasl.token=hush",
		"oms:kafka://user:hush@127.0.0.1:1/?request.timeout.ms=1000",
	} {
		conn, err := kafka.Driver{}.Open(t.Context(), point(t, text))
		if err == nil {
			err = errors.Join(conn.Check(t.Context()), conn.Close(t.Context()))
		}
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want an error without the secret", point(t, text), err)
		}
	}
}

func TestCapabilitiesFollowTheOptions(t *testing.T) {
	t.Parallel()
	plain := kafka.Driver{}.Capabilities(point(t, "oms:kafka://one/"))
	if plain.DurableAfter != 0 || plain.MaxBody != 1<<20-64<<10 {
		t.Errorf("without options a message is durable after %v and has at most %d bytes", plain.DurableAfter, plain.MaxBody)
	}
	said := kafka.Driver{}.Capabilities(point(t, "oms:kafka://one/?durable.after.ms=500&max.message.bytes=5000"))
	if said.DurableAfter != 500*time.Millisecond || said.MaxBody != 5000 {
		t.Errorf("a message is durable after %v and has at most %d bytes, want 500ms and 5000", said.DurableAfter, said.MaxBody)
	}
	var without []oms.Capability
	for name, support := range plain.Claims {
		if support.Claimed {
			continue
		}
		without = append(without, name)
		if support.Note == "" {
			t.Errorf("%s is not claimed, and nothing says why", name)
		}
	}
	if !cmp.Equal(plain.Claims, said.Claims) || len(without) == 0 {
		t.Errorf("options change what is claimed: %v", without)
	}
}

func TestAHostWithoutAPortHasKafkas(t *testing.T) {
	t.Parallel()
	conn := openAt(t, "oms:kafka://127.0.0.1/?request.timeout.ms=500")
	if err := conn.Check(t.Context()); err != nil && !strings.Contains(err.Error(), "127.0.0.1:9092") {
		t.Errorf("check: %v, want an error about port 9092, or none", err)
	}
}
