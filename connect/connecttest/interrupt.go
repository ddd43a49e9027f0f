package connecttest

import (
	"context"
	"time"
)

var interruptionRules = []rule{
	{"PutContext", "Put returns soon after its context has ended, and says nil only of what is stored", always, checkPutContext},
	{"SlowTarget", "a target that takes nothing holds up neither the end of a Put whose context has ended, nor OnStop; what was put then is stored when it is put again", blocks, checkSlowTarget},
}

func blocks(b *bench) bool { return b.sink.Block != nil }

func checkPutContext(ctx context.Context, b *bench) {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	l := b.begin(ctx)
	l.put(ctx, b.messages(0)...)
	if l.tryPut(gone, b.messages(1, 2)...) == nil {
		l.flush(ctx)
		b.safe("after a Put that returned nil", 0, 1, 2)
	}
	l.fail(ctx)
	l.stop(ctx)
	l = b.begin(ctx)
	l.put(ctx, b.messages(1, 2, 3)...)
	l.flush(ctx)
	b.safe("after the batch was put again", 0, 1, 2, 3)
}

func checkSlowTarget(ctx context.Context, b *bench) {
	l := b.begin(ctx)
	l.put(ctx, b.messages(0)...)
	l.flush(ctx)
	release := b.sink.Block()
	released := false
	free := func() {
		if !released {
			released = true
			release()
		}
	}
	defer free() // also when the check ends here
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	err := l.tryPut(short, b.messages(1, 2)...)
	if err == nil {
		err = l.tryFlush(short)
	}
	cancel()
	if err == nil {
		fail("Put, and Flush if there is one, return nil while the target takes nothing")
	}
	l.fail(ctx)
	l.stop(ctx)
	free()
	l = b.begin(ctx)
	l.put(ctx, b.messages(1, 2)...)
	l.flush(ctx)
	b.safe("after the target was free again", 0, 1, 2)
}
