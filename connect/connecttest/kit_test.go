package connecttest_test

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/internal/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// A fault is a way to break a connector, and the rules that it breaks: these
// and no others.
type fault struct {
	name   string
	breaks []string
}

var sourceFaults = []fault{
	{"", nil},
	{"finite", nil},
	{"finite that wraps io.EOF", []string{"Backlog", "Committed", "CutShort", "End", "ResumeBacklog", "Split", "Unchanged"}},
	{"finite that does not end", []string{"End"}},
	{"a needed key is not marked", []string{"RequiredKeys"}},
	{"a default is refused by its key", []string{"Registers"}},
	{"a password is not marked", []string{"SecretKeys"}},
	{"the check panics", []string{"OddValues", "RequiredKeys"}},
	{"the check names no key", []string{"OddValues"}},
	{"the plugin does not say what it does", []string{"Registers"}},
	{"New opens a file", []string{"New", "StopAfterFailedStart"}},
	{"New starts a goroutine", []string{"Destroyed", "New", "NothingLeft"}},
	{"New returns the same instance", []string{"Committed", "New", "OrderKept", "ResumeBacklog", "ResumeLive", "Split"}},
	{"Seek has another form", []string{"OptionalMethods"}},
	{"a secret is logged", []string{"Secrets"}},
	{"a secret stands in an error", []string{"Secrets"}},
	{"a goroutine is left", []string{"Destroyed", "NothingLeft"}},
	{"it goes on after OnStop", []string{"NothingLeft"}},
	{"it fails after OnStop", []string{"NothingLeft"}},
	{"OnStop panics without OnStart", []string{"StopUnstarted"}},
	{"OnStop fails after a failed OnStart", []string{"StopAfterFailedStart"}},
	{"OnStop does not return", []string{"Committed", "CutShort", "Destroyed", "HookOrders", "NothingLeft", "OrderKept", "PollContext", "RequiredKeys", "ResumeBacklog", "ResumeLive", "Seek", "Split", "StopAfterFailedStart", "StopUnstarted", "Unchanged"}},
	{"OnPause fails", []string{"Committed", "HookOrders", "NothingLeft"}},
	{"OnFailed panics", []string{"HookOrders", "NothingLeft", "StopAfterFailedStart"}},
	{"OnDestroyed needs OnStart", []string{"Destroyed", "HookOrders"}},
	{"Split forgets a lane", []string{"Split"}},
	{"Split gives a lane to two", []string{"Split"}},
	{"Split does not look at its limit", []string{"Split"}},
	{"Split makes none", []string{"Split"}},
	{"Split changes what it is given", []string{"Split"}},
	{"Split makes what is not valid", []string{"Split"}},
	{"it starts over at a position it does not know", []string{"Seek"}},
	{"a resumed source skips a record", []string{"Committed", "CutShort", "OrderKept", "ResumeBacklog", "ResumeLive"}},
	{"a resumed source repeats a record", []string{"CutShort", "OrderKept", "ResumeBacklog", "ResumeLive"}},
	{"Committed lets go of too much", []string{"Committed"}},
	{"Poll does not return without records", []string{"PollReturns"}},
	{"Poll does not look at its context", []string{"CutShort", "PollContext", "PollReturns"}},
	{"resumer", nil},
	{"resumer whose cut Poll drops what it took", []string{"CutShort"}},
	{"resumer that does not resume", []string{"CutShort", "HookOrders"}},
	{"it ends when there is nothing", []string{"End", "Live"}},
	{"nothing is an error", []string{"Backlog", "Committed", "CutShort", "End", "Live", "PollReturns", "ResumeBacklog", "ResumeLive", "Split", "Unchanged"}},
	{"it acknowledges in Poll", []string{"Committed", "OrderKept", "ResumeBacklog", "ResumeLive", "Split"}},
	{"positions are not canonical", []string{"Origins"}},
	{"positions are not objects", []string{"Committed", "CutShort", "OrderKept", "Origins", "ResumeBacklog", "ResumeLive"}},
	{"positions repeat", []string{"CutShort", "OrderKept", "PositionsDiffer", "ResumeBacklog", "ResumeLive"}},
	{"a message has no origin", []string{"Committed", "Origins"}},
	{"a topic is not valid", []string{"Topics"}},
	{"bodies share a buffer", []string{"Backlog", "Committed", "CutShort", "Live", "ResumeBacklog", "ResumeLive", "Split", "Unchanged"}},
	{"the list is used again", []string{"Unchanged"}},
	{"a record comes twice", []string{"Backlog", "CutShort", "Live", "ResumeLive", "Split"}},
	{"it goes backwards", []string{"Committed", "CutShort", "OrderKept", "ResumeBacklog", "ResumeLive"}},
	{"a message is nil", []string{"Backlog", "Committed", "CutShort", "Destroyed", "End", "HookOrders", "Live", "NothingLeft", "OrderKept", "Origins", "PositionsDiffer", "ResumeBacklog", "ResumeLive", "Seek", "Split", "Topics", "Unchanged"}},
}

var sinkFaults = []fault{
	{"", nil},
	{"repeats are told", nil},
	{"flusher", nil},
	{"flusher that does not flush", []string{"AfterRefusal", "PartialError", "Put", "PutAgain", "PutContext", "SlowTarget", "Tombstones"}},
	{"flusher that does not look at its context", []string{"AfterRefusal", "Destroyed", "HookOrders", "NothingLeft", "PartialError", "Put", "PutAgain", "PutContext", "PutUnchanged", "SlowTarget", "Tombstones"}},
	{"tombstones are not claimed", []string{"Tombstones"}},
	{"tombstones do nothing", []string{"Tombstones"}},
	{"the target is emptied at the start", []string{"AfterRefusal", "Put", "PutContext", "SlowTarget"}},
	{"OnStop waits for the target", []string{"SlowTarget"}},
	{"what was put waits for OnStop", []string{"AfterRefusal", "PartialError", "Put", "PutAgain", "PutContext", "PutUnchanged", "SlowTarget", "Tombstones"}},
	{"a message waits for the next", []string{"AfterRefusal", "PartialError", "Put", "PutAgain", "PutContext", "SlowTarget", "Tombstones"}},
	{"a body is changed", []string{"AfterRefusal", "PartialError", "PutUnchanged", "Tombstones"}},
	{"the batch is sorted", []string{"PutUnchanged"}},
	{"Put does not look at its context", []string{"SlowTarget"}},
	{"an end of the context is taken for success", []string{"PutContext", "SlowTarget"}},
	{"the index is one too high", []string{"AfterRefusal", "PartialError"}},
	{"the index is one too low", []string{"AfterRefusal", "PartialError"}},
	{"the index is always 0", []string{"PartialError"}},
	{"the error is not partial", nil},
	{"Also has all the rest", []string{"AfterRefusal", "PartialError"}},
	{"Also has what is before Index", []string{"AfterRefusal", "PartialError"}},
	{"the error has a password", []string{"Secrets"}},
	{"bad messages are left out", []string{"AfterRefusal", "PartialError"}},
	{"it is not idempotent", []string{"PutAgain"}},
}

func TestBrokenSourcesBreakTheirRules(t *testing.T) {
	for _, f := range sourceFaults {
		f.test(t, func(t *testing.T) map[string]error {
			t.Helper()
			return connecttest.CheckSource(t, tapeHarness(f.name))
		})
	}
}

func TestBrokenSinksBreakTheirRules(t *testing.T) {
	for _, f := range sinkFaults {
		f.test(t, func(t *testing.T) map[string]error { t.Helper(); return connecttest.CheckSink(t, shelfHarness(f.name)) })
	}
}

func (f fault) test(t *testing.T, check func(t *testing.T) map[string]error) {
	t.Helper()
	name := f.name
	if name == "" {
		name = "nothing is wrong"
	}
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			failures := check(t)
			time.Sleep(5 * time.Minute) // until what hung has returned
			got := slices.Sorted(maps.Keys(failures))
			if diff := cmp.Diff(f.breaks, got); diff != "" {
				t.Errorf("rules broken (-want +got):\n%s", diff)
				for name, err := range failures {
					if !slices.Contains(f.breaks, name) {
						t.Logf("%s: %v", name, err)
					}
				}
			}
		})
	})
}

func TestExampleSourcePasses(t *testing.T) { testQueueSource(t) }
