package connecttest

import (
	"context"
	"os"
	"reflect"
	"strings"

	"github.com/omconnect/omconnect/connect"
)

var hookRules = []rule{
	{"New", "New makes another instance of its kind each time, and does no I/O: it opens no file and starts no goroutine", always, checkNew},
	{"OptionalMethods", "a method that has the name of an optional one has its form: a Seek that does not fit would never be called", always, checkOptionalMethods},
	{"HookOrders", "the hooks can be called in every order that pausing, stopping, failing and restarting lead to, and a new instance starts where one was stopped", always, checkHookOrders},
	{"StopUnstarted", "OnStop of an instance that was never started releases nothing and does not fail", always, checkStopUnstarted},
	{"StopAfterFailedStart", "OnStop after an OnStart that failed or was cut short does not fail", always, checkStopAfterFailedStart},
	{"Destroyed", "OnDestroyed is called on an instance that was never started, and again when the process died meanwhile", always, checkDestroyed},
	{"NothingLeft", "once OnStop has returned no goroutine is left, and nothing is logged or reported", always, checkNothingLeft},
}

func checkNew(ctx context.Context, b *bench) {
	before := b.openFiles()
	first, second := b.create(ctx), b.create(ctx)
	for file, n := range b.openFiles() {
		if n > before[file] {
			fail("New has opened %s; that is for OnStart", file)
		}
	}
	b.gone(ctx, "by New")
	if v := reflect.ValueOf(first.conn); v.Kind() == reflect.Pointer && v.Type().Elem().Size() > 0 && first.conn == second.conn {
		fail("New has returned the same %T twice", first.conn)
	}
}

// openFiles returns how often files are open whose names the configuration
// has, as far as the system tells. Others may be those of tests that run
// beside.
func (b *bench) openFiles() map[string]int {
	const folder = "/proc/self/fd"
	files := make(map[string]int)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return files
	}
	for _, e := range entries {
		name, err := os.Readlink(folder + "/" + e.Name())
		if err == nil && b.names(name) {
			files[name]++
		}
	}
	return files
}

// names reports whether the configuration names the file or a folder above it.
func (b *bench) names(file string) bool {
	for _, value := range b.config {
		_, path, isURL := strings.Cut(value, "://")
		if !isURL {
			path = value
		}
		if strings.HasPrefix(path, "/") && len(path) > 1 && strings.HasPrefix(file, path) {
			return true
		}
	}
	return false
}

func checkOptionalMethods(ctx context.Context, b *bench) {
	c := b.create(ctx).conn
	_, positioned := c.(connect.Positioned)
	_, committed := c.(connect.Committed)
	_, backlogged := c.(connect.Backlogged)
	_, splitter := c.(connect.Splitter)
	_, resumer := c.(connect.Resumer)
	_, flusher := c.(connect.Flusher)
	_, tombstones := c.(connect.TombstoneHandler)
	for name, fits := range map[string]bool{
		"Seek": positioned, "Committed": committed, "HasBacklog": backlogged, "Split": splitter, "OnResume": resumer, "Flush": flusher, "HandlesTombstones": tombstones,
	} {
		if m, has := reflect.TypeOf(c).MethodByName(name); has && !fits {
			fail("the method %s of %T is a %v, which is not that of package connect", name, c, m.Type)
		}
	}
}

// orders are the orders of hooks that the runtime may call, one after the
// other on one target. Work is a Poll, or a Put and its Flush; OnResume and
// what is behind it is for a Resumer.
var orders = []string{
	"OnStart OnStop",
	"OnStart OnFailed OnStop",
	"OnStart OnPause OnStop",
	"OnStart Work OnStop",
	"OnStart Work Work OnFailed OnStop",
	"OnStart Work OnPause OnStop",
	"OnStart Work OnPause OnFailed OnStop",
	"OnStart OnPause OnResume Work OnPause OnResume OnPause OnStop",
	"OnStart Work OnPause OnResume Work OnFailed OnStop",
	"OnDestroyed",
	"OnDestroyed",
	"OnStart Work OnStop",
	"OnDestroyed",
}

func checkHookOrders(ctx context.Context, b *bench) {
	b.writeAll()
	for _, order := range orders {
		l := b.create(ctx)
		_, resumes := l.conn.(connect.Resumer)
		if strings.Contains(order, "OnResume") && !resumes {
			continue
		}
		for hook := range strings.SplitSeq(order, " ") {
			if err := guardedFailure(func() { l.lead(ctx, hook) }); err != nil {
				fail("in the order %q: %w", order, err)
			}
		}
	}
}

// guardedFailure returns what f fails with.
func guardedFailure(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case failure:
			err = p.error
		default:
			panic(p)
		}
	}()
	f()
	return nil
}

func (l *life) lead(ctx context.Context, hook string) {
	switch hook {
	case "OnStart":
		l.start(ctx)
	case "OnPause":
		l.pause(ctx)
	case "OnResume":
		l.must(ctx, hook, l.conn.(connect.Resumer).OnResume)
	case "OnFailed":
		l.fail(ctx)
	case "OnStop":
		l.stop(ctx)
	case "OnDestroyed":
		l.destroy(ctx)
	case "Work":
		l.work(ctx)
	}
}

// work has the connector do something.
func (l *life) work(ctx context.Context) {
	if l.sink != nil {
		l.put(ctx, l.next(2)...)
		l.flush(ctx)
		return
	}
	(&reader{life: l}).poll(ctx)
}

func checkStopUnstarted(ctx context.Context, b *bench) {
	b.create(ctx).stop(ctx)
}

func checkStopAfterFailedStart(ctx context.Context, b *bench) {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	l := b.create(ctx)
	_ = l.tryStart(gone, nil) // it may be quick enough
	l.fail(ctx)
	l.stop(ctx)
	if b.unstartable == nil {
		return
	}
	ok("Unstartable of the harness", b.validate(b.unstartable))
	l = b.createTask(ctx, b.plugin.Def.Complete(b.unstartable), 0, 1)
	err := l.tryStart(ctx, nil)
	if l.source != nil && err == nil {
		_, err = (&reader{life: l}).tryPoll(ctx) // a source may look for what it reads only now
	}
	if err == nil {
		fail("the connector starts with the configuration of which the harness says that it does not")
	}
	l.fail(ctx)
	l.stop(ctx)
	l = b.create(ctx)
	l.start(ctx)
	l.stop(ctx)
}

func checkDestroyed(ctx context.Context, b *bench) {
	b.create(ctx).destroy(ctx) // where nothing ever ran
	b.writeAll()
	l := b.create(ctx)
	l.start(ctx)
	l.work(ctx)
	l.stop(ctx)
	b.create(ctx).destroy(ctx)
	b.create(ctx).destroy(ctx)
	b.gone(ctx, "by OnDestroyed")
}

func checkNothingLeft(ctx context.Context, b *bench) {
	b.writeAll()
	for _, order := range []string{"OnStart OnStop", "OnStart Work OnStop", "OnStart Work OnPause OnStop", "OnStart Work OnFailed OnStop"} {
		l := b.create(ctx)
		for hook := range strings.SplitSeq(order, " ") {
			l.lead(ctx, hook)
		}
		b.gone(ctx, "after "+order)
		l.mu.Lock()
		late := l.late
		l.mu.Unlock()
		if len(late) > 0 {
			fail("after %s: %s", order, late[0])
		}
	}
}
