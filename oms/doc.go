// Package oms is the messaging API that connectors and programs are written
// against, whichever broker is behind it. Names follow OpenMessaging: access
// point, producer, push and pull consumer, message, key-value, interceptor.
//
// The package has a front and a back, as log/slog has a Logger and a Handler.
// Programs use the front, which is concrete: [Client], [Producer],
// [PullConsumer], [PushConsumer], and where the broker has them [TxProducer]
// and [HalfProducer]. A broker is reached through the back, a few small
// interfaces that its driver implements: [Driver], [Conn], [Sender],
// [Receiver], and optional ones found by type assertion. Both share [Message].
// What every broker would do alike (validation, waiting, resending in order,
// expiry, push delivery, interceptors, the shape of errors) is written once,
// in the front.
//
// # Delivery
//
// Delivery is at least once. A message stays the broker's until it has been
// acknowledged; a crash before that delivers it again. Messages of one key
// keep their order where the driver claims [OrderPerKey]: repeats may follow
// a failure, never an inversion of first deliveries.
//
// # Topics and groups
//
// Every group gets every message sent to its topics since the group exists,
// and all that is retained where the driver claims [Backlog]; the members of
// a group share the messages by partition.
//
// # Ownership
//
// The body, key and headers of a message are immutable once it is sent or
// received. A message is the driver's from SendAsync until done is called.
package oms
