// Brokers keeps real brokers standing for tests: "up" starts them and prints
// where they are, as lines for a shell; "down" ends them. Both may be repeated.
// "up" takes names where not all are wanted, such as "up redis kafka". What it
// needs to know is kept in the folder .test of the working directory.
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
	if len(args) == 0 {
		return errors.New("usage: brokers up [redis|rabbitmq|kafka|rocketmq ...], or brokers down")
	}
	switch {
	case args[0] == "up":
		found, err := integration.Up(ctx, folder, args[1:]...)
		if err != nil {
			return err
		}
		for _, v := range found {
			if _, err := fmt.Fprintf(out, "export %s=%s\n", v.Name, v.Value); err != nil {
				return err
			}
		}
		return nil
	case args[0] == "down" && len(args) == 1:
		return integration.Down(ctx, folder)
	default:
		return fmt.Errorf("brokers knows up [names], and down without names, not %q", args)
	}
}
