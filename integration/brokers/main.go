// Brokers keeps real brokers standing for tests: "up" starts them and prints
// where they are, as lines for a shell; "down" ends them. Both may be repeated.
// What it needs to know is kept in the folder .test of the working directory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/omconnect/omconnect/integration"
)

const folder = ".test"

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: brokers up|down")
	}
	switch args[0] {
	case "up":
		url, err := integration.Up(ctx, folder)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "export %s=%s\n", integration.RedisEnv, url)
		return err
	case "down":
		return integration.Down(ctx, folder)
	default:
		return fmt.Errorf("brokers knows up and down, not %q", args[0])
	}
}
