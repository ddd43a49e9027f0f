// Package connect has the contract of connectors and the runtime that runs
// them. A source brings records from outside into a broker, a sink takes them
// out again; both are written once and run over every driver of package oms.
//
// # Invariants
//
//  1. A position is committed only after the broker has confirmed every record
//     up to it, and has had its DurableAfter to make it last.
//  2. A message is acknowledged only after the sink has said that it is safe.
//  3. The source is told Committed only after the position is durable in the
//     store, in the sense that the store was opened with.
//  4. Each task has one owner, by a lease; a former owner's commit fails.
//  5. Stopping is soft first: nothing new is read, what was read is finished,
//     within a bound.
//  6. Order is kept per partition of a source, and per key where the driver
//     claims it; repeats may follow a failure, never an inversion of first
//     deliveries.
//  7. Nothing is dropped silently: it is delivered, or the connector stands in
//     FAILED.
//  8. A killed process loses nothing, and repeats at most the window in flight
//     and what was confirmed since the last commit.
//
// Each is marked "Invariant N" where it is enforced, and has a test that names
// it.
//
// # Control
//
// A [Catalog] checks definitions and writes them to the store; that is all
// that REST and the command line do. A [Runtime] watches the store, and makes
// what runs equal to what is defined. Statuses go the same way back.
//
// # Ownership
//
// The goroutine of [Runtime.Run] owns the table of connectors. Each connector
// has a supervisor goroutine that owns its state and its tasks; each task has
// a goroutine that calls the connector's hooks, Poll and Put. A sink that
// matches topics has one more, which looks for them. Nothing else touches any
// of this: others read statuses from the store.
package connect
