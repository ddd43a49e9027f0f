// Package broker has the connectors broker-source and broker-sink, which bridge
// any broker to any other. A broker-source reads topics of another broker as a
// member of a group there and sends to the connector's own; a broker-sink reads
// the connector's own and sends to another.
//
// # What is kept
//
// Key, body, headers, the time a record was born, its id, correlation id, trace
// context, expiry and priority. Partition, offset and the count of deliveries
// are those of the broker that a record is in. What a target cannot carry is
// looked at by fidelity:
//
//   - native: the record goes on without it. A nil body or header becomes an
//     empty one, a binary header base64, of repeated headers the last is kept;
//     key, expiry and priority are left out. The first record of each kind is
//     warned about, and how many there were is logged when the task ends.
//   - strict: the record is refused with ErrUnsupported, and so its task fails.
//   - envelope: a record is put whole into the body of another, as text. One
//     that is an envelope already is opened instead, and refused where the
//     target cannot carry what is in it. So A to B to A gives what was sent.
//     Bridges in between are native: an envelope is to them what any record is.
//
// # Envelopes
//
// An envelope has the header oms-envelope, which is 1, and a body that is a
// JSON object:
//
//	{"oms.envelope":1,"id":"…","topic":"…","key":…,"body":…,
//	 "headers":[["name",value],…],"born":ms,"correlation":"…",
//	 "traceparent":"…","tracestate":"…","expires":ms,"priority":n}
//
// Times are milliseconds since 1970. Bytes are a string where they are text,
// else {"base64":"…"}, and null where there are none. What is empty is left
// out, but for key, body and headers: these are null, or not there at all, only
// for nil. The topic is told and not used: an envelope does not steer where it
// goes. Unknown fields, another version or anything behind the object are
// ErrFormat. Key, id, times and trace context stand on the outer message too.
//
// # Where a position lives
//
// In the group, on the broker that is read: its own tools show it and set it,
// and tasks share partitions as that broker deals them out. The gateway's store
// has the positions that are confirmed, as of each source, and nothing is ever
// started from them: there are not two truths. A record is acknowledged in
// Committed only, when the target has confirmed it and its position is durable.
// A gateway that is killed repeats what it had not acknowledged and loses
// nothing.
//
// A partition that goes to another member waits until what was read of it is
// committed and acknowledged, at most 10 seconds longer than the target takes
// to make it durable. What is not by then is not acknowledged any more and
// comes again there. A pause gives back what was not
// acknowledged and leaves the group.
//
// # Order
//
// Of a partition, and of a key where both brokers have that. A broker-sink
// sends in the order in which it is given records, and Flush waits for all of
// them to be confirmed, and as long as the target needs to make them last.
//
// # Loops
//
// A bridge adds itself to the header oms-hops, a list separated by commas. A
// record that has passed the same bridge before, or 32 bridges in all, fails
// its task: it is not dropped, and goes round no further. The header is the one
// thing that a bridge adds; loop.detection=off does without.
//
// # Limits
//
// Delivery is at least once. A record that is larger than the target takes is
// ErrTooLarge. Where the source's broker has no offsets, a record without an id
// gets another one when it comes again. With source.topics.regex, topics are
// listed anew every source.topics.refresh.interval.ms, and tasks start anew
// when there are others.
package broker
