// Package client calls the management API of a gateway. It is what the command
// line uses, and needs nothing of the gateway's own packages.
//
// An answer that is not a success is an [*Error]. When nothing answers, the
// error has the code oms.ErrUnavailable and says which address was tried.
package client
