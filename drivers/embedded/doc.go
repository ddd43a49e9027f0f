// Package embedded runs NATS JetStream in this process, as the broker of a
// gateway that has no other, and reaches NATS servers elsewhere with the same
// code. It registers the drivers embedded and nats.
//
// # Access point
//
//	embedded
//	oms:embedded:///?dir=data/broker
//	oms:nats://[user[:password]@]host[:4222][,host…]/
//
// Options of embedded:
//
//	dir                 the broker's folder; data/broker
//	durability          interval (written through every sync.interval.ms) or strict (before each confirmation)
//	sync.interval.ms    100
//	retention.ms        how long messages are kept; 7 days
//	retention.bytes     how much all topics may take together; half of what is free when the broker starts
//	min.free.bytes      the floor of free disk; the larger of 1 GiB and 5 %, at most a tenth of the disk
//	max.message.bytes   the largest body; 8 MiB less 64 KiB
//	publish.timeout.ms  when a message without an answer counts as unknown; 3 s
//
// Options of nats: retention.ms, retention.bytes (of each topic; none),
// max.message.bytes (1 MiB less 64 KiB), publish.timeout.ms (5 s),
// replication.factor (1), sync.interval.ms (what sync_interval of the server is;
// 2 min), credentials.file, tls, tls.ca.file.
//
// An embedded broker's folder is locked against other processes. While it
// runs it also listens on a free port of 127.0.0.1 for those that may read the
// file endpoint in the folder: see [Endpoint].
//
// # Mapping
//
//	topic               one stream for each partition, <topic>-<p>; the number of partitions is in the first one's metadata
//	partition           subject <topic>.<p>, p by murmur2 of the key as Kafka's clients do; without a key a call's messages stay together
//	names               bytes but letters, digits, - and _ are = and two hexadecimal digits; inner dots stay in subjects
//	group               one durable pull consumer of that name for each partition
//	offset              stream sequence; the first is 1
//	offset of a time    where the server puts a consumer that starts then, made for the question and removed
//	position of a group ack floor of the consumer and 1; of an embedded broker, the floor in the consumer's file
//	delivery count      of the consumer, and that of nacks here
//	body                payload; nil is told from empty by the envelope
//	headers             NATS headers, where name and value are text that NATS keeps; else in the envelope, which has the order of all
//	Nats-* headers      oms-h-Nats-*, restored on receiving; they never steer the server
//	id, key, born time, correlation id, trace context, expiry, priority
//	                    the envelope: the header Oms, fields name=value, text percent-encoded, bytes in base64
//	Nats-Msg-Id         the connection's instance and the message's number, never its id
//
// Messages of NATS programs have their headers, sorted by name, and neither
// key nor id.
//
// # Delivery
//
// At least once. A message is confirmed when JetStream acknowledged it. One
// whose outcome is unknown is looked for in the stream when it is sent again,
// so it is not stored twice while its sender lives. Acknowledgements are sent
// at once; Flush waits until the broker has written them. A NATS server that is
// killed may have forgotten some that it confirmed, and deliver again.
//
// The members of a group stand in a key-value bucket, in whichever process
// they are. Each partition is read by the one member that holds its lease; a
// lease goes to another member when its holder gave it up, which is after
// OnRevoked has returned and acknowledgements are flushed, or when the server
// says that the holder's connection is gone. A new holder first has the broker
// give back what was delivered and not acknowledged. Closing a receiver does
// not call OnRevoked.
//
// A position beyond the end, which a power cut or an offset that OnAssigned
// names may be, is a gap: From is larger than To, and reading goes on at the
// end. A negative offset is the beginning. When OnAssigned fails, nothing was
// assigned and it is called again after a second; errors that do not pass by
// themselves are also returned by the next Receive. Seek, Pause and Resume of a
// partition that is not assigned are ErrNotFound, a Seek beyond the end is
// ErrInvalid, and then nothing is moved. A pause ends with the assignment.
//
// A member is named omconnect-<connection>-<receiver>, where receivers of one
// connection share the first two parts. NATS programs that pull from a group's
// consumer are no members: they are not listed, and what they take comes back a
// minute after they have dropped it.
//
// # Ordering
//
// Messages of a partition are stored in the order sent: each names the one
// before it as a condition, so nothing is stored behind one that failed. They
// are delivered in that order, and after a failure or hand-over again from the
// first that was not acknowledged. A nacked message comes before any later one
// that was not delivered yet.
//
// # Errors
//
// classify.go has the table. A full disk, or less free than the floor, is
// ErrFull; the embedded server is restarted by itself when there is room.
// Connections are made again for ever, with a back-off of at most 5 seconds;
// each is a session of its own, and receipts of an earlier one are
// ErrStaleDelivery. Wrong credentials are ErrDenied from every call until they
// are right.
//
// # Limits
//
// Key, headers and properties of a message take at most 64 KiB together. An
// encoded name has at most 240 bytes. Processes that write to one partition at
// the same time take turns, a few messages each. With several partitions a
// receiver may hold somewhat less than MaxUnacked: what was asked for of one
// is not asked for of another. Of a partition that is written at more than some
// 12 MiB a second, a receiver of the embedded broker stays 9 MiB behind the end:
// the server would keep in memory what is read sooner. Delay, priority and
// transactions are not supported. The folder must be on a local file system of
// a Unix.
package embedded
