package oms_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

// choosy is a driver that tells what cannot work.
type choosy struct {
	*back
	seen []oms.AccessPoint
}

func (d *choosy) Open(context.Context, oms.AccessPoint) (oms.Conn, error) {
	return nil, errors.New("nothing is to be opened")
}

func (d *choosy) CheckAccessPoint(ap oms.AccessPoint) error {
	d.seen = append(d.seen, ap)
	r := ap.Options.Reader()
	r.Int("size", 1)
	return r.Err()
}

func (d *choosy) CheckTopic(ap oms.AccessPoint, topic string) error {
	d.seen = append(d.seen, ap)
	if strings.HasPrefix(topic, "own") {
		return &oms.Error{Code: oms.ErrInvalid, Err: errors.New(topic + " is reserved")}
	}
	return nil
}

func TestADriverIsAskedWhatCannotWorkWithoutOpeningItsBroker(t *testing.T) {
	t.Parallel()
	var r oms.Registry
	d := &choosy{back: newBack()}
	r.Register("choosy", d)
	r.Register("plain", newBack())
	for _, good := range []string{"choosy", "oms:choosy://u:swordfish@h/?size=7", "plain", "oms:plain://h/?nosuch=1"} {
		if err := r.CheckAccessPoint(good); err != nil {
			t.Errorf("CheckAccessPoint(%s) = %v", good, err)
		}
		if err := r.CheckTopic(good, "orders"); err != nil {
			t.Errorf("CheckTopic(%s) = %v", good, err)
		}
	}
	if len(d.seen) != 4 || d.seen[2].Hosts[0] != "h" || d.seen[3].Password.Reveal() != "swordfish" {
		t.Errorf("the driver was shown %v, want each access point as it is", d.seen)
	}
	for text, says := range map[string][]string{
		"oms:choosy://u:swordfish@h/?size=many&nosuch=hunter22": {"choosy", `size: "many" is not a whole number`, "nosuch: unknown key"},
		"oms:nowhere://h/":              {"nowhere", "choosy", "plain"},
		"oms:choosy://u:swordfish@h":    {"there is no / after the hosts"},
		"http://u:swordfish@h/hunter22": {"starts neither with oms:"},
	} {
		err := r.CheckAccessPoint(text)
		if !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("CheckAccessPoint(%s) = %v, want it to be invalid", text, err)
			continue
		}
		for _, part := range says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("CheckAccessPoint(%s) = %v, which does not say %q", text, err, part)
			}
		}
		if strings.Contains(err.Error(), "swordfish") || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("CheckAccessPoint(%s) = %v: it has a secret", text, err)
		}
	}
	if err := r.CheckTopic("oms:nowhere://h/", "t"); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("a topic of a driver that is not there: %v", err)
	}
	for text, says := range map[string]string{"own.x": "own.x is reserved", "": "a topic needs a name", "a b": "space"} {
		err := r.CheckTopic("choosy", text)
		e, ok := errors.AsType[*oms.Error](err)
		if !ok || e.Code != oms.ErrInvalid || e.Driver != "choosy" || e.Target != text || !strings.Contains(err.Error(), says) || strings.Count(err.Error(), "invalid: ") > 1 {
			t.Errorf("CheckTopic(%q) = %v, want it invalid, once, saying %q", text, err, says)
		}
	}
	if err := r.CheckTopic("plain", "own.x"); err != nil {
		t.Errorf("a driver that checks nothing: %v", err)
	}
	if err := r.CheckTopic("plain", "a b"); !errors.Is(err, oms.ErrInvalid) {
		t.Errorf("a topic that no broker takes: %v", err)
	}
}
