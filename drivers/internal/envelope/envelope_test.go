package envelope_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/omconnect/omconnect/drivers/internal/envelope"
	"github.com/omconnect/omconnect/oms"
)

var at = time.UnixMilli(1_700_000_000_123)

// sealed returns the whole envelope of a message at a broker that carries the
// headers whose names begin with "plain", and their values.
func sealed(m *oms.Message) (text string, carried map[string][][]byte) {
	carried = make(map[string][][]byte)
	e := envelope.Append(nil, m)
	switch {
	case m.Body == nil:
		e = envelope.AppendBody(e, envelope.Nil)
	case len(m.Body) == 0:
		e = envelope.AppendBody(e, envelope.Empty)
	}
	e = envelope.AppendHeaders(e, m.Headers, func(i int) bool {
		h := m.Headers[i]
		if !strings.HasPrefix(h.Name, "plain") {
			return false
		}
		carried[h.Name] = append(carried[h.Name], h.Value)
		return true
	})
	return string(e), carried
}

// opened returns the message of an envelope.
func opened(text string, carried map[string][][]byte) (m oms.Message, err error) {
	m.Body = []byte("-")
	taken := make(map[string]int)
	err = envelope.Read(&m, text, func(name string) ([]byte, bool) {
		n := taken[name]
		taken[name]++
		if n >= len(carried[name]) {
			return nil, false
		}
		return carried[name][n], true
	})
	return m, err
}

// What is stored at brokers must be read by every later release, and looks as
// it always did.
func TestEnvelopesLookAsTheyAlwaysDid(t *testing.T) {
	t.Parallel()
	body := []byte("-") // the broker's to carry
	for want, m := range map[string]oms.Message{
		"v=1":               {Body: body},
		"v=1;nil":           {},
		"v=1;void":          {Body: []byte{}},
		"v=1;key=;nil":      {Key: []byte{}},
		"v=1;id=a%3Bb=c%2C": {ID: "a;b=c,", Body: body},
		"v=1;id=i;key=a_8;born=1700000000123;corr=%C3%BC%20%25;tp=00-1;ts=a=b%2Cc=d;exp=-5;prio=7": {
			ID: "i", Key: []byte("k\xff"), BornAt: at, CorrelationID: "ü %", TraceParent: "00-1", TraceState: "a=b,c=d",
			ExpiresAt: time.UnixMilli(-5), Priority: 7, Body: body,
		},
		"v=1;h=plain,none!,bytes:AAE,empty:,plain,%2C%3B%3A%21%3D%25!,:dg": {Body: body, Headers: oms.Headers{
			{Name: "plain", Value: []byte("1")},
			{Name: "none"},
			{Name: "bytes", Value: []byte{0, 1}},
			{Name: "empty", Value: []byte{}},
			{Name: "plain", Value: []byte("2")},
			{Name: ",;:!=%"},
			{Name: "", Value: []byte("v")},
		}},
	} {
		text, carried := sealed(&m)
		if text != want {
			t.Errorf("the envelope is %s, want %s", text, want)
		}
		got, err := opened(want, carried)
		if err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if diff := cmp.Diff(m, got, cmpopts.IgnoreUnexported(oms.Message{})); diff != "" {
			t.Errorf("%s (-sealed +opened):\n%s", want, diff)
		}
	}
}

func TestADamagedEnvelopeIsNoticed(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		"v=1;key=%": "key", "v=1;born=soon": "born", "v=1;exp=1e3": "exp", "v=1;prio=high": "prio", "v=1;id=%zz": "id", "v=1;corr=%1": "corr",
		"v=1;tp=%": "tp", "v=1;ts=%": "ts", "v=1;h=%zz!": "h", "v=1;h=a:%": "h", "v=1;h=plain,plain": "h", "v=1;h": "h",
	} {
		_, err := opened(text, map[string][][]byte{"plain": {[]byte("once")}})
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), "field "+field+" is") {
			t.Errorf("%s: %v, want ErrFormat that names %s", text, err, field)
		}
	}
}

func TestAFieldOfALaterReleaseIsNoDamage(t *testing.T) {
	t.Parallel()
	m, err := opened("v=2;new=%zz;newer;;id=x", nil)
	if err != nil || m.ID != "x" || string(m.Body) != "-" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestNamesThatLookWardedAreTold(t *testing.T) {
	t.Parallel()
	var warded []string
	for _, name := range []string{"", "oms", "oms-h-", "oms-h-x", "OMS-H-X", "oms-hx", "x-oms-h-", "Oms-H-é"} {
		if envelope.Warded(name) {
			warded = append(warded, name)
		}
	}
	if want := []string{"oms-h-", "oms-h-x", "OMS-H-X", "Oms-H-é"}; !slices.Equal(warded, want) {
		t.Errorf("warded are %q, want %q", warded, want)
	}
}

// FuzzEnvelope opens what it has sealed.
func FuzzEnvelope(f *testing.F) {
	f.Add("id", []byte("key"), "corr", "name", []byte("value"), "plain", []byte("again"), int64(5), 0)
	f.Add(";", []byte{}, "%zz,", "a:,", []byte{}, "plain!", []byte("x\x02y"), int64(-1), -7)
	f.Add("\xff", []byte(nil), "=", "plain", []byte(nil), "plain", []byte("k"), int64(1<<40), 9)
	f.Fuzz(func(t *testing.T, id string, key []byte, corr, n1 string, v1 []byte, n2 string, v2 []byte, born int64, priority int) {
		sent := oms.Message{
			ID: id, Key: key, CorrelationID: corr, TraceParent: n1, TraceState: n2, Priority: priority, Body: []byte("-"),
			Headers: oms.Headers{{Name: n1, Value: v1}, {Name: n2, Value: v2}, {Name: n1, Value: v2}, {Name: n2}},
		}
		if born != 0 {
			sent.BornAt, sent.ExpiresAt = time.UnixMilli(born), time.UnixMilli(born/2)
		}
		got, err := opened(sealed(&sent))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sent, got, cmpopts.IgnoreUnexported(oms.Message{}), cmp.Comparer(func(a, b time.Time) bool {
			return a.Equal(b)
		})); diff != "" {
			t.Errorf("(-sealed +opened):\n%s", diff)
		}
	})
}

// FuzzRead reads what may be no envelope: it is a message or ErrFormat.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"", "v=1;key=;h=a,b:,c!", ";;;=;h", "v=1;nil;void;born=9223372036854775807", "h=,,plain"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := opened(text, map[string][][]byte{"plain": {[]byte("1"), []byte("2")}})
		if err != nil && !errors.Is(err, oms.ErrFormat) {
			t.Errorf("%v, want ErrFormat", err)
		}
	})
}
