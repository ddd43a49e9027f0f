// Package promises has no code. Its tests hold the gateway to what its users are
// promised on every broker: what is checked when a connector is created and
// started, and what becomes of bad input, from a wrong password to a record
// that no sink takes. Each promise is asked of each broker.
//
// A gateway of a test runs in this process, in a folder of its own, and is used
// over its REST API. Its connectors at the other end are two classes of the
// tests: a source that sends what a test puts into it, and a sink that refuses
// what a test tells it to. Programs of others are the brokers' own client
// libraries.
//
// The servers are the package's: of each kind one that everybody may enter, and
// a second cluster with a password and certificates, and a RocketMQ that
// forgets, each started with the first test that needs it. Tests have topics and
// groups of their own.
package promises
