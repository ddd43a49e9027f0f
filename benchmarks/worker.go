package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/omconnect/omconnect/integration/servers"
)

// A worker is Kafka Connect: one process with one connector.
type worker struct{ *child }

// terminated is how Java tells that it has ended because of a SIGTERM.
const terminated = 128 + int(syscall.SIGTERM)

// startWorker starts Kafka Connect in a folder, with the Java and the jars of
// the broker that it works with. It ends with ctx at the latest.
func startWorker(ctx context.Context, s *servers.Server, dir, connector string) (*worker, error) {
	command, err := commandOf(s.PID())
	if err != nil {
		return nil, err
	}
	java, jars, err := javaOf(command)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`bootstrap.servers=%s
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename=%s
consumer.max.poll.records=%d
listeners=http://127.0.0.1:0
plugin.discovery=service_load
`, s.Addr(), filepath.Join(dir, "offsets"), connectBatch)
	for name, text := range map[string]string{"worker.properties": config, "connector.properties": connector} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, java, "-Xmx1g", "-Djava.net.preferIPv4Stack=true", "-cp", jars, //nolint:gosec // a program of ours
		"org.apache.kafka.connect.cli.ConnectStandalone", "worker.properties", "connector.properties")
	cmd.Dir = dir
	c, err := startChild("Kafka Connect", cmd, func([]byte) {})
	if err != nil {
		return nil, err
	}
	return &worker{c}, nil
}

// javaOf returns the Java that a process runs in, and its class path.
func javaOf(command []string) (java, jars string, err error) {
	for i, word := range command[:max(0, len(command)-1)] {
		if word == "-cp" {
			return command[0], command[i+1], nil
		}
	}
	return "", "", fmt.Errorf("no class path in %q", strings.Join(command, " "))
}

// stop ends the worker as an operator does.
func (w *worker) stop() error {
	err := w.child.stop()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == terminated {
		return nil
	}
	return err
}
