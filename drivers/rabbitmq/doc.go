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
//	partition           routing key, by murmur2 of the key as Kafka's clients do; without a key a call's messages stay together
//	body                body; nil has the header oms-nil
//	id, correlation id  message-id, correlation-id; headers oms-id, oms-correlation-id if longer than 255 bytes or no text
//	key                 header oms-key, text where it is text
//	born time           timestamp, in seconds, and header oms-born, in milliseconds
//	expiry              expiration, what is left of it, and header oms-expires
//	trace context       headers traceparent and tracestate
//	headers             headers of the same name, text where they are text; oms-headers has the order of all, and what a table has no place for
//	CC, BCC, user_id, x-death*, x-first-death*, x-last-death*, x-delay, x-match, x-stream-*, x-opt-*
//	                    oms-h-<name>, restored on receiving; they never steer the broker
//	oms-seq             the number of the publishing on its channel, by which a message that comes back is known
//	delivery count      x-delivery-count of what is redelivered and 1, and nacks here
//	content-type, content-encoding, type, app-id, user-id, reply-to, priority
//	                    neither set nor read
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
// Each topic of a receiver is one partition, number 0, which is told to
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
// The broker bounds what it delivers by count only. So MaxUnackedBytes is kept
// for what Receive hands out, and for what is delivered ahead messages are
// taken to have 32 KiB: when larger ones go beyond the bound, a channel with a
// prefetch that fits takes over, the next time that nothing is handed out. Each
// queue may always have one message out.
//
// What members in other processes have in hand is missing in Lag. Queues of a
// group stay when their topic is deleted, until DeleteGroup. Topics and groups
// are not seen when others make them. Delay, priority, streams and
// transactions are not built.
package rabbitmq
