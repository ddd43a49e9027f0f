package servers

import "context"

var (
	AskRocketMQ  = askRocketMQ
	ErrPortTaken = errPortTaken
	KafkaPOM     = kafkaPOM
)

// LaunchOn starts another server of the same kind and options on the ports of s.
func LaunchOn(ctx context.Context, s *Server, dir string) error {
	other := &Server{kind: s.kind, dir: dir, first: s.first, opts: s.opts}
	defer other.Kill()
	if err := other.kind.prepare(ctx, other); err != nil {
		return err
	}
	return other.launch(ctx)
}
