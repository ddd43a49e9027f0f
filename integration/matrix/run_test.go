package matrix

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// portions is how many times a cell feeds records: so that there are some on
// their way whatever is done to the connectors.
const portions = 12

// A run is a cell that is being run.
type run struct {
	t          *testing.T
	cell       cell
	g          *gateway
	connectors []connector // the sinks first
	plant      plant
	outlets    []outlet
	arrived    [][]delivery // at each outlet
	ends       [][]end      // of the gateway, by outlet
	topic      string
	total      int
	fed        int
	when       []string // each record was fed
}

// newRun prepares a cell, with a gateway that does not run yet.
func newRun(t *testing.T, c cell, total int) *run {
	t.Helper()
	s := shapes[c.shape]
	name := c.definition() + "-" + unique
	args := append([]string{"--broker", brokers[c.broker].accessPoint(t)}, states[c.state].args(t, fmt.Sprintf("%s-%s", brokers[c.broker].name, name))...)
	g := newGateway(t, args...)
	r := &run{
		t: t, cell: c, g: g, topic: name, total: total, plant: s.build(t, g.Dir, total),
		// A portion takes a third of a second.
		connectors: s.connectors(names{base: name, mode: modes[c.mode], rate: max(1, total/4)}),
	}
	r.outlets = r.plant.outlets()
	r.arrived = make([][]delivery, len(r.outlets))
	r.ends = make([][]end, len(r.outlets))
	return r
}

func (r *run) source() string { return r.connectors[len(r.connectors)-1].name }
func (r *run) sink() string   { return r.connectors[0].name }

// define defines all connectors. The source, which says what its topic is made
// with, starts when the groups of all sinks are there.
func (r *run) define() {
	r.t.Helper()
	r.create(r.connectors[len(r.connectors)-1], "PAUSED")
	for _, c := range r.connectors[:len(r.connectors)-1] {
		r.create(c, "RUNNING")
	}
	r.g.resume(r.source())
}

// create defines a connector, once one of that name that was deleted is gone.
func (r *run) create(c connector, state string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"name":%q,"config":%s,"initial_state":%q}`, c.name, c.config, state)
	r.g.Until("the name "+c.name+" to be free", func() bool {
		code, answer := r.g.Call(http.MethodPost, "/connectors", body)
		if code != http.StatusCreated && code != http.StatusConflict {
			r.t.Fatalf("creating %s: %d %s", c.name, code, answer)
		}
		return code == http.StatusCreated
	})
}

// feed has the source find the next portion. Records are remembered by when
// they were fed.
func (r *run) feed(when string) {
	r.t.Helper()
	from, to := r.fed+1, min(r.total, r.fed+r.total/portions)
	r.feedUpTo(from, to, when)
}

func (r *run) feedUpTo(from, to int, when string) {
	r.t.Helper()
	r.plant.feed(from, to)
	for range to - from + 1 {
		r.when = append(r.when, when)
	}
	r.fed = to
}

// look reads what has arrived at an outlet, and returns how much that is.
func (r *run) look(i int) int {
	r.t.Helper()
	more, err := r.outlets[i].more()
	if err != nil {
		r.t.Fatalf("reading what %s wrote: %v", r.connectors[i].name, err)
	}
	r.arrived[i] = append(r.arrived[i], more...)
	return len(r.arrived[i])
}

// flowing feeds a portion and waits until some of it has arrived: the rest is
// on its way.
func (r *run) flowing(when string) {
	r.t.Helper()
	before := r.fed
	r.feed(when)
	at := 0
	r.g.Until(fmt.Sprintf("a record behind %d, %s", before, when), func() bool {
		r.look(0)
		for ; at < len(r.arrived[0]); at++ {
			if r.arrived[0][at].number > before {
				return true
			}
		}
		return false
	})
}

// whole waits until everything that was fed has arrived at an outlet.
func (r *run) whole(i int) {
	r.t.Helper()
	missing := make(map[int]bool)
	for n, rec := range r.plant.records(r.fed) {
		if rec.must {
			missing[n+1] = true
		}
	}
	at := 0
	gone := func() bool {
		r.look(i)
		for ; at < len(r.arrived[i]); at++ {
			delete(missing, r.arrived[i][at].number)
		}
		return len(missing) == 0
	}
	defer func() {
		if len(missing) > 0 {
			r.t.Errorf("%d of %d records are missing at %s: %v", len(missing), r.fed, r.connectors[i].name, r.ledger(i).check())
		}
	}()
	r.g.UntilBy("all records at "+r.connectors[i].name, gone, func() int { return len(r.arrived[i]) })
}

// settle waits until every record has arrived and the groups have nothing left
// in the broker: what is acknowledged does not come again, however the gateway
// ends.
func (r *run) settle() {
	r.t.Helper()
	at := brokers[r.cell.broker].accessPoint(r.t)
	if at == brokers[r.cell.broker].name { // in the gateway
		var err error
		if at, err = embedded.Endpoint(r.g.Path("data/broker")); err != nil {
			r.t.Fatal(err)
		}
	}
	client, err := oms.Open(r.t.Context(), at)
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close(context.WithoutCancel(r.t.Context()))
	r.wantPartitions(client)
	for i := range r.outlets {
		r.whole(i)
		r.g.Until(fmt.Sprintf("the group of %s to have nothing left in the broker", r.connectors[i].name), func() bool {
			lag, err := client.Lag(r.t.Context(), "connect-"+r.connectors[i].name, []string{r.topic})
			if err != nil && !oms.IsTemporary(err) {
				r.t.Fatal(err)
			}
			return err == nil && lag == 0
		})
	}
}

// wantPartitions compares the topic with what its source says of it, whoever
// has made it.
func (r *run) wantPartitions(client *oms.Client) {
	r.t.Helper()
	topics, err := client.Topics(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	i := slices.IndexFunc(topics, func(info oms.TopicInfo) bool { return info.Name == r.topic })
	if i < 0 || topics[i].Partitions != topicPartitions {
		r.t.Errorf("topic %s should have %d partitions; the broker has the topics %+v", r.topic, topicPartitions, topics)
	}
}

// ended notes how the gateway, which is gone, has ended.
func (r *run) ended(kill bool) {
	r.t.Helper()
	for i := range r.outlets {
		r.ends[i] = append(r.ends[i], end{at: r.look(i), kill: kill})
	}
}

func (r *run) ledger(i int) ledger {
	r.t.Helper()
	records := r.plant.records(r.fed)
	for n := range records {
		records[n].when = r.when[n]
	}
	return ledger{
		sink: r.connectors[i].name, records: records, deliveries: r.arrived[i], ends: r.ends[i],
		ordered: brokers[r.cell.broker].has(r.t, oms.OrderPerKey),
	}
}

// report tells, when the cell has failed, how far it came.
func (r *run) report() {
	if !r.t.Failed() {
		return
	}
	for i := range r.outlets {
		more, err := r.outlets[i].more()
		r.arrived[i] = append(r.arrived[i], more...)
		r.t.Logf("cell %s: %d of %d records were fed; %s has written %d (%v)", r.cell, r.fed, r.total, r.connectors[i].name, len(r.arrived[i]), err)
	}
}
