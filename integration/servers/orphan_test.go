package servers_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
)

// TestServerEndsWithAKilledTestProcess runs this test once more as a process
// of its own, which starts a RabbitMQ and is killed. That server is the hard
// one: a shell starts it, and it has its port mapper beside it.
func TestServerEndsWithAKilledTestProcess(t *testing.T) {
	const inner = "OMCONNECT_TEST_INNER_DIR"
	if dir := os.Getenv(inner); dir != "" {
		s, err := servers.StartRabbitMQ(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		mark, err := json.Marshal(s.Mark())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "server %s\n", mark)
		_, _ = io.Copy(io.Discard, os.Stdin) // until killed
		t.Fatal("was not killed")
	}

	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inner+"="+t.TempDir())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stderr).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	text, ok := strings.CutPrefix(line, "server ")
	if err != nil || !ok {
		t.Fatalf("the inner process says %q: %v", line, err)
	}
	var mark servers.Mark
	if err := json.Unmarshal([]byte(text), &mark); err != nil {
		t.Fatal(err)
	}
	gone(t, "the end of the process that started it", mark)
}
