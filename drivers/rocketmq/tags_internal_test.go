package rocketmq

import (
	"errors"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestTheTagIsTheLastHeaderOfThatName(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers oms.Headers
		option  string
		want    string
	}{
		"no option":          {oms.Headers{{Name: "kind", Value: []byte("red")}}, "", ""},
		"one":                {oms.Headers{{Name: "kind", Value: []byte("red")}}, "kind", "red"},
		"another name":       {oms.Headers{{Name: "Kind", Value: []byte("red")}}, "kind", ""},
		"several":            {oms.Headers{{Name: "kind", Value: []byte("red")}, {Name: "kind", Value: []byte("blue")}}, "kind", "blue"},
		"empty":              {oms.Headers{{Name: "kind", Value: []byte{}}}, "kind", ""},
		"nil":                {oms.Headers{{Name: "kind"}}, "kind", ""},
		"RocketMQ's name":    {oms.Headers{{Name: "TAGS", Value: []byte("red")}}, "TAGS", "red"},
		"that without it":    {oms.Headers{{Name: "TAGS", Value: []byte("red")}}, "", ""},
		"text beyond ASCII":  {oms.Headers{{Name: "kind", Value: []byte("größer | kleiner")}}, "kind", "größer | kleiner"},
		"a warded name":      {oms.Headers{{Name: "oms-h-TAGS", Value: []byte("red")}}, "oms-h-TAGS", "red"},
		"a name of brackets": {oms.Headers{{Name: "k,;:!=", Value: []byte("red")}}, "k,;:!=", "red"},
	} {
		onWire, body, err := wrap(&oms.Message{Headers: test.headers}, test.option)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		properties := read(t, onWire)
		if got := properties[primitive.PropertyTags]; got != test.want {
			t.Errorf("%s: the tag is %q, want %q", name, got, test.want)
		}
		for _, option := range []string{"", test.option, "other"} {
			var got oms.Message
			if err := unwrap(&got, properties, body, time.Time{}, option); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(test.headers, got.Headers); diff != "" {
				t.Errorf("%s, received with tag.header=%s (-sent +received):\n%s", name, option, diff)
			}
		}
	}
}

// One that a consumer could not ask for would be missed in silence.
func TestAHeaderThatCannotBeATagIsRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a||b", "||", " a", "a ", " ", "\t", "a\x01b", "a\x02b", "a\nb", "\xff"} {
		m := &oms.Message{Headers: oms.Headers{{Name: "kind", Value: []byte(value)}}}
		if _, _, err := wrap(m, "kind"); !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("the tag %q: %v, want ErrInvalid", value, err)
		}
		if _, _, err := wrap(m, "other"); err != nil {
			t.Errorf("the header %q, which is no tag: %v", value, err)
		}
	}
}

func TestATagThatIsRefusedFailsItsMessageOnly(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := connTo(t, f, "tag.header=kind")
	s, err := c.OpenSender(t.Context(), oms.SenderConfig{})
	s = open(t, s, err)
	done := make(chan error, 1)
	s.SendAsync(t.Context(), []*oms.Message{
		{Topic: "t", Body: []byte("good"), Headers: oms.Headers{{Name: "kind", Value: []byte("red")}}},
		{Topic: "t", Body: []byte("bad"), Headers: oms.Headers{{Name: "kind", Value: []byte("a||b")}}},
	}, func(err error) { done <- err })
	got := <-done
	if err := oms.FailureOf(got, 0); err != nil {
		t.Errorf("the one before: %v", err)
	}
	if err := oms.FailureOf(got, 1); oms.CodeOf(err) != oms.ErrInvalid {
		t.Errorf("the tag: %v, want ErrInvalid", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if tag := f.topics["t"].queues[0][0].property(primitive.PropertyTags); tag != "red" {
		t.Errorf("the broker has the tag %q, want red", tag)
	}
}

func TestForeignTagsAreTheHeaderThatIsNamed(t *testing.T) {
	t.Parallel()
	foreign := map[string]string{"TAGS": "red", "kind": "7", "a": "1"}
	for option, want := range map[string]oms.Headers{
		"":     {{Name: "TAGS", Value: []byte("red")}, {Name: "a", Value: []byte("1")}, {Name: "kind", Value: []byte("7")}},
		"kind": {{Name: "a", Value: []byte("1")}, {Name: "kind", Value: []byte("7")}, {Name: "kind", Value: []byte("red")}},
	} {
		var got oms.Message
		if err := unwrap(&got, foreign, []byte("x"), time.Time{}, option); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.Headers); diff != "" {
			t.Errorf("with tag.header=%s (-want +got):\n%s", option, diff)
		}
	}
}

func TestTagHeaderIsTheNameOfAHeader(t *testing.T) {
	t.Parallel()
	for value, good := range map[string]bool{"kind": true, "TAGS": true, "%C3%BC": true, "": true, "%20x": false, "%01": false, "%FF": false} {
		ap, err := oms.ParseAccessPoint("oms:rocketmq://one/?tag.header=" + value)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (Driver{}).Open(t.Context(), ap); (err == nil) != good || !good && oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("tag.header=%s: %v, want it taken: %v", value, err, good)
		}
	}
}
