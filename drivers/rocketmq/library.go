package rocketmq

import (
	"context"
	"crypto/rand"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// A library is the client library's clients for one cluster: a producer, some
// pull consumers, and a producer for each group of half messages. They are made when they are first needed and kept until
// the process ends, whoever closes: each that is shut down leaves goroutines
// and sockets behind, and one under load may end the process.
type library struct {
	identity
	instance string
	readers  *readers
	creating chan struct{} // has a place for who makes a topic

	mu     sync.Mutex
	sender messageProducer
	halves map[string]*halfClient // by group
}

// An identity is what tells clusters and users apart for the library.
type identity struct {
	hosts     string // with commas
	accessKey string
	secretKey string
	useTLS    bool
	readers   string // the group in whose name consumers pull
}

// A messageProducer is what the driver uses of the library's producer.
type messageProducer interface {
	Start() error
	SendSync(ctx context.Context, msgs ...*primitive.Message) (*primitive.SendResult, error)
}

// libraries are those of the process.
var libraries = struct {
	mu sync.Mutex
	by map[identity]*library
}{by: make(map[identity]*library)}

// libraryOf returns the clients that all connections to a cluster share. It
// makes none.
func libraryOf(o *options) *library {
	id := identity{
		hosts: strings.Join(o.hosts, ","), accessKey: o.accessKey, secretKey: o.secretKey.Reveal(), useTLS: o.useTLS,
		readers: o.native(readerGroup),
	}
	libraries.mu.Lock()
	defer libraries.mu.Unlock()
	l := libraries.by[id]
	if l == nil {
		l = &library{identity: id, instance: memberPrefix + rand.Text()[:12], creating: make(chan struct{}, 1)}
		l.readers = newReaders(l.consumer)
		libraries.by[id] = l
	}
	return l
}

// neverATopic is what a broker is told to make a missing topic like. The
// library says TBW102 there by itself, and then brokers make topics by accident.
const neverATopic = "OMCONNECT-NEVER-A-TOPIC"

// sendBound is beyond every deadline of a caller: the producer is shared by
// connections with other values of send.timeout.ms.
const sendBound = time.Hour

// send stores the message, or the batch, in the queue that it names.
func (l *library) send(ctx context.Context, m *primitive.Message) (*primitive.SendResult, error) {
	p, err := l.producer()
	if err != nil {
		return nil, err
	}
	return p.SendSync(ctx, m)
}

func (l *library) producer() (messageProducer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sender != nil {
		return l.sender, nil
	}
	p, err := producer.NewDefaultProducer(l.producing("-sender", "omconnect-sender", producer.NewManualQueueSelector())...)
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	l.sender = p
	return p, nil
}

// producing returns the options of a producer: what tells it from others of
// this library, its group, and what gives a message its queue.
func (l *library) producing(suffix, group string, queues producer.QueueSelector) []producer.Option {
	return []producer.Option{
		ownRemoting[producer.Option](l.useTLS),
		producer.WithNsResolver(l.resolver()),
		producer.WithCredentials(l.credentials()),
		producer.WithInstanceName(l.instance + suffix),
		producer.WithGroupName(group),
		producer.WithQueueSelector(queues),
		producer.WithRetry(0),
		producer.WithSendMsgTimeout(sendBound),
		producer.WithCreateTopicKey(neverATopic),
		producer.WithDefaultTopicQueueNums(1),
		producer.WithCompressMsgBodyOverHowmuch(math.MaxInt),
	}
}

// resolver gives the name servers. The library takes host names only as URLs,
// and dials what stands behind the scheme.
func (l *library) resolver() primitive.NsResolver {
	hosts := strings.Split(l.hosts, ",")
	return primitive.NewPassthroughResolver(slices.Collect(func(yield func(string) bool) {
		for _, h := range hosts {
			if !yield("http://" + h) {
				return
			}
		}
	}))
}

func (l *library) credentials() primitive.Credentials {
	return primitive.Credentials{AccessKey: l.accessKey, SecretKey: l.secretKey}
}
