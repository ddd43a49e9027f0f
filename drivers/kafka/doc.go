// Package kafka reaches Apache Kafka, from 2.4.0 on, and what speaks its
// protocol. Importing it registers the driver "kafka".
//
// It uses the protocol, connections and readers of github.com/IBM/sarama. It
// sends and it belongs to groups on its own: nothing may overtake a message
// that failed, and whoever commits a position has to learn what became of it.
//
// # Access point
//
//	oms:kafka://[user[:password]@]host[:port][,host[:port]...]/[?option=value&...]
//
// The hosts are where to begin; the port is 9092 if not given. The brokers name
// each other, and have to be reachable by those names (advertised.listeners).
// With a user, and nothing else said, SASL PLAIN is used. Driver.Options lists
// the options.
//
// # Mapping
//
//	topic             topic; letters, digits, dot, _ and -; none that begins with __
//	partition, offset partition, offset
//	key               key of the record; nil is null
//	body              value of the record; nil is null, a tombstone
//	headers           headers of the record, in order; nil is null. A name that
//	                  begins with oms-, traceparent and tracestate travel with
//	                  oms-h- before them
//	id                header oms-id
//	born at           header oms-born, milliseconds since 1970; of a record
//	                  without it the record's timestamp
//	correlation id    header oms-correlation-id
//	expires at        header oms-expires, milliseconds since 1970
//	trace context     headers traceparent, tracestate
//	                  (the record's timestamp is when it was sent)
//	to partition      the partition; else that which Kafka's Java client chooses
//	                  for the key; without a key each in turn
//	group             consumer group, protocol cooperative-sticky
//	member            member of the group, dynamic, or static with the name
//	                  <group.instance.id>-<number>; the latest to come with a
//	                  name has it, and the one before is ErrFenced for good
//	acknowledgement   committed offset of the first message not acknowledged
//	transaction       transaction; its id is the transactional id
//	identity          cluster id
//	topic without     the brokers' defaults for partitions and replicas
//	numbers
//
// # Delivery
//
// At least once. A message is confirmed when all replicas in sync have it.
// That is durable where a topic has three replicas and min.insync.replicas of
// two; of one that has less the log warns, once. Else say with durable.after.ms
// how long the one broker takes to the disk. An attempt that is repeated is
// stored once. One whose outcome stays unknown is ErrUnknown, and brokers refuse
// what of it is still on its way.
//
// A call of SendAll is one transaction of Kafka's: the coordinator of its id is
// told of the partitions, each gets its batches, and the coordinator ends it.
// Where one of these fails the transaction is aborted and the epoch goes up:
// nothing of it that is late is stored. A commit is asked for until the
// coordinator answers; without an answer within delivery.timeout.ms it is
// ErrUnknown. Only what is committed is read, of whatever program.
//
// A group without a position starts where the receiver says, and that is stored
// at once; in a partition or topic that is younger than the group it starts at
// the first message. Positions are committed by Flush, by Close, before a
// partition goes to another member, and each second. Flush returns when the
// coordinator has said that it has them; acknowledgements that were lost with
// their partitions are ErrStaleDelivery, once.
//
// A member sends heartbeats whatever is done with its messages. It leaves the
// group when it is closed, a static one too. A group whose heartbeats do not
// come through for session.timeout.ms loses its partitions on both sides.
// Members tell in what they say when they join that they are this driver's; a
// member that does not is foreign. Members of the protocol of KIP-848 are seen
// with version=4.0.0 or later.
//
// A position that a partition does not have is a gap that OnGap is told of.
// Holes in the offsets, which compaction and transactions leave, are none.
//
// # Ordering
//
// Of a partition, and so of a key, as long as the number of partitions stays.
// A partition has one batch on its way at a time. When it fails, everything
// behind it of the partition that is sent before the done of each batch that
// failed has returned fails untried (ErrAborted).
//
// # Errors
//
// classify.go has the table. An error of a connection names the broker's
// address, and what may have to be set where a broker hangs up. A group with
// members of another protocol is ErrInvalid. Credentials that are refused are
// ErrDenied from each call, and tried again. A topic that is missing is
// ErrNotFound for a sender, which never makes one, and a receiver waits for it.
//
// # Limits
//
// A body has at most max.message.bytes, key and headers 64 KiB more: what is
// larger is ErrTooLarge before anything is sent. MaxUnacked counts what was
// fetched for the receiver; the client library holds one fetch of at most
// 1 MiB for each partition besides, or one larger message, and 256 KiB or some
// tens of messages are on their way from it. A transaction is in
// memory as a whole, needs brokers from 2.5.0 on and has delivery.timeout.ms and
// 30 s, then the brokers end it. There are no delays and no counts of
// deliveries. The group protocol of KIP-848 is not used.
package kafka
