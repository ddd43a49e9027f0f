// Quickstart moves a table of time zones from one SQLite database through a
// broker into another one and into a file, and keeps them up to date. The
// gateway is the ordinary one; this program only makes the first database, and
// tells when everything has arrived. Arguments are those of omconnect run.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/omconnect/omconnect"
)

// config is the gateway's configuration, from the root of the repository.
const config = "examples/quickstart/gateway.yaml"

func main() {
	ctx := context.Background()
	if err := createSource(ctx, sourceFile); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
	go announce(ctx, os.Stdout) // ends with the program
	os.Args = append([]string{"omconnect", "run", "-c", config}, os.Args[1:]...)
	omconnect.Main()
}
