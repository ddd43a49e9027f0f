// Package rocketmq reaches RocketMQ clusters, 4.9 and later, by their name
// servers. It registers the driver rocketmq.
//
// # Access point
//
//	oms:rocketmq://[access-key:secret-key@]nameserver[:9876][,nameserver…]/[namespace][?option=value]
//
// Options:
//
//	delay               none, or timer for brokers from 5.0 on, which keep messages until a point in time
//	durability          confirmed, or strict: what was stored and not flushed or replicated in time counts as failed
//	max.message.bytes   the largest body; 4 MiB less 64 KiB
//	send.timeout.ms     when a message or a question without an answer is given up; 5 s
//	sync.interval.ms    how long a confirmed message may be lost to a power cut; 10.5 s, which is what ASYNC_FLUSH means
//	tag.header          the header whose value is a message's tag; none
//	topic.partitions    queues of a topic that is made without a number; 8
//	tls, tls.insecure   both or none: certificates are not verified
//
// # The client library
//
// Messages go through rocketmq-client-go: one producer for each cluster and
// user in the process, four pull consumers, which pull in the name of the
// group omconnect-reader, and one more producer for each group of half
// messages. All connections share them, and they are kept until
// the process ends: the library leaves goroutines and sockets behind whenever
// one is shut down. Together they have 160 goroutines, which sleep, and 10
// sockets (one to the name server and one to the broker each, more with more
// brokers), and 7 and 2 more for each group of half messages; up to four more
// consumers are started when answers do not come.
// Opening and closing connections adds nothing to that, which a test counts.
// What the library logs as a warning or worse is a warning of slog's; its
// routine is for debugging.
//
// What the library has not, or does not answer, the driver asks over
// connections of its own: members, locks, positions with an answer, offsets,
// topics, groups, and to be told when a queue has something. See docs/adr/0009.
//
// # Mapping
//
//	topic               topic; in a namespace, namespace%topic
//	partition           queue: its place among all queues of the topic, by broker and number; a conn adds new ones behind those it knows
//	names               bytes but letters, digits, - and _ are | and two hexadecimal digits
//	group               subscription group, with namespace and encoding as topics
//	offset              queue offset; the first is 0
//	offset of a time    the broker's search by time of storing
//	position of a group the broker's consumer offset, which the driver commits and waits for
//	body                body; nil and empty are -, told apart by the envelope: brokers refuse an empty body
//	key                 the envelope, and KEYS where it is text without spaces
//	headers             properties, where name and value are text that properties keep; else in the envelope, which has the order of all
//	reserved properties oms-h-<name>, restored on receiving; they never steer a broker or a client library
//	id, born time, correlation id, trace context, expiry
//	                    the envelope: the property OMS, fields name=value, text percent-encoded, bytes in base64
//	UNIQ_KEY            made anew for each sending, never the message's id
//	tag                 with tag.header the value of that header, which travels as any other, too; foreign tags are that header, without the option the header TAGS
//	half message        TRAN_MSG and PGROUP; what commits it is the broker's
//	delay               TIMER_DELIVER_MS, up to two seconds later, since brokers round down to seconds
//
// Messages of other programs have their properties as headers, sorted by name,
// without those that brokers write themselves; KEYS is their key, and the time
// of sending their born time. A header that cannot be a tag (|| in it, spaces
// around it, control characters) is ErrInvalid where it ought to be one.
//
// # Delivery
//
// At least once. A message is confirmed when the broker has stored it. Where
// it says that it could not flush or replicate it in time, that is a warning;
// with durability=strict the send waits for 5 seconds and is ErrUnknown, and
// each further try stores the message again. A message whose outcome is
// unknown may be stored twice.
//
// A half message is stored before local is called. The verdict is told to the
// broker once, without an answer: where it is lost, or nobody tells it, the
// broker asks check, first after 6 seconds (its transactionTimeOut) and then
// every 30 (transactionCheckInterval), up to 15 times; what is undecided then is
// as good as rolled back. It asks any process that has opened the group since;
// one that has closed it again answers for a while that nothing is decided. A
// half message that is not flushed or replicated in time is rolled back and
// ErrUnknown, whatever durability says.
//
// Messages are pulled from one queue at an offset of the driver's own, once the
// broker has said that there are some. Nothing is sent back to the broker, so
// nothing reaches %DLQ%. What is acknowledged is committed every second. Flush
// does so at once, and waits for the broker's answer. A broker writes positions
// to its disk every 5 seconds, so messages may come again after it was killed.
//
// The members of a group are those whose heartbeats the brokers have. Each
// knows the same list and comes to the same shares; a queue is read by the one
// that has the broker's lock for it. The lock is given back after OnRevoked
// has returned and positions are flushed. A member whose connection is gone has
// lost its locks: the others give them back in its name when they see it go.
// Where nobody saw that, after all members were killed, the locks end after a
// minute. All members of a group receive from the same topics; one with others
// is ErrInvalid. Members of other client libraries take no locks and are not
// counted: they must not be in the group at the same time. Members lists them
// as foreign.
//
// OnAssigned may name offsets. One below what is retained or beyond the end is
// a gap; of one beyond the end, From is larger than To. A negative one is the
// beginning. When OnAssigned fails it is called again after a second, and
// errors that do not pass by themselves are also returned by the next Receive.
// A Seek makes what was received before stale. A pause ends with the
// assignment. Closing a receiver does not call OnRevoked.
//
// # Ordering
//
// Messages of a partition are stored in the order sent: one request for a
// queue is on its way at a time, with up to 256 messages that are stored all
// or none. They are delivered in that order, and again from the first that was
// not acknowledged. Delayed messages have the place of their due time. When
// queues are added, or a topic's brokers change between two runs of a gateway,
// keys move to other partitions.
//
// # Errors
//
// On a connection that breaks the library waits out the time of a send, and up
// to 40 seconds until it takes one that is silent for dead; messages sent
// meanwhile are ErrUnknown. classify.go has the table. An error about a broker names the address that
// the name server gives for it. While brokers are away the name servers deny
// their topics; the driver says ErrUnavailable until it knows better. Wrong
// keys are ErrDenied from every call until they are right.
//
// # Limits
//
// Key, headers and properties take at most 31 KiB together, a topic's encoded
// name with its namespace 127 bytes, a group's 120. Tags as filters of what is
// received are not supported. A process makes one topic at a time, and overwrites
// none; two processes that make the same one at the same moment may overwrite
// each other's numbers of queues. A broker that indexes a message of a topic
// that is just being deleted dies (5.2): so a topic is left without queues
// first, and its brokers are asked until they have indexed what they have.
// Where brokers make topics by themselves, a delayed message makes one that was
// deleted less than 30 seconds ago; others make none.
// Brokers before 5.0 give a group without a position the beginning of a young
// queue, also where it was to begin at the end. A topic that is
// deleted and made again by another process within the 20 seconds of a pull,
// and has come to the very same offset meanwhile, is not told from the old
// one.
package rocketmq
