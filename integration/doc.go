// Package integration starts the real brokers and stores that tests need: a
// server of their own on a free loopback port, in a folder of its own, stopped
// by its process id. It needs nothing but the programs on the PATH, which
// setup.sh installs.
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
