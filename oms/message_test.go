package oms_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func TestCanonicalObjectsAreEqualTextForEqualContent(t *testing.T) {
	type place struct {
		Zone string `json:"z"`
		N    int64  `json:"a"`
	}
	for want, v := range map[string]any{
		`{"a":9007199254740993,"z":"<&>"}`: place{"<&>", 9007199254740993},
		`{"a":1,"b":{"c":2,"d":3}}`:        map[string]any{"b": map[string]int{"d": 3, "c": 2}, "a": 1},
		`{}`:                               struct{}{},
	} {
		if got, err := oms.CanonicalObject(v); got != want || err != nil {
			t.Errorf("CanonicalObject(%v) = %s, %v; want %s", v, got, err, want)
		}
	}
	for _, v := range []any{nil, 1, "x", []int{1}, math.NaN(), map[string]any(nil)} {
		if got, err := oms.CanonicalObject(v); oms.CodeOf(err) != oms.ErrFormat {
			t.Errorf("CanonicalObject(%v) = %s, %v; want it refused", v, got, err)
		}
	}
}

func TestNewOriginMayLackAPosition(t *testing.T) {
	o, err := oms.NewOrigin(map[string]string{"file": "x"}, nil)
	if err != nil || o.Partition != `{"file":"x"}` || o.Position != "" {
		t.Errorf("NewOrigin = %+v, %v", o, err)
	}
	if _, err := oms.NewOrigin("x", nil); err == nil || !strings.Contains(err.Error(), "partition") {
		t.Errorf("a partition that is no object: %v", err)
	}
	if _, err := oms.NewOrigin(struct{}{}, 7); err == nil || !strings.Contains(err.Error(), "position") {
		t.Errorf("a position that is no object: %v", err)
	}
}

func TestHeadersKeepOrderAndRepeat(t *testing.T) {
	hs := oms.Headers{{Name: "a", Value: []byte("1")}, {Name: "b"}}
	more := hs.With("a", "2")
	if len(hs) != 2 || len(more) != 3 || more.Text("a") != "2" || hs.Text("a") != "1" {
		t.Errorf("With: %v, then %v", hs, more)
	}
	if v, ok := more.Get("b"); !ok || v != nil {
		t.Errorf("Get(b) = %v, %v; want a header without a value", v, ok)
	}
	if _, ok := more.Get("A"); ok {
		t.Error("Get does not tell A from a")
	}
	if rest := more.Without("a"); len(rest) != 1 || len(more) != 3 {
		t.Errorf("Without(a) = %v of %v", rest, more)
	}
}

func TestMessagesExpire(t *testing.T) {
	now := time.Now()
	m := &oms.Message{}
	if m.Expired(now) {
		t.Error("a message without expiry has expired")
	}
	c := m.Clone()
	c.ExpiresAt = now
	if !c.Expired(now) || c.Expired(now.Add(-1)) || m.Expired(now) {
		t.Error("expiry is wrong, or the clone is not one")
	}
	if small, large := (&oms.Message{}).Size(), (&oms.Message{Body: make([]byte, 1000), Headers: oms.Headers{{Name: "x"}}}).Size(); large < small+1000 {
		t.Errorf("sizes %d and %d", small, large)
	}
}

func TestAnOriginDecodesToWhatItWasMadeOf(t *testing.T) {
	type place struct {
		Line int64  `json:"line"`
		ID   string `json:"id"`
	}
	want := place{Line: 1<<53 + 1, ID: "<é>"}
	origin, err := oms.NewOrigin(map[string]string{"file": "a"}, want)
	if err != nil {
		t.Fatal(err)
	}
	var got place
	if err := origin.Decode(&got); err != nil || got != want {
		t.Errorf("%s became %+v, %v", origin.Position, got, err)
	}
	for _, position := range []string{"", "7", `{"lines":1}`, `{"line":"x"}`, `{"line":1`} {
		odd := &oms.Origin{Partition: `{"file":"a"}`, Position: position}
		err := odd.Decode(new(place))
		if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), `{"file":"a"}`) {
			t.Errorf("%q: %v, want ErrFormat that names the partition", position, err)
		}
	}
}
