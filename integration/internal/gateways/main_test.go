package gateways_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/omconnect/omconnect/internal/leaks"
)

// inner is set for the processes in which this program is a gateway.
const inner = "OMCONNECT_TEST_INNER_GATEWAY"

func TestMain(m *testing.M) {
	if os.Getenv(inner) != "" {
		os.Exit(beGateway(os.Args))
	}
	leaks.Main(m)
}

// beGateway answers as a gateway does whose only connector moves a record each
// time that somebody looks. With the argument refuse it ends at once, with stay
// it does not end when it is told to.
func beGateway(args []string) int {
	at := slices.Index(args, "--listen")
	if at != 2 || args[1] != "run" || slices.Contains(args, "refuse") {
		fmt.Fprintf(os.Stderr, "refused: %q\n", args[1:])
		return 2
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	l, err := net.Listen("tcp", args[at+1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var moved atomic.Int64
	state := "RUNNING"
	http.HandleFunc("GET /connectors", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") })
	http.HandleFunc("GET /connectors/c/omconnect", func(w http.ResponseWriter, _ *http.Request) {
		n := moved.Add(1)
		fmt.Fprintf(w, `{"state":%q,"tasks":[{"state":%q,"records":%d},{"state":%q,"records":1}]}`, state, state, n, state)
	})
	http.HandleFunc("GET /connectors/stopped/omconnect", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"state":"STOPPED"}`) })
	http.HandleFunc("PUT /echo", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, r.FormValue("x"))
	})
	go func() { _ = http.Serve(l, nil) }()
	fmt.Println("it runs")
	<-told
	if slices.Contains(args, "stay") {
		fmt.Println("it stays")
		select {}
	}
	return 0
}
