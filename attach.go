package omconnect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/drivers/embedded"
	"github.com/omconnect/omconnect/oms"
)

// brokerFlags name the broker that a command works on, as those of run do.
type brokerFlags struct {
	Broker string `env:"OMCONNECT_BROKER" placeholder:"AP" help:"Access point of the broker, or a name under brokers of the configuration; the gateway's own by default."`
	Data   string `env:"OMCONNECT_DATA" placeholder:"DIR" help:"Data folder of the gateway whose embedded broker is meant; ./data by default."`
	Config string `short:"c" placeholder:"FILE" help:"Configuration, such as gateway.yaml."`
}

// brokerAnswers is how long a command waits for a broker to answer at all.
const brokerAnswers = 10 * time.Second

// attach returns a client of the broker, which has answered. The caller closes
// it.
func (f *brokerFlags) attach(ctx context.Context, plugins *connect.Plugins) (*oms.Client, error) {
	s, err := loadSettings(gatewayFlags{Broker: f.Broker, Data: f.Data}, f.Config, plugins)
	if err != nil {
		return nil, err
	}
	text := s.brokers[connect.DefaultBroker]
	ap, err := oms.ParseAccessPoint(text)
	if err != nil {
		return nil, usageError{err}
	}
	if ap.Driver == embeddedName {
		return attachEmbedded(ctx, ap)
	}
	c, err := oms.Open(ctx, text)
	if err != nil {
		return nil, usageError{err}
	}
	if err := answers(ctx, c); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// attachEmbedded reaches the embedded broker of a folder: the one that runs
// there in another process, else it runs here for as long as it is needed. A
// broker that is just starting holds the folder and has no endpoint yet.
func attachEmbedded(ctx context.Context, ap oms.AccessPoint) (*oms.Client, error) {
	for deadline := time.Now().Add(brokerAnswers); ; {
		c, err := tryEmbedded(ctx, ap)
		if !errors.Is(err, oms.ErrHeld) || time.Now().After(deadline) {
			return c, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func tryEmbedded(ctx context.Context, ap oms.AccessPoint) (*oms.Client, error) {
	dir := ap.Options["dir"]
	if there, err := embedded.Endpoint(dir); err == nil {
		c, err := oms.Open(ctx, there)
		if err != nil {
			return nil, err
		}
		if err = answers(ctx, c); err == nil {
			return c, nil
		}
		_ = c.Close(context.WithoutCancel(ctx)) // nothing was sent
		if ctx.Err() != nil {
			return nil, err
		}
		// The process was killed and left its endpoint behind, or it is about
		// to end.
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, badUsage("there is no embedded broker in %s; name the data folder of its gateway with --data, or another broker with --broker", dir)
	}
	c, err := oms.Open(ctx, ap.Reveal())
	if err != nil {
		return nil, usageError{err}
	}
	if err := answers(ctx, c); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// answers makes one round trip to the broker.
func answers(ctx context.Context, c *oms.Client) error {
	bounded, cancel := context.WithTimeout(ctx, brokerAnswers)
	defer cancel()
	err := c.Check(bounded)
	if err == nil || ctx.Err() != nil {
		return unlessStopped(ctx, err)
	}
	return fmt.Errorf("the broker at %s does not answer: %w", c.AccessPoint(), err)
}

// detach closes the client of a command that has ended.
func detach(ctx context.Context, c *oms.Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), brokerPatience)
	defer cancel()
	return c.Close(ctx)
}
