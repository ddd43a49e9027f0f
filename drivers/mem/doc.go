// Package mem is a broker in memory: the reference driver, for unit tests. It
// is the shortest driver that keeps the whole contract of package oms, it runs
// on the fake time of testing/synctest, and it fails on command. It is not
// offered to users and does not register itself.
//
// A broker lives as long as its [Driver]; every connection opened from one
// Driver sees the same topics and groups. Make the Driver inside the synctest
// bubble that uses it. Each open sender and receiver has one goroutine, which
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
//     acknowledged. A partition belongs to one member at a time.
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
// position. Closing a receiver does not call its OnRevoked. When OnAssigned
// fails, the next Receive returns its error and it is called again, with a
// capped back-off.
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
//     a partition that the topic does not have, an offset behind the end.
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
// One process. No transactions, half messages, priorities or topic patterns.
// Replication factors are ignored.
package mem
