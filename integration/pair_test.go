package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

// A pair is two gateways that share a Redis and a NATS server, all processes
// of their own. Their connectors move a spool into a journal, in a folder that
// both reach.
type pair struct {
	t     *testing.T
	a, b  *gateway
	dir   string
	redis *goredis.Client
	total int // records fed
}

// newPair returns gateways that do not run yet.
func newPair(t *testing.T) *pair {
	t.Helper()
	state, nats := NewRedis(t), newNATS(t)
	p := &pair{t: t, dir: t.TempDir(), redis: goredis.NewClient(&goredis.Options{Addr: state.Addr()})}
	t.Cleanup(func() { _ = p.redis.Close() })
	for name, g := range map[string]**gateway{"a": &p.a, "b": &p.b} {
		*g = newGateway(t, "--state", state.URL(), "--broker", "oms:crashing-nats://"+nats+"/")
		(*g).Bin = crasher
		(*g).name = name
		(*g).plan("")
	}
	t.Cleanup(func() {
		if t.Failed() {
			ds := p.arrived()
			_, err := checkDeliveries(ds, p.total, limits{})
			t.Logf("%d deliveries, the last ones %v; %v", len(ds), ds[max(0, len(ds)-5):], err)
		}
	})
	p.feed(0) // there must be a spool
	return p
}

// feed puts that many records more into the spool.
func (p *pair) feed(n int) {
	p.t.Helper()
	feed(p.t, filepath.Join(p.dir, "spool"), p.total+1, p.total+n)
	p.total += n
}

// create defines the connectors in and out over a gateway that is alone, and
// waits until it runs them.
func (p *pair) create(g *gateway) {
	p.t.Helper()
	common := map[string]any{"restart.backoff.ms": 100, "restart.backoff.max.ms": 500}
	for name, config := range map[string]map[string]any{
		"in": {
			"connector.class": "spool-source", "topic": "t", "spool": filepath.Join(p.dir, "spool"), "positions": p.positions(), "batch": readAtOnce,
			"inflight.max.records": inFlight, "uncommitted.max.records": uncommitted, "offset.flush.interval.ms": 20,
		},
		"out": {
			"connector.class": "journal-sink", "topics": "t", "journal": p.journal(),
			"consumer.max.poll.records": 10, "inflight.max.records": sinkWindow, "rate.records.per.second": sinkRate,
		},
	} {
		maps.Copy(config, common)
		body, err := json.Marshal(config)
		if err != nil {
			p.t.Fatal(err)
		}
		g.Want(http.StatusCreated, http.MethodPost, "/connectors/"+name, string(body))
	}
	p.runsOn(g)
}

func (p *pair) journal() string   { return filepath.Join(p.dir, "journal.txt") }
func (p *pair) positions() string { return filepath.Join(p.dir, "positions.txt") }

// runsOn waits until a gateway runs all the tasks.
func (p *pair) runsOn(g *gateway) {
	p.t.Helper()
	g.Until("gateway "+g.name+" to run all tasks", func() bool {
		return g.worker("in") == g.Addr && g.worker("out") == g.Addr && g.state("in") == "RUNNING" && g.state("out") == "RUNNING"
	})
}

// worker returns the address of the gateway that runs a connector's task.
func (g *gateway) worker(connector string) string {
	g.t.Helper()
	code, answer := g.Call(http.MethodGet, "/connectors/"+connector+"/status", "")
	var status struct {
		Tasks []struct {
			WorkerID string `json:"worker_id"`
		}
	}
	if code != http.StatusOK || json.Unmarshal([]byte(answer), &status) != nil || len(status.Tasks) == 0 {
		return ""
	}
	return status.Tasks[0].WorkerID
}

// says waits until a gateway has said something in its log, from a place on.
func (g *gateway) says(from int, text string) {
	g.t.Helper()
	g.Until(fmt.Sprintf("gateway %s to say %q", g.name, text), func() bool { return strings.Contains(g.Said.String()[from:], text) })
}

// arrived returns the deliveries so far.
func (p *pair) arrived() []delivery {
	p.t.Helper()
	ds, err := deliveries(p.journal())
	if err != nil {
		p.t.Fatal(err)
	}
	return ds
}

// all waits, with a gateway that runs, until every record has arrived, and
// returns who delivered those from the given place of the journal on.
func (p *pair) all(g *gateway, from int) (who map[string]int) {
	p.t.Helper()
	g.Until(fmt.Sprintf("%d records", p.total), func() bool {
		seen := make(map[int]bool)
		for _, d := range p.arrived() {
			seen[d.number] = true
		}
		return len(seen) == p.total
	})
	who = make(map[string]int)
	for _, d := range p.arrived()[from:] {
		who[d.who]++
	}
	return who
}

// wantOnly fails the test when another one than g has delivered.
func (p *pair) wantOnly(g *gateway, who map[string]int) {
	p.t.Helper()
	for name := range who {
		if name != g.name {
			p.t.Errorf("messages were delivered by %v, want gateway %s only", who, g.name)
		}
	}
}

// holder returns the id of the gateway that holds a connector's task.
func (p *pair) holder(connector string) string {
	p.t.Helper()
	holder, err := p.redis.HGet(p.t.Context(), "omc:{default:"+connector+"}:pos", "!holder:0").Result()
	if err != nil && err != goredis.Nil { //nolint:errorlint // never wrapped
		p.t.Fatal(err)
	}
	return holder
}

// lease returns the lease of a connector's task as its holder has it.
func (p *pair) lease(connector string) offsets.Lease {
	p.t.Helper()
	token, err := p.redis.HGet(p.t.Context(), "omc:{default:"+connector+"}:pos", "!owner:0").Result()
	if err != nil {
		p.t.Fatal(err)
	}
	return offsets.Lease{Owner: offsets.Owner{Connector: connector}, Token: token}
}

// wantFenced commits under a lease that has ended.
func (p *pair) wantFenced(l offsets.Lease) {
	p.t.Helper()
	store, err := redis.Open("redis://"+p.redis.Options().Addr, slog.New(slog.DiscardHandler))
	if err != nil {
		p.t.Fatal(err)
	}
	defer store.Close()
	err = store.Commit(p.t.Context(), l, map[offsets.Partition]offsets.Position{`{"spool":"only"}`: `{"n":1}`})
	if !errors.Is(err, oms.ErrFenced) {
		p.t.Errorf("the former holder commits: %v, want ErrFenced", err)
	}
}

// check holds everything to the invariants. The gateways have ended.
func (p *pair) check(l limits) {
	p.t.Helper()
	c, err := checkDeliveries(p.arrived(), p.total, l)
	if err != nil {
		p.t.Errorf("after %d deaths:\n%v", l.deaths, err)
	}
	p.t.Logf("%d records, %d deaths; %s", p.total, l.deaths, strings.TrimSpace(fmt.Sprintf("%+v", c)))
	if err := checkPositions(p.positions()); err != nil {
		p.t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(p.dir, "spool", "*"))
	if diff := cmp.Diff([]string(nil), left); err != nil || diff != "" {
		p.t.Errorf("upstream still has (-want +got): %s %v", diff, err)
	}
}
