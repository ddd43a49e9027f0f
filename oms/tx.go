package oms

import "context"

// The interfaces below are optional, as those in driver.go are: a TxOpener or
// a HalfOpener is found by type assertion on a Conn. Where there is none, or
// the capability is not claimed, the front returns ErrUnsupported.

// A TxOpener sends messages in transactions. It needs the Transactions
// capability.
type TxOpener interface {
	// OpenTx makes its caller the owner of id. When it has returned, nothing
	// that an earlier owner had begun will be stored, and from then on that
	// one gets ErrFenced. It asks the broker, and may be ErrUnavailable.
	OpenTx(ctx context.Context, id string) (TxSender, error)
}

// A TxSender stores messages all or none. Its methods are called one at a
// time: the front sees to that.
type TxSender interface {
	// SendAll stores the messages in one transaction, those of a partition in
	// their order, and returns nil when all are stored. No receiver gets one
	// unless all are. ErrUnknown says that they are stored or not, all alike,
	// and that nobody can tell which. With every other error none is stored,
	// now or later; a *BatchError may name just those that are the cause. Once
	// the sender is ErrFenced, so is every later call.
	//
	// A call that ctx ends is given up: that is an error as above, and the
	// next call waits for what is left of it. The front repeats a call that is
	// temporary and not ErrUnknown; the driver repeats nothing that the broker
	// has refused.
	SendAll(ctx context.Context, msgs []*Message) error
	// Close ends the ownership of the id as far as this process is concerned:
	// the id may be opened again here or elsewhere. A second Close does
	// nothing.
	Close(ctx context.Context) error
}

// A HalfOpener sends half messages. It needs the HalfMessages capability.
type HalfOpener interface {
	// OpenHalf returns a sender of half messages. Senders of one group, in
	// whatever process, answer for each other: the broker asks check of any of
	// them what became of a message whose verdict it has not got. The message
	// is what a receiver would get, with its id, and without a receipt.
	//
	// check is called on goroutines of the driver's, several at once if need
	// be, and may be asked of one message more than once; its context ends
	// when the sender closes. When and how often an undecided message is asked
	// about is the broker's to say, and it may give up in the end.
	OpenHalf(ctx context.Context, group string, check func(context.Context, *Message) Verdict) (HalfSender, error)
}

// A HalfSender stores messages that no receiver gets until they are committed.
// Send may be called concurrently; Close comes when every Send has returned. No
// half message has a delay: the front refuses one.
type HalfSender interface {
	// Send stores msg where no receiver gets it, then calls local, once and
	// before it returns, and does what that says: with Commit the message is
	// one like any other, with Rollback it is gone, with Undecided the broker
	// asks check. It asks check, too, where the process dies in between, or
	// where the verdict is lost on its way: check has to say of a message what
	// local said, and Rollback of one whose local was never called.
	//
	// nil says that the message is stored and local was called. With an error
	// local was not called; the message is not stored, or with ErrUnknown it
	// may be, and check is asked.
	Send(ctx context.Context, msg *Message, local func(context.Context) Verdict) error
	// Close ends the sender. When it has returned no check is running and none
	// is called any more. A second Close does nothing.
	Close(ctx context.Context) error
}

// A Verdict says what becomes of a half message.
type Verdict int

// The verdicts.
const (
	Undecided Verdict = iota // the broker asks again later
	Commit                   // receivers get it
	Rollback                 // nobody ever gets it
)

// String returns the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Commit:
		return "commit"
	case Rollback:
		return "rollback"
	default:
		return "undecided"
	}
}
