// Package integration runs gateways as processes of their own, on real brokers
// and stores, and ends them at chosen points. Its programs and tests start the
// servers of package servers, which says how; what they need besides Go is
// installed by setup.sh.
//
//   - [RedisURL] gives a test the address of some Redis, [NewRedis] one that the
//     test may stop and kill.
//   - [StartRedis] is the same for programs that are not tests.
//   - [Up] and [Down] keep servers standing between test runs; they are behind
//     "make brokers" and "make brokers-down".
//
// No server outlives its use. A test's server ends with the test, and on Linux
// also when the test process is killed: the kernel is told to end it then. Only
// those of Up stay, until Down.
//
// A missing program is an error that says how to install it. Nothing skips.
package integration
