// Package rabbitmq reaches RabbitMQ, 3.10 and later, over AMQP 0-9-1. It
// registers the driver rabbitmq.
//
// # Access point
//
//	oms:rabbitmq://[user[:password]@]host[:5672][,host…]/[virtual host][?option=value]
//
// Without a virtual host it is "/", without a user guest. Options:
//
//	declare             full (exchanges and queues with all arguments), minimal (only the type of queues) or none
//	queue.type          quorum (queues of each group) or stream (one stream for each partition, which all groups read)
//	retention.ms, retention.bytes, segment.bytes  of streams; 7 days, no bound, the broker's
//	durable.after.ms    for how long what a stream has confirmed may still be lost; 0
//	ordering            key (a queue for each partition, with one active consumer) or none (members compete for one queue)
//	topic.creation.default.partitions  1
//	max.message.bytes   the largest body; 8 MiB
//	publish.timeout.ms  when a message without a confirmation counts as unknown; 60 s
//	rpc.timeout.ms      how long the broker may take to answer; 15 s
//	heartbeat.ms        10 s
//	tls, tls.ca.file, tls.certificate.file, tls.key.file, tls.server.name
//	sasl.mechanism      PLAIN or EXTERNAL
//	management.url      where the management API tells of queues that others made; it is not asked without
//
// # Mapping
//
//	topic               a durable topic exchange of that name; one that is there is used as it is, whatever its type;
//	                    others bind the queues of one that is direct, by the routing key 0
//	partitions          the number of messages in the queue oms.partitions:<topic>; one without it
//	list of topics      the queue oms.topics, a message for each that this driver made
//	group               a durable quorum queue <group>:<topic>:<p> for each partition, single active consumer; with ordering=none one queue <group>:<topic>:*
//	binding             routing key <p>, or # where the topic has one partition
//	member              an exclusive queue oms.member:<group>:<number>, bound to the direct exchange oms.members by
//	                    <group>:<topic>:<number>; with declare=none a consumer, whoever it is
//	foreign member      a consumer that a queue has more than the group has members
//	partition           routing key, by murmur2 of the key as Kafka's clients do; without a key a call's messages stay together
//	body                body; nil has the header oms-nil
//	id, correlation id  message-id, correlation-id; headers oms-id, oms-correlation-id if longer than 255 bytes or no text
//	key                 header oms-key, text where it is text
//	born time           timestamp, in seconds, and app-id oms/<milliseconds behind it>; before 1970 header oms-born, in milliseconds
//	expiry              expiration, what is left of it, and header oms-expires
//	trace context       headers traceparent and tracestate
//	headers             headers of the same name, text where they are text; oms-headers has the order of all, and what a table has no place for
//	CC, BCC, user_id, x-death*, x-first-death*, x-last-death*, x-delay, x-match, x-stream-*, x-opt-*
//	                    oms-h-<name>, restored on receiving; they never steer the broker
//	delay               headers oms-delay and oms-delay-<level>; what the broker adds while it waits, x-death and others, is left out
//	oms-seq             a number by which a message that comes back is known, if it has no id, one that is no property,
//	                    or that of another that is on its way
//	delivery count      x-delivery-count of what is redelivered and 1, and nacks here
//	content-type, content-encoding, type, user-id, reply-to, priority
//	                    neither set nor read; another app-id than ours is not read
//
// Messages of other programs have their headers, sorted by name, and neither
// key, unless they set oms-key, nor expiry. Numbers, truth values and times in
// their headers come as text, arrays and tables as JSON. An oms-headers that
// does not fit the headers beside it is passed over.
//
// # Delivery
//
// At least once. Messages are persistent, mandatory and confirmed: all queues
// that get one have it on a majority of their disks. One that no queue gets is
// ErrNoSubscription. What was on its way when a channel ended is ErrUnknown.
//
// A group gets what is sent once EnsureGroup has returned. Its queues have no
// limit on deliveries, so that crashes of consumers with full hands drop
// nothing: no x-delivery-limit for RabbitMQ 3, where -1 means one, and -1 from
// 4.0 on, where none means 20. Queues made by others, or with declare=minimal,
// should have none either, or a dead-letter exchange with
// x-dead-letter-strategy=at-least-once. With management.url others are refused,
// with the policy to set.
//
// Publishing and consuming have a connection each. While the broker blocks
// publishers for want of memory or disk, senders wait. Each connection is made
// again for ever; a receipt of an earlier one is ErrStaleDelivery. The client
// library's own recovery is not used: it would acknowledge with a number that
// means another message on the new connection.
//
// Each topic of a receiver is one partition, number 0, unless it is a stream, which is told to
// OnAssigned when its queues are consumed and to OnRevoked when the channel
// has ended. Flush asks the queues after the acknowledgements were sent.
//
// With ordering=key the members of a group that receive a topic take its queues
// in turn, and consume no others. Every two seconds each asks which slots are
// taken, by messages that come back where nobody is. A member whose share has
// become larger consumes more; one with queues of others hands nothing out any
// more, calls OnRevoked, flushes, ends its channel, and has OnAssigned called for
// what stays. If nothing is handed out at that moment, neither is called. The
// broker lets one consumer of a queue be active, and has back what was not
// acknowledged before the next one is. A member that cannot ask, because the
// broker has no room or an alternate exchange takes the question, keeps its
// share for half a minute, and then consumes everything, as at first. With declare=none there are no slots:
// each member consumes all queues, and whoever came first is active.
//
// A message that is returned by itself goes behind all others in a quorum
// queue, so none is: Nack keeps it here, and a pause ends the channel, as soon
// as all that was handed out is settled, and goes on without the topics that
// are paused. The broker's consumer_timeout does not run then.
//
// # Ordering
//
// Messages of a key are delivered in the order sent, with ordering=key and
// declare=full. The first message of a partition, and the first after one came
// back, is confirmed before the next is sent, so that a group made in between
// gets none of them early. A queue that refuses messages (x-overflow of a
// policy) may take a later one when it has room again: that order is lost.
// A topic needs as many partitions as members that shall work side by side.
// With declare=minimal queues have no single active consumer: two members may
// have messages of one queue for a moment when shares change.
//
// # Delay
//
// A message with a delay waits in quorum queues that have a time to live and
// dead-letter to the topic's exchange, at least once and with the routing key
// that it has: oms.delay:<topic>:<level>.<digit>, for the digits of the delay
// to base 4 in units of 16 ms, of which the first five count. They are made when
// a delay needs them, and go with the topic. The expiry of such a message is the
// header only, so that the broker does not let it go early.
//
// It is confirmed when the first of these queues has it. When no queue of a
// group takes it in the end, it waits on, and the broker tries again every three
// minutes, and when it starts; what follows it on its way waits with it. So a
// delayed message to a topic without a group is ErrNoSubscription where
// management.url tells of that, and is kept otherwise. Delayed messages have the
// order of their due times, about.
//
// # Streams
//
// With queue.type=stream a partition is the stream oms.stream:<topic>:<p>,
// bound to the topic's exchange from the beginning, so that no message is
// without a queue. It has offsets, keeps what is read, and loses what retention
// removes. A sender is the same.
//
// AMQP 0-9-1 keeps no positions of streams. Each group has the stream
// oms.position:<group>:<topic>:<p> for each partition, whose last message is
// "1 <identity> <offset>": the offset of the first message that is not
// acknowledged. The identity is that of the topic, the first message of
// oms.identity:<topic>: a topic that was deleted and made anew has another, and
// its groups begin anew. Positions are noted once a second, by Flush, and before
// a partition goes.
//
// Members share partitions as they share queues. A stream lets everybody read,
// so a member reads a partition while it holds the exclusive queue
// oms.owner:<group>:<topic>:<p>, and lets go of it behind OnRevoked and its
// position. A consumer that the broker ends is replaced where it was, and so is
// one whose prefetch does not fit the size of messages any more. What was taken
// stays, so that twice MaxUnackedBytes may be in memory for a moment; it goes
// with a stream that others delete.
//
// Where a stream begins and ends is found by consuming from there and cancelling
// at once. A point in time is a second for the broker; messages in front of it
// are told by when they were made. Between segments the broker takes an offset
// for itself, so that one that is missing by itself is no gap. A position that
// retention removed is a gap, one beyond the end, too: From is then larger than
// To. A Seek to where the partition has nothing is ErrInvalid, and moves nothing.
//
// # Errors
//
// classify.go has the table. The client library calls every connection that
// ends in the handshake one with wrong credentials; only the second in a row
// is ErrDenied.
//
// # Limits
//
// Properties and headers of a message take at most 120 KiB together. A group
// has no colon in its name and does not begin with oms.; group and topic have
// about 250 bytes together. A replication factor means nothing: quorum queues
// have the size that the broker gives them.
//
// The broker bounds what it delivers by count only, so MaxUnackedBytes is made
// a prefetch. What a receiver has in memory, the client library's buffers
// included, is MaxUnackedBytes at most, or one message of each queue if that is
// more, and what the library is reading just now. What has no room is dropped,
// with all that follows, until a channel with a prefetch that fits takes over
// and it comes again, the next time that nothing is out. What was delivered
// ahead then counts as delivered once more.
//
// A message is taken to have 32 KiB, more if that many had no room, and less
// again as soon as the mean of 512 messages is a quarter of that or less. If
// something is always out, nothing more is handed out for one second in ten
// until the other channel takes over. Whoever acknowledges nothing for ten
// seconds, and waits for more that was dropped, has it behind a hand-over:
// OnRevoked and OnAssigned are called as when members change.
//
// The broker is told of acknowledgements after 5 ms at the latest, or when they
// are 200 or a quarter of the prefetch, and by Flush.
//
// What members in other processes have in hand is missing in Lag. Queues of a
// group stay when their topic is deleted, until DeleteGroup. Topics and groups
// are not seen when others make them. Priority and
// transactions are not built. In a cluster, the node that a member is connected
// to may know of the end of a stream, and of a position, a moment later than the
// others do: messages come again then.
package rabbitmq
