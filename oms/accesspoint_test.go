package oms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
)

func TestAccessPointsAreRead(t *testing.T) {
	for text, want := range map[string]oms.AccessPoint{
		"embedded":         {Driver: "embedded", Options: oms.KeyValue{}},
		"oms:embedded:///": {Driver: "embedded", Options: oms.KeyValue{}},
		"oms:embedded:///?dir=/var/x&durability=strict": {Driver: "embedded", Options: oms.KeyValue{"dir": "/var/x", "durability": "strict"}},
		"oms:kafka://h1:9092,h2/eu":                     {Driver: "kafka", Hosts: []string{"h1:9092", "h2"}, Region: "eu", Options: oms.KeyValue{}},
		"oms:kafka://[::1]:9092,[fe80::1]/":             {Driver: "kafka", Hosts: []string{"[::1]:9092", "[fe80::1]"}, Options: oms.KeyValue{}},
		"oms:rabbitmq://al%40ice:p%2F%3Aw@h/%2Fv":       {Driver: "rabbitmq", User: "al@ice", Password: "p/:w", Hosts: []string{"h"}, Region: "/v", Options: oms.KeyValue{}},
		"oms:rabbitmq://u:a:b@h/":                       {Driver: "rabbitmq", User: "u", Password: "a:b", Hosts: []string{"h"}, Options: oms.KeyValue{}},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := oms.ParseAccessPoint(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			again, err := oms.ParseAccessPoint(got.Reveal())
			if diff := cmp.Diff(got, again); diff != "" || err != nil {
				t.Errorf("read again from %s: %v, -first +again:\n%s", got, err, diff)
			}
		})
	}
}

func TestBadAccessPointsAreInvalidAndNotQuoted(t *testing.T) {
	const canary = "hunter2"
	for _, text := range []string{
		"", "kafka:" + canary, "oms:", "oms:kafka", "oms:kafka:" + canary, "oms://u:" + canary + "@h/", "oms:Kafka://h/",
		"oms:kafka://u:" + canary + "@h", "oms:kafka://u:" + canary + "@/", "oms:kafka://:" + canary + "@h/",
		"oms:kafka://u:" + canary + "/x@h/", "oms:kafka://u:" + canary + ",x@h:y/", "oms:kafka://" + canary + ":x/", "oms:kafka://u:" + canary + "%zz@h/", "oms:kafka://h1,,h2/", "oms:kafka://h:port/", "oms:kafka://h:99999/",
		"oms:kafka://h:/", "oms:kafka://a b/", "oms:kafka://h/%zz", "oms:kafka://h/?a=1&a=2", "oms:kafka://h/?=1", "oms:kafka://h/?a=%zz",
	} {
		_, err := oms.ParseAccessPoint(text)
		if !errors.Is(err, oms.ErrInvalid) || strings.Contains(err.Error(), canary) {
			t.Errorf("ParseAccessPoint(%q) = %v, want an ErrInvalid without the password", text, err)
		}
	}
}

func TestSecretsOfAnAccessPointAreNeverPrinted(t *testing.T) {
	ap, err := oms.ParseAccessPoint("oms:kafka://alice:hunter2@h/?sasl.password=hunter2&tls=true")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ap.String(), "oms:kafka://alice:xxxxx@h/?sasl.password=xxxxx&tls=true"; got != want {
		t.Errorf("String = %s, want %s", got, want)
	}
	asJSON, err := json.Marshal(ap.Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %s", ap, ap, ap), fmt.Sprintf("%v %+v %#v %q", ap.Password, ap.Password, ap.Password, ap.Password), string(asJSON),
		ap.LogValue().String(), ap.Password.LogValue().String(),
	} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the password stands in %s", text)
		}
	}
	if got := oms.Secret("").String(); got != "" {
		t.Errorf("an empty secret prints as %q", got)
	}
}

func FuzzParseAccessPoint(f *testing.F) {
	for _, seed := range []string{"embedded", "oms:kafka://a:b@h1:9092,[::1]:1/r%2F?x=y&z=%26", "oms:mem:///"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ap, err := oms.ParseAccessPoint(text)
		if err != nil {
			return
		}
		again, err := oms.ParseAccessPoint(ap.Reveal())
		if err != nil || !cmp.Equal(ap, again) {
			t.Errorf("%q is read as %#v, and again as %#v, %v", text, ap, again, err)
		}
	})
}

func TestOpenNamesTheKnownDrivers(t *testing.T) {
	var r oms.Registry
	r.Register("back", newBack())
	_, err := r.Open(t.Context(), "oms:bck://u:hunter2@h/")
	if err == nil || !strings.Contains(err.Error(), `"bck" (known: back)`) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open = %v, want an error that names what is known, without the password", err)
	}
	if _, err := r.Capabilities("nope"); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("Capabilities = %v, want ErrInvalid", err)
	}
	if caps, err := r.Capabilities("back"); err != nil || !caps.Has(oms.Nack) {
		t.Errorf("Capabilities(back) = %v, %v", caps, err)
	}
	if got := r.Drivers(); !slices.Equal(got, []string{"back"}) {
		t.Errorf("Drivers = %v", got)
	}
}
