package promises

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
)

// atAccess is bad input in the shape of access points.
var atAccess = []promise{
	{"a broker that is not there is waited for", waitsForBrokers},
	{"a wrong password is told and can be mended", tellsPasswords},
	{"a wrong certificate is told and can be mended", tellsCertificates},
}

// comes has a source and a sink that name a wrong access point, beside a pair
// that does not. Each stands in state with a cause that has all of the texts.
// With the right access point they go on, in the same gateway.
func comes(t *testing.T, b *broker, g *gateway, wrong, right, state string, says ...string) {
	t.Helper()
	topic, source, in, out := fresh("topic"), fresh("source"), newFeed(t, fresh("feed")), newTray(t, fresh("sink"))
	in.put(numbered(0, 5)...)
	g.create(out.name, out.config(topic).with("broker", wrong))
	g.create(source, in.config(topic).with("broker", wrong))
	for _, name := range []string{source, out.name} {
		g.fails(name, state, append(says, b.name)...)
	}

	other, good, well := fresh("topic"), newFeed(t, fresh("feed")), newTray(t, fresh("well"))
	g.create(well.name, well.config(other))
	good.put(numbered(0, 5)...)
	g.create(fresh("source"), good.config(other))
	g.gets(well, numbered(0, 5))

	g.change(out.name, out.config(topic).with("broker", right))
	g.change(source, in.config(topic).with("broker", right))
	g.gets(out, numbered(0, 5))
	g.is(source, "RUNNING")
}

// waitsForBrokers has addresses of nobody. A folder that is a file is what an
// embedded broker has in place of one.
func waitsForBrokers(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	if b.start == nil {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		comes(t, b, g, b.at("", "", "dir", file), b.name, "FAILED", file)
		return
	}
	for _, address := range []string{nobody, "no-such-host.invalid:1234"} {
		comes(t, b, g, b.at("", address), b.point(t), "RETRYING", address)
	}
}

func tellsPasswords(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	if b.start == nil {
		config := newTray(t, fresh("sink")).config(fresh("topic"))
		g.refuses(fresh("sink"), config.with("broker", "oms:embedded://"+user+":"+password+"@/"), "broker", "a user is named")
		return
	}
	papers := papers(t)
	right := b.secondPoint(t, user+":"+password, papers)
	address := b.second(t).Addr()
	if b.name == "rocketmq" {
		address = b.second(t).AddrOf(servers.Broker) // name servers let everybody in
	}
	for _, who := range []string{user + ":wrong-password", "nobody-here:" + password} {
		wrong := b.secondPoint(t, who, papers)
		comes(t, b, g, wrong, right, "RETRYING", "permission denied", address)
	}
}

// tellsCertificates has a broker whose certificate nobody vouches for that the
// client knows. RocketMQ's client library checks none: it is refused to rely on
// them.
func tellsCertificates(t *testing.T, b *broker) {
	t.Helper()
	g := start(t, b.point(t))
	switch b.name {
	case "embedded":
		config := newTray(t, fresh("sink")).config(fresh("topic"))
		g.refuses(fresh("sink"), config.with("broker", b.at("", "", "tls", "true", "dir", t.TempDir())), "broker", "tls")
		return
	case "rocketmq":
		wrong := b.at(user+":"+password, nobody, "tls", "true")
		config := newTray(t, fresh("sink")).config(fresh("topic"))
		g.refuses(fresh("sink"), config.with("broker", wrong), "broker", "tls.insecure")
		return
	}
	strangers, err := servers.NewCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	wrong := b.secondPoint(t, user+":"+password, strangers)
	comes(t, b, g, wrong, b.secondPoint(t, user+":"+password, papers(t)), "RETRYING", "unknown authority", b.second(t).Addr())
}
