// Crasher is the gateway as a program of one's own, for the tests of package
// integration: it ends itself, or stops, the n-th time that it reaches a named
// point on the way of a record. The gateway is the ordinary one; what knows
// the points are wrappings of a driver, a source and a sink, which anybody
// could register.
//
//	crasher run …                       the gateway; arguments are those of omconnect run
//	crasher nats-server PORT FOLDER     a broker that several gateways reach
//
// OMCONNECT_CRASH is what to do: "kill commit 3" ends the process as kill -9
// does when the point commit is reached for the third time, "stop put 1" stops
// it as SIGSTOP does. OMCONNECT_CRASHER is what the process calls itself in
// the files that it writes.
//
// The drivers are crashing, which is embedded, and crashing-nats, which is
// nats with a server that syncs before it answers. The source spool-source
// reads a folder of numbered files and deletes those that were committed;
// early-spool-source deletes them as soon as it has read them, which no source
// may. The sink journal-sink appends a line for each message to a file.
package main

import (
	"fmt"
	"os"

	"github.com/omconnect/omconnect"                  //nolint:depguard // this main is what is tested, as anybody's
	"github.com/omconnect/omconnect/connect"          //nolint:depguard // see above
	"github.com/omconnect/omconnect/drivers/embedded" //nolint:depguard // see above
	"github.com/omconnect/omconnect/oms"              //nolint:depguard // see above
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "nats-server" {
		if err := serveNATS(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "crasher:", err)
			os.Exit(1)
		}
		return
	}
	trap, err := parseTrap(os.Getenv("OMCONNECT_CRASH"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "crasher:", err)
		os.Exit(2)
	}
	me := os.Getenv("OMCONNECT_CRASHER")
	oms.Register("crashing", driver{Driver: embedded.Driver{}, trap: trap})
	oms.Register("crashing-nats", driver{Driver: embedded.Driver{External: true}, trap: trap, synced: true})
	connect.Register(sourcePlugin("spool-source", me, trap, false))
	connect.Register(sourcePlugin("early-spool-source", me, trap, true))
	connect.Register(sinkPlugin(me, trap))
	omconnect.Main()
}
