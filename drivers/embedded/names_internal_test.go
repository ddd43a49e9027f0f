package embedded

import (
	"strings"
	"testing"
)

func FuzzNamesNeverMeet(f *testing.F) {
	f.Add("T", "T.1", 1, 0)
	f.Add("a-1", "a", 0, 1)
	f.Add(".a", "a.", 0, 0)
	f.Add("a..b", "a.b", 0, 0)
	f.Add("a=2E", "a.", 2, 3)
	f.Add("ä*>", "$x", 10, 10)
	f.Fuzz(func(t *testing.T, a, b string, p, q int) {
		p, q = p&0xff, q&0xff
		if a == b && p == q {
			return
		}
		if streamName(a, p) == streamName(b, q) {
			t.Errorf("%q/%d and %q/%d share the stream %s", a, p, b, q, streamName(a, p))
		}
		if subjectOf(a, p) == subjectOf(b, q) {
			t.Errorf("%q/%d and %q/%d share the subject %s", a, p, b, q, subjectOf(a, p))
		}
		if a == "" {
			return
		}
		topic, number, ok := topicOf(streamName(a, p))
		if !ok || topic != a || number != p {
			t.Errorf("%q/%d is read back as %q/%d, %v", a, p, topic, number, ok)
		}
		if s := streamName(a, p); strings.ContainsAny(s, " .*>/\\\t\r\n") {
			t.Errorf("%q is no stream's name", s)
		}
		for token := range strings.SplitSeq(subjectOf(a, p), ".") {
			if token == "" || strings.ContainsAny(token, " *>\t\r\n") {
				t.Errorf("%q is no subject", subjectOf(a, p))
			}
		}
	})
}

func TestSubjectsKeepTheirDots(t *testing.T) {
	for topic, want := range map[string]string{
		"orders.eu": "orders.eu.0", ".a": "=2Ea.0", "a.": "a=2E.0", "a..b": "a=2E=2Eb.0", "é": "=C3=A9.0", "=": "=3D.0",
	} {
		if got := subjectOf(topic, 0); got != want {
			t.Errorf("the subject of %q is %q, want %q", topic, got, want)
		}
	}
	for _, stream := range []string{"", "-1", "a", "a-x", "a-01", "a=2-0", "a=zz-0", "a.b-0", "KV-x"} {
		if topic, p, ok := topicOf(stream); ok {
			t.Errorf("the stream %q is taken for %q/%d", stream, topic, p)
		}
	}
}

func FuzzDeliveries(f *testing.F) {
	f.Add("$JS.ACK.orders-0.g.2.33.44.1700000000.5")
	f.Add("$JS.ACK._.hash.orders-0.g.2.33.44.1700000000.5.x")
	f.Add("$JS.ACK")
	f.Fuzz(func(t *testing.T, reply string) {
		d, err := readDelivery(reply)
		if err == nil && !strings.HasPrefix(reply, "$JS.ACK.") {
			t.Errorf("%q is read as %+v", reply, d)
		}
	})
}

func TestDeliveriesAreReadInBothForms(t *testing.T) {
	want := delivery{deliveries: 2, offset: 33, serial: 44, left: 5}
	for _, reply := range []string{"$JS.ACK.orders-0.g.2.33.44.1700000000.5", "$JS.ACK._.hash.orders-0.g.2.33.44.1700000000.5.x"} {
		if d, err := readDelivery(reply); err != nil || d != want {
			t.Errorf("%s: %+v, %v", reply, d, err)
		}
	}
}
