// Package rest is the management API of a gateway: the seven calls of the
// OpenMessaging Connect draft, and around them those of Kafka Connect, so that
// its clients and tools work unchanged.
//
// # Answers
//
// On Kafka Connect's paths the answers have its fields, codes and words only.
// What this gateway knows beyond them (retries, causes, who asked for what)
// stands under ?expand=omconnect and /connectors/{name}/omconnect. A
// configuration comes back exactly as it was sent, plus name. An error is
// {"error_code", "message"} on every path, whoever found it. /openapi.json
// describes all of it, from the very routes that are served.
//
// # Safety
//
// [Listen] refuses addresses that other machines reach, unless calls need a
// token: as Bearer, or as the password of Basic with any user. /health needs
// none. There is no TLS yet. Pages of other sites can neither write, by their origin, nor read, by
// the host that they name. Bodies, headers and times are bounded. Nothing of a
// request's body stands in an error but its keys, and the log has neither
// bodies nor query strings.
//
// # Ownership
//
// Handlers keep no state: they read and write through a [Catalog]. [Serve]
// owns the server's goroutines and has ended them, or cut them off, when it
// returns.
package rest
