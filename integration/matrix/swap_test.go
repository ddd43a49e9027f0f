package matrix

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration"
	"github.com/omconnect/omconnect/integration/internal/gateways"
	"github.com/omconnect/omconnect/integration/internal/process"
	"github.com/omconnect/omconnect/oms"
)

// TestOneDefinitionRunsOverFourBrokers starts a gateway for each broker, in a
// fresh folder, with the same bytes as its configuration and the same command
// line but for the access point.
func TestOneDefinitionRunsOverFourBrokers(t *testing.T) {
	total := integration.Count(2_000, 20_000)
	config := struct {
		Connectors map[string]json.RawMessage `json:"connectors"`
	}{make(map[string]json.RawMessage)}
	for _, s := range shapes {
		for _, c := range s.connectors(names{base: "swap-" + s.name + "-" + unique, mode: "pull", rate: 1e6}) {
			config.Connectors[c.name] = json.RawMessage(c.config)
		}
	}
	text, err := json.Marshal(config) // which YAML understands too
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range brokers {
		t.Run(b.name, func(t *testing.T) {
			g := newGateway(t, "-c", "gateway.yaml", "--until-idle", "--broker", b.accessPoint(t))
			if err := os.WriteFile(g.Path("gateway.yaml"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			plants := make([]plant, len(shapes))
			for i, s := range shapes {
				plants[i] = s.build(t, g.Dir, total)
				plants[i].feed(1, total)
			}
			g.Launch()
			g.Finish()
			for i, p := range plants {
				for j, o := range p.outlets() {
					deliveries, err := o.more()
					if err != nil {
						t.Fatal(err)
					}
					l := ledger{
						sink: fmt.Sprintf("sink %d of shape %s", j+1, shapes[i].name), records: p.records(total),
						deliveries: deliveries, ordered: b.has(t, oms.OrderPerKey),
					}
					if err := l.check(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
}

// TestTheBrokerIsSwappedAsTheReadmeSays runs the four commands of the README's
// section, with the addresses of the servers of these tests.
func TestTheBrokerIsSwappedAsTheReadmeSays(t *testing.T) {
	section := readme(t, "Swap the broker")
	definition, commands := block(t, section, "yaml"), strings.Split(strings.TrimSpace(block(t, section, "sh")), "\n")
	if len(commands) != len(brokers) {
		t.Fatalf("the README has the commands\n%s\nwant one for each of %d brokers", strings.Join(commands, "\n"), len(brokers))
	}
	port, err := process.Reserve(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Release(port, 1) })
	dir := t.TempDir()
	for name, content := range map[string]string{"words.yaml": definition, "words.txt": "one\ntwo\nthree\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, command := range commands {
		before, address, has := strings.Cut(command, "--broker ")
		if b := brokers[i]; b.start != nil {
			ap, err := oms.ParseAccessPoint(strings.TrimSpace(address))
			if err != nil || ap.Driver != b.name {
				t.Fatalf("$ %s\nhas the access point of %q (%v), want %s", command, ap.Driver, err, b.name)
			}
			command = before + "--broker '" + b.accessPoint(t) + "'"
		} else if has {
			t.Fatalf("$ %s\nnames a broker, want the default", command)
		}
		sh(t, dir, process.Addr(port), command)
		text, err := os.ReadFile(filepath.Join(dir, "copy.txt"))
		if err != nil {
			t.Fatal(err)
		}
		// Messages without a key have no order among partitions.
		got := strings.Fields(string(text))[min(3*i, strings.Count(string(text), "\n")):]
		slices.Sort(got)
		if want := []string{"one", "three", "two"}; !slices.Equal(got, want) {
			t.Fatalf("$ %s\nadded %q to copy.txt, want %q", command, got, want)
		}
	}
}

// sh runs a command of the README in a folder, to its good end.
func sh(t *testing.T, dir, listen, command string) {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	var said gateways.Transcript
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", "exec "+command) // so that no child outlives the shell
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = dir, &said, &said, process.Tied()
	cmd.Env = append(os.Environ(),
		"PATH="+filepath.Dir(bin)+string(filepath.ListSeparator)+os.Getenv("PATH"), "OMCONNECT_LISTEN="+listen)
	proc, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	ended := "has not ended after " + gateways.Patience.String()
	select {
	case <-proc.Exited():
		ended = "ended with " + proc.State().String()
	case <-time.After(gateways.Patience):
		proc.Kill()
	}
	if proc.State().ExitCode() != 0 {
		t.Fatalf("$ %s\n%s\n%s", command, ended, said.String())
	}
}

// readme returns a section of the README, without its heading.
func readme(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the README has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// block returns the first fenced block of a language.
func block(t *testing.T, section, language string) string {
	t.Helper()
	_, text, found := strings.Cut(section, "\n```"+language+"\n")
	if !found {
		t.Fatalf("the section has no block of %s", language)
	}
	text, _, _ = strings.Cut(text, "\n```")
	return text + "\n"
}
