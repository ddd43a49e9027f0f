// Package driver is a whole driver of package oms in less than a thousand
// lines, to begin one's own with: a broker in a SQLite file. It claims little,
// and keeps what it claims; its test is the suite that every driver passes. The
// gateway does not import it. A main of one's own that does has the driver
// file:
//
//	import _ "github.com/omconnect/omconnect/examples/driver"
//
// A connection has one database handle, which database/sql opens and mends; a
// receiver has a goroutine that keeps its lease, and ends with Close.
//
// # Access point
//
//	oms:file:///?path=messages.db
//
// Options: path, the database, is required. Its folder has to be there; the
// file is made at the first use. It has to be on a local disk, where SQLite's
// locks work; any number of processes may use it at once.
//
// # Mapping
//
//	topic            a row of topics
//	group            a row of subscriptions for each of its topics
//	message          a row of messages, its fields as JSON in content
//	to be delivered  a row of waiting for each group, until it is acknowledged
//	member           a row of members for each of its topics, with the end of its lease
//	delivery         member and count in the row of waiting
//	partition        one of each topic, number 0; there are no offsets
//
// Times are cut to milliseconds. Origin, delay and priority are not kept.
//
// # Delivery
//
// At least once. A batch is one transaction, on the disk before it is
// confirmed. Members take the oldest messages that nobody has; those of a
// member whose lease has run out, 10 seconds after it was heard of last, and of
// one that was closed come again, to whoever is next. An acknowledgement is
// durable when Ack returns. A member that lost its lease, as after a
// suspension, begins anew: OnRevoked is called, and what it had is
// ErrStaleDelivery.
//
// # Ordering
//
// A single member gets messages in the order sent. Several take turns, and what
// comes again comes after later ones: the order of a key is not claimed. Behind
// a message that failed, the sender aborts its topic until its done has
// returned.
//
// # Errors
//
// errors.go has the table. Whatever SQLite says that is not in it is
// ErrUnavailable: the next call tries again.
//
// # Limits
//
// A body has at most 8 MiB. Messages are removed with their topic only, so that
// a new group gets them all. A sender writes one batch at a time. Other
// processes are asked for news every 100 ms. No Nack, Seek, offsets, delay,
// priority, partitions and transactions: they would make it longer, not
// clearer.
package driver
