package connecttest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/oms"
)

// password is what must not be seen.
const password = "kit-hunter2 & co"

// A tape is a source of lanes, each an upstream that forgets. It is broken in
// the way that its fault says, "" for none.
type tape struct {
	connect.Hooks
	fault   string
	env     connect.Env
	lanes   map[string]*connecttest.Upstream
	mine    []string
	at      map[string]int64
	next    int // lane
	batch   int
	buffer  []byte
	list    []*oms.Message
	file    *os.File
	started bool
}

// tapeHarness returns a harness of tapes with the fault.
func tapeHarness(fault string) func(t *testing.T) connecttest.Source {
	return func(t *testing.T) connecttest.Source {
		t.Helper()
		lanes := map[string]*connecttest.Upstream{"a": new(connecttest.Upstream), "b": new(connecttest.Upstream)}
		file := filepath.Join(t.TempDir(), "tape")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		config := oms.KeyValue{"file": file, "lanes": "a,b", "batch": "3", "password": password, "url": "x://me:kit-pass4URL@host/"}
		unstartable := config.Clone()
		unstartable["file"] = file + "-is-missing"
		return connecttest.Source{
			Plugin: tapePlugin(fault, lanes), Config: config, Unstartable: unstartable,
			Finite: strings.HasPrefix(fault, "finite"),
			Write: func(first, n int) {
				for i := first; i < first+n; i++ {
					lanes[[]string{"a", "b"}[i/2%2]].Append(strconv.Itoa(i))
				}
			},
			Number: func(m *oms.Message) (int, error) { return strconv.Atoi(strings.TrimRight(string(m.Body), " ")) },
		}
	}
}

func tapePlugin(fault string, lanes map[string]*connecttest.Upstream) connect.Plugin {
	p := connect.Plugin{
		Class: "tape-source", Kind: connect.KindSource, Doc: "Reads lanes.",
		Def: connect.ConfigDef{Keys: []connect.Key{
			{Name: "file", Required: true, Doc: "A file."},
			{Name: "lanes", Type: connect.List, Required: true, Doc: "Lanes."},
			{Name: "batch", Type: connect.Int, Default: "2", Min: 1, Max: 100, Doc: "Records."},
			{Name: "password", Secret: true, Doc: "Secret."},
			{Name: "url", Type: connect.URL, Doc: "URL."},
		}},
	}
	switch fault {
	case "a needed key is not marked":
		p.Def.Keys[1].Required = false
	case "a default is refused by its key":
		p.Def.Keys[2].Default = "many"
	case "a password is not marked":
		p.Def.Keys[3].Secret = false
	case "the check panics":
		p.Def.Check = func(config oms.KeyValue) oms.KeyErrors { _ = config["batch"][1:]; _ = config["url"][3:]; return nil }
	case "the check names no key":
		p.Def.Check = func(config oms.KeyValue) oms.KeyErrors {
			if len(config["lanes"]) > 100 {
				return oms.KeyErrors{{Problem: "too long"}}
			}
			return nil
		}
	case "the plugin does not say what it does":
		p.Doc = ""
	}
	var only *tape
	p.New = func(env connect.Env) (connect.Connector, error) {
		s := &tape{env: env, fault: fault, lanes: lanes, at: make(map[string]int64)}
		switch fault {
		case "New opens a file":
			var err error
			s.file, err = os.Open(env.Config["file"])
			return s, err
		case "New starts a goroutine":
			go func() { <-time.After(25 * time.Second) }()
		case "New returns the same instance":
			if only == nil {
				only = s
			}
			return only, nil
		case "resumer", "resumer whose cut Poll drops what it took", "resumer that does not resume":
			return resumer{s}, nil
		case "Seek has another form":
			return struct {
				*plainTape
				oddSeek
			}{&plainTape{s}, oddSeek{}}, nil
		}
		return s, nil
	}
	return p
}

// A plainTape has a Seek that is hidden by oddSeek's.
type plainTape struct{ *tape }

type oddSeek struct{}

func (oddSeek) Seek([]oms.Origin) {}

// A resumer goes on after a pause.
type resumer struct{ *tape }

func (s resumer) OnResume(context.Context) error {
	if s.is("resumer that does not resume") {
		return errors.New("paused for good")
	}
	return nil
}

func (s *tape) is(fault string) bool { return s.fault == fault }

func (s *tape) OnStart(_ context.Context, config oms.KeyValue) error {
	r := config.Reader()
	s.mine, s.batch = r.List("lanes"), r.Int("batch")
	r.Ignore(config.Keys()...)
	if err := r.Err(); err != nil {
		return err
	}
	if s.is("a secret is logged") {
		s.env.Logger.Debug("starting", "config", fmt.Sprintf("%q", config["password"]))
	}
	for _, lane := range s.mine {
		if s.lanes[lane] == nil {
			return &oms.Error{Op: "open", Target: lane, Code: oms.ErrNotFound, Err: errors.New("key lanes: no such lane")}
		}
	}
	var err error
	if s.file, err = os.Open(config["file"]); err != nil {
		if s.is("a secret stands in an error") {
			err = fmt.Errorf("%w for %s", err, config["url"])
		}
		return err
	}
	s.started = true
	if s.is("a goroutine is left") {
		go func() { <-time.After(40 * time.Second) }()
	}
	if s.is("it goes on after OnStop") {
		go func() {
			<-time.After(5 * time.Second)
			s.env.Logger.Info("still here")
		}()
	}
	return nil
}

func (s *tape) OnStop(context.Context) error {
	switch {
	case s.is("OnStop panics without OnStart") && !s.started:
		_ = s.mine[0]
	case s.is("OnStop fails after a failed OnStart") && !s.started && s.mine != nil:
		return s.file.Close()
	case s.is("OnStop does not return"):
		<-time.After(time.Minute)
	case s.is("it fails after OnStop"):
		go func() { <-time.After(time.Second); s.env.Fail(errors.New("late")) }()
	}
	if s.file != nil {
		return s.file.Close()
	}
	return nil
}

func (s *tape) OnPause(context.Context) error {
	if s.is("OnPause fails") {
		return errors.New("never")
	}
	return nil
}

func (s *tape) OnFailed(context.Context, error) {
	if s.is("OnFailed panics") {
		panic("boo")
	}
}

func (s *tape) OnDestroyed(context.Context) error {
	if s.is("OnDestroyed needs OnStart") && !s.started {
		return errors.New("not started")
	}
	return nil
}

func (s *tape) Split(_ context.Context, config oms.KeyValue, limit int) ([]oms.KeyValue, error) {
	lanes := oms.SplitList(config["lanes"])
	switch {
	case s.is("Split forgets a lane") && limit > 1:
		lanes = lanes[:1]
	case s.is("Split gives a lane to two") && limit > 2:
		lanes = append(lanes, lanes[0])
	case s.is("Split does not look at its limit"):
		limit = len(lanes)
	case s.is("Split makes none") && limit > 3:
		return nil, nil
	case s.is("Split changes what it is given"):
		delete(config, "url")
	case s.is("Split makes what is not valid"):
		config = config.Clone()
		delete(config, "file")
	}
	tasks := make([]oms.KeyValue, min(limit, len(lanes)))
	for i := range tasks {
		tasks[i] = config.Clone()
		var own []string
		for j := i; j < len(lanes); j += len(tasks) {
			own = append(own, lanes[j])
		}
		tasks[i]["lanes"] = strings.Join(own, ",")
	}
	return tasks, nil
}
