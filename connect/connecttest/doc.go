// Package connecttest has the contract of connectors as a list of rules, and
// checks a source or a sink against them. A connector's test is
//
//	connecttest.RunSource(t, func(t *testing.T) connecttest.Source { ... })
//	connecttest.RunSink(t, func(t *testing.T) connecttest.Sink { ... })
//
// with a subtest for each rule; one that fails prints the rule as a sentence,
// and what was seen. The kit needs no gateway, no broker and no store: it
// calls the hooks itself, in the orders in which the runtime may call them.
//
// # Harness
//
// A [Source] or [Sink] gives the kit the plugin, a configuration and the other
// end: how to make records there, or how to look at what has arrived. It is
// made anew for each rule, and must not share its other end with that of
// another rule: take t.TempDir, or a name of its own for a table or queue.
// Fields that are functions are called on the goroutine of the test, so they
// may end it with t.Fatal.
//
// Records are numbered from 0. The harness of a source writes record number i
// in whatever form it has there, and tells the number from the message; that
// of a sink makes a message of a number, and tells the numbers that the target
// has.
//
// A connector that uses its Env in a way of its own is given what it needs by
// a plugin whose New is wrapped:
//
//	made := plugin.New
//	plugin.New = func(env connect.Env) (connect.Connector, error) {
//		env.Broker = ...
//		return made(env)
//	}
//
// # Upstreams that forget
//
// Many upstreams forget what was acknowledged: queues, replication slots. A
// source that acknowledges before the position is durable loses records with
// them, but only when something dies in between. [Upstream] is such a one in
// memory, for the tests of a source whose real one is too far away.
//
// # Time
//
// Rules take as long as the connector's polls. The bounds are wide, some 20
// seconds, and are reached by broken connectors only. [CheckSource] and
// [CheckSink] may be called in a bubble of testing/synctest, where they cost
// nothing.
//
// # What is not checked
//
// Each rule is checked in one or a few situations; passing does not prove it
// in all. Whether a target survives a power cut, whether a password stands in
// a message and what happens when the other end goes away in the middle are
// for tests of the connector's own.
package connecttest
