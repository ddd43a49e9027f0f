// Package mem is a broker in memory: the reference driver, for unit tests. It
// is the shortest driver that keeps the whole contract of package oms, it runs
// on the fake time of testing/synctest, and it fails on command. It is not
// offered to users and does not register itself.
//
// A broker lives as long as its [Driver]; every connection opened from one
// Driver sees the same topics and groups. Make the Driver inside the synctest
// bubble that uses it. Each open sender, also of half messages, and each open
// receiver has one goroutine, which
// ends with Close.
//
// # Access point
//
// oms:<name>:///, or just the name under which a test has registered the
// Driver. There are no hosts, users, regions or options; how the broker behaves
// is said in [Options].
//
// # Mapping
//
//   - A topic is a list of logs, one per partition. Nothing is removed from
//     them but by [Driver.Trim] and [Driver.PowerCut].
//   - A message goes to ToPartition, else to the partition that Kafka's Java
//     client would choose for its key, else to the next one in turn.
//   - Every field of a message but Origin and Priority is kept; times are cut to
//     milliseconds, and a message that was delayed arrives with no delay.
//   - A group is one position per partition: everything before it has been
//     acknowledged. A partition belongs to one member at a time. Positions are
//     as durable as they get the moment they are acknowledged, so
//     oms.GroupPositioner tells them as they are.
//   - What expired is delivered all the same: the front drops it.
//
// # Delivery
//
// At least once. A message is readable from the moment it is stored, and
// confirmed [Options].ConfirmAfter later. An acknowledgement takes effect at
// once; the group's position follows when everything before is acknowledged
// too. A rebalance moves as few partitions as it must: the old owner stops
// receiving, OnRevoked may settle what it holds for up to RevokeTimeout, then
// the generation changes and OnAssigned tells the new owner, who begins at the
// position.
//
// OnAssigned may name other offsets. One that the log does not have is a gap
// that OnGap is told of before anything else: below what is retained, reading
// goes on at the oldest message; beyond the end, which a lost broker's position
// may be, From is larger than To, and reading goes on at the end, where the next
// message will be stored. A negative one stands for 0.
//
// When OnAssigned fails, nothing was assigned: OnRevoked is not called, nothing
// of these partitions is delivered, the group's positions stay, and the
// partitions stay this member's to ask for. The next Receive returns the error
// as it is, temporary or not, and OnAssigned is called again, with a back-off
// from 100 ms to 5 s, until it succeeds or the member leaves.
//
// Pause, Resume and Seek take partitions that are assigned: with any other the
// whole call is ErrNotFound and does nothing. A partition that is on its way to
// another member is not assigned any more. Seek takes offsets up to the end,
// where the next message will be stored; beyond it is ErrInvalid. A pause ends
// with the assignment.
//
// Closing a receiver calls neither OnRevoked nor anything else: whoever closes
// settles first. What it has not acknowledged goes to the next member. A
// partition lost with the connection, or with its topic, is told to OnRevoked
// afterwards, when nothing of it can be acknowledged.
//
// A transaction stores its messages at once, and is fenced where its id was
// opened again. A half message stands beside its log until it has a verdict, and
// takes its place then; a sender of its group is asked about it each
// Options.CheckAfter, for ever.
//
// # Ordering
//
// Messages of one partition, and so of one key, arrive in the order stored.
// Behind a message that could not be sent, the sender aborts everything of its
// partition (of its topic, if that is missing) until its done has returned.
// A message given back by Nack comes again before anything new of its partition,
// and not while an earlier one of its key is out. A delayed message is
// stored when its delay is over: its place is that of its due time, and nothing
// waits behind it.
//
// # Errors
//
//   - ErrInvalid: a topic name that is empty, malformed or reserved ($..., __...),
//     a partition that the topic does not have, a Seek beyond the end.
//   - ErrNotFound: a topic, group or assigned partition that is not there. A
//     receiver waits for a missing topic instead.
//   - ErrTooLarge: a body over MaxBody.
//   - ErrUnavailable, or what the test gave to [Driver.SetDown]: the broker is
//     down. A receiver waits through temporary errors and returns others.
//   - ErrUnknown: the connection was lost, or the sender closed, between the
//     storing of a message and its confirmation.
//   - ErrBusy: a group that still has members cannot be deleted.
//
// # Limits
//
// One process. No priorities. Replication factors are
// ignored.
package mem
