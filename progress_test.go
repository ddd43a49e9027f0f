package omconnect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/omconnect/omconnect/connect"
)

func TestTheLineTellsWhatMovedAndWhoDoesNot(t *testing.T) {
	all := []connect.Progress{
		{Name: "a", Kind: connect.KindSource, State: connect.Finished, Records: 10},
		{Name: "b", Kind: connect.KindSource, State: connect.Running, Records: 5},
		{Name: "c", Kind: connect.KindSink, State: connect.Failed, Records: 7},
		{Name: "d\x1b", Kind: connect.KindSink, State: connect.Retrying},
	}
	if got, want := describe(all), `15 read, 7 written; c FAILED; d\x1b RETRYING`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 20 {
		all = append(all, connect.Progress{Name: fmt.Sprintf("another-%d", i), State: connect.Paused})
	}
	if got := describe(all); utf8.RuneCountInString(got) != 79 || !strings.HasSuffix(got, "…") {
		t.Errorf("%q does not fit on a line", got)
	}
}

func TestTheLineIsRedrawnBelowTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := &statusLine{w: &b, terminal: true}
		var moved int64
		showing := start(t.Context(), func(ctx context.Context) error {
			l.follow(ctx, func() []connect.Progress {
				moved += 5
				return []connect.Progress{{Kind: connect.KindSource, State: connect.Running, Records: moved}}
			})
			return nil
		})
		time.Sleep(redrawEvery + redrawEvery/2)
		synctest.Wait()
		fmt.Fprintln(l, "a line of the log")
		time.Sleep(redrawEvery)
		synctest.Wait()
		if err := showing.stop(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(l, "the last line")
		want := clearLine + "5 read, 0 written" +
			clearLine + "a line of the log\n" + "5 read, 0 written" +
			clearLine + "10 read, 0 written" + clearLine + "the last line\n"
		if b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	})
}

func TestThereIsNoLineWithoutATerminal(t *testing.T) {
	var b bytes.Buffer
	l := newStatusLine(&b)
	l.show("5 read")
	fmt.Fprintln(l, "log")
	l.show("")
	if b.String() != "log\n" {
		t.Errorf("got %q", b.String())
	}
}

func TestTheSummaryHasALineForEachConnector(t *testing.T) {
	var b bytes.Buffer
	summarise(&b, []connect.Progress{
		{Name: "numbers", Kind: connect.KindSource, State: connect.Finished, Records: 1},
		{Name: "file", Kind: connect.KindSink, State: connect.Running, Records: 1000},
	})
	if want := "numbers  source  FINISHED  1 record\nfile     sink    RUNNING   1000 records\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestTheGateOpensWhenTheGatewayHasStarted(t *testing.T) {
	g := &gate{next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })}
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, http.NoBody))
		return w
	}
	for path, want := range map[string]int{
		"/": http.StatusTeapot, "/openapi.json": http.StatusTeapot, "/connector-plugins": http.StatusTeapot,
		"/connectors": http.StatusServiceUnavailable, "/connectors/x/pause": http.StatusServiceUnavailable,
	} {
		if got := ask(path); got.Code != want {
			t.Errorf("%s: %d, want %d", path, got.Code, want)
		}
	}
	if w := ask("/connectors"); w.Header().Get("Retry-After") == "" || !strings.HasPrefix(w.Body.String(), `{"error_code":503,"message":"`) {
		t.Errorf("the answer is %v %s", w.Header(), w.Body)
	}
	g.open.Store(true)
	if got := ask("/connectors").Code; got != http.StatusTeapot {
		t.Errorf("open, it answers %d", got)
	}
}

func TestAPartIsStoppedByItsOwnContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	failure := errors.New("failure")
	p := start(ctx, func(ctx context.Context) error {
		<-ctx.Done()
		return failure
	})
	cancel() // the gateway is told to stop: the part is not, until its turn
	select {
	case <-p.ended:
		t.Error("the part ended before it was told to")
	default:
	}
	if err := p.stop(); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}
