// Package gateways is how tests run gateways and talk to them: a [Process] is a
// gateway in a process of its own, an [API] asks a running one over REST, here
// or elsewhere, and waits for what it says. What goes wrong fails the test.
//
// A process ends with its test at the latest. No goroutine outlives it.
package gateways
