package kafka

import (
	"errors"
	"net/url"
	"testing"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/oms"
)

func parse(t *testing.T, text string) oms.AccessPoint {
	t.Helper()
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return ap
}

// Each option with its documented default changes nothing, and an option that
// is not documented is not known.
func TestDocumentedDefaultsAreTheDefaults(t *testing.T) {
	t.Parallel()
	plain, err := readOptions(parse(t, "oms:kafka://one/"))
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.AllowUnexported(options{}, security{}), cmpopts.EquateComparable(sarama.KafkaVersion{})}
	for _, d := range (Driver{}).Options() {
		if d.Doc == "" {
			t.Errorf("option %s is not documented", d.Name)
		}
		if d.Default == "" {
			continue
		}
		got, err := readOptions(parse(t, "oms:kafka://one/?"+d.Name+"="+url.QueryEscape(d.Default)))
		if err != nil {
			t.Errorf("option %s with its default %q: %v", d.Name, d.Default, err)
		}
		if diff := cmp.Diff(plain, got, same); diff != "" {
			t.Errorf("option %s with its default %q (-without +with):\n%s", d.Name, d.Default, diff)
		}
		for _, v := range d.Values {
			if _, err := readOptions(parse(t, "oms:kafka://user@one/?sasl.token=t&"+d.Name+"="+v)); errors.Is(err, oms.ErrInvalid) && d.Name != "sasl.mechanism" && !onlySASL(err) {
				t.Errorf("option %s does not take %q: %v", d.Name, v, err)
			}
		}
	}
}

func onlySASL(err error) bool {
	var es oms.KeyErrors
	return errors.As(err, &es) && len(es) == 1 && es[0].Key == "sasl.token"
}

func TestEveryOptionThatIsReadIsDocumented(t *testing.T) {
	t.Parallel()
	documented := make(map[string]bool)
	for _, d := range (Driver{}).Options() {
		documented[d.Name] = true
	}
	// An unknown option is answered with the known one that is most like it.
	for _, name := range []string{
		"version", "client.id", "client.rack", "max.message.bytes", "compression.type", "request.timeout.ms", "delivery.timeout.ms",
		"durable.after.ms", "group.instance.id", "session.timeout.ms", "heartbeat.interval.ms", "rebalance.timeout.ms",
		"rebalance.protocol", "consumer.offset.out.of.range", "tls", "tls.ca.file", "tls.cert.file", "tls.key.file",
		"tls.server.name", "sasl.mechanism", "sasl.token", "sasl.token.file",
	} {
		if !documented[name] {
			t.Errorf("option %s is read and not documented", name)
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("option %s is documented and not read", name)
	}
}

func TestOptionsThatContradictEachOtherAreRefused(t *testing.T) {
	t.Parallel()
	for text, key := range map[string]string{
		"oms:kafka:///":                                                        "host",
		"oms:kafka://one/?tls.ca.file=x":                                       "tls.ca.file",
		"oms:kafka://one/?tls=true&tls.cert.file=x":                            "tls.cert.file",
		"oms:kafka://one/?sasl.mechanism=oauthbearer":                          "sasl.token.file",
		"oms:kafka://one/?sasl.token=x":                                        "sasl.token",
		"oms:kafka://one/?sasl.mechanism=scram-sha-256":                        "user",
		"oms:kafka://one/?session.timeout.ms=2000":                             "heartbeat.interval.ms",
		"oms:kafka://one/?max.message.bytes=0":                                 "max.message.bytes",
		"oms:kafka://one/?client.id=two%20words":                               "client.id",
		"oms:kafka://one/?version=old":                                         "version",
		"oms:kafka://one/?request.timeout.ms=1":                                "request.timeout.ms",
		"oms:kafka://one/?consumer.offset.out.of.range=latest&no.such.option=": "no.such.option",
	} {
		_, err := readOptions(parse(t, text))
		var es oms.KeyErrors
		if !errors.As(err, &es) || len(es) != 1 || es[0].Key != key {
			t.Errorf("%s: %v, want one problem with %s", text, err, key)
		}
	}
}

func TestHostsHaveKafkasPort(t *testing.T) {
	t.Parallel()
	got := brokers([]string{"one", "two:1", "[::1]", "[::1]:2"})
	want := []string{"one:9092", "two:1", "[::1]:9092", "[::1]:2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("brokers (-want +got):\n%s", diff)
	}
}
