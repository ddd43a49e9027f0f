package omconnect

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration"
)

// TestASecretIsNeverPrinted has a password wherever one can stand, and looks
// for it in everything that the program says and serves.
func TestASecretIsNeverPrinted(t *testing.T) {
	redis := integration.NewRedis(t)
	host := strings.TrimPrefix(redis.URL(), "redis://")
	host, _, _ = strings.Cut(host, "/")
	const text = `
brokers:
  far: oms:nats://user:s3cret@127.0.0.1:1/
connectors:
  numbers: {connector.class: generator-source, topic: numbers, broker: far, interval.ms: 10}
`
	file := write(t, "gateway.yaml", text+`  rows:
    connector.class: sql-sink
    topics: numbers
    connection.url: sqlite://user:s3cret@/nowhere.db
`)
	dir := t.TempDir()
	var said strings.Builder
	keep := func(_ int, stdout, stderr string) { said.WriteString(stdout + stderr) }
	keep(run(t, "validate", file))
	keep(run(t, "run", "-c", file, "--data", dir))
	keep(run(t, "connectors", "--url", "http://:s3cret@127.0.0.1:1", "list"))
	keep(run(t, "connectors", "create", "x", "s3cret"))

	good := write(t, "gateway.yaml", text)
	for _, state := range []string{
		"redis://:s3cret@" + host + "/0",                // the server wants none
		"redis://nobody:s3cret@" + host + "/0",          // and does not know the user
		"redis://:s3cret@127.0.0.1:1/0?password=s3cret", // and no such option
		"redis://:a/s3cret@127.0.0.1:1/0",
		"rediss://:s3cret@" + host + "/0", // and does not speak TLS
		"mysql://:s3cret@h/",
	} {
		t.Setenv("OMCONNECT_STATE", state)
		p := begin(t, "run", "-c", good, "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "debug",
			"--broker", "oms:nats://user:s3cret@127.0.0.1:1/?password=s3cret")
		select {
		case <-p.ended:
		case <-waiting(p):
			_, body := p.get("/connectors")
			said.WriteString(body)
			p.stop()
		}
		p.wait()
		said.WriteString(p.out.String() + p.err.String())
	}
	t.Setenv("OMCONNECT_STATE", "")
	p := begin(t, "run", "-c", good, "--data", filepath.Join(dir, "other"), "--listen", "127.0.0.1:0", "--log-level", "debug",
		"--broker", "oms:nats://user:s3cret@127.0.0.1:1/")
	p.await("gateway started")
	p.await("state=RETRYING")
	for _, path := range []string{"/", "/connectors?expand=status&expand=info&expand=omconnect", "/connectors/numbers/omconnect", "/openapi.json"} {
		_, body := p.get(path)
		said.WriteString(body)
	}
	keep(run(t, "connectors", "--url", p.url(), "status", "numbers"))
	keep(run(t, "connectors", "--url", p.url(), "list", "-o", "json"))
	p.stop()
	p.wait()
	said.WriteString(p.out.String() + p.err.String())
	if i := strings.Index(said.String(), "s3cret"); i >= 0 {
		t.Errorf("a secret was printed: …%s…", said.String()[max(0, i-300):min(said.Len(), i+100)])
	}
	for _, name := range []string{lockFile, gatewayFile, storeFile} {
		content, err := os.ReadFile(filepath.Join(dir, "other", name))
		if err != nil || bytes.Contains(content, []byte("s3cret")) {
			t.Errorf("%s: %v, or it has a secret", name, err)
		}
	}
}

// waiting is closed when a program waits for its store, or has started.
func waiting(p *program) <-chan struct{} {
	ready := make(chan struct{})
	go func() {
		defer close(ready)
		for !strings.Contains(p.err.String(), "does not answer") && !strings.Contains(p.err.String(), "gateway started") {
			select {
			case <-p.err.changed:
			case <-p.ended:
				return
			}
		}
	}()
	return ready
}
