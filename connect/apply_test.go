package connect_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func fromFile(name, line string, config ...string) connect.Request {
	return connect.Request{Name: name, Config: settings("test-source", config...), Origin: "gateway.yaml:" + line}
}

func TestDefinitionsOfAFileAreCreatedUpdatedAndDropped(t *testing.T) {
	inWorld(t, func(w *world) {
		apply := func(reqs ...connect.Request) {
			t.Helper()
			w.start()
			w.shutdown()
			if err := w.catalog.Apply(w.t.Context(), reqs); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.wait(30 * time.Second)
		}
		apply(fromFile("a", "3", "last=5"), fromFile("b", "7", "last=5"))
		w.wantState("a", connect.Finished)
		w.do(w.catalog.Pause, "b")
		w.wait(time.Second)
		w.shutdown()

		apply(fromFile("a", "3", "last=9"), fromFile("b", "9", "last=5"))
		if got := w.position("a"); got != 9 {
			t.Errorf("updated, a has come to %d, want 9", got)
		}
		w.wantState("b", connect.Paused) // the target is the store's
		if info, err := w.catalog.Get(w.t.Context(), "b"); err != nil || info.Origin != "gateway.yaml:9" {
			t.Errorf("b = %+v, %v; want its new line", info, err)
		}
		err := w.catalog.Delete(w.t.Context(), "b")
		if !errors.Is(err, oms.ErrHeld) || !strings.Contains(err.Error(), "gateway.yaml:9") {
			t.Errorf("delete = %v, want ErrHeld naming file and line", err)
		}
		w.shutdown()

		apply(fromFile("b", "3", "last=5"))
		if _, err := w.catalog.Get(w.t.Context(), "a"); !errors.Is(err, oms.ErrNotFound) {
			t.Errorf("taken out of the file, a is still there: %v", err)
		}
		if got := w.position("a"); got != 9 {
			t.Errorf("the position of a is %d, want it kept at 9", got)
		}
		if got := w.source.count("OnDestroyed"); got != 0 {
			t.Error("a connector that was taken out of the file was destroyed")
		}
	})
}

func TestEverythingWrongWithAFileIsToldBeforeAnythingIsWritten(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start()
		w.create("taken", "test-source", "last=5")
		if err := w.catalog.Apply(w.t.Context(), []connect.Request{fromFile("old", "1", "last=5")}); err != nil {
			t.Fatal(err)
		}
		before, err := w.store.List(w.t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = w.catalog.Apply(w.t.Context(), []connect.Request{
			fromFile("good", "1", "last=5"), fromFile("bad", "5", "last=x"), fromFile("worse", "8", "colour=red"), fromFile("taken", "11", "last=5"),
		})
		if err == nil {
			t.Fatal("Apply = nil, want an error")
		}
		for _, want := range []string{"bad (gateway.yaml:5)", "last:", "worse (gateway.yaml:8)", "colour: unknown key", "taken (gateway.yaml:11)", "created over REST"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not have %q: %v", want, err)
			}
		}
		if !errors.Is(err, oms.ErrExists) || !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("the error %v has not both codes", err)
		}
		after, err := w.store.List(w.t.Context())
		if err != nil || len(after) != len(before) {
			t.Errorf("definitions %v, %v; want %v as before", after, err, before)
		}
		w.do(w.catalog.Delete, "taken")
		if err := w.catalog.Apply(w.t.Context(), []connect.Request{fromFile("taken", "11", "last=5")}); err != nil {
			t.Errorf("Apply in place of one that is being deleted: %v", err)
		}
		w.wait(time.Minute)
		if info, err := w.catalog.Get(w.t.Context(), "taken"); err != nil || info.Origin == offsets.OriginAPI {
			t.Errorf("Get = %+v, %v; want the file's", info, err)
		}
	})
}
