package rocketmq_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// The keys of the tests' user.
const (
	accessKey = "omconnect-key"
	secretKey = "omconnect-secret"
)

// A broker is a real RocketMQ with users, its name server and its broker
// behind a proxy each.
type broker struct {
	*servers.Server
	names, data *omstest.Proxy

	mu sync.Mutex // held while the users are written
}

func startBroker(t *testing.T, opts ...servers.Option) *broker {
	t.Helper()
	// The locks of a group whose members were all killed last for a minute.
	locks := servers.JVM("-Drocketmq.broker.rebalance.lockMaxLiveTime=20000")
	opts = append(opts, servers.User(accessKey, secretKey), locks)
	// A machine that is busy makes senders wait: by default messages are refused
	// after 200 ms, and verdicts forgotten after 3 s.
	for _, key := range []string{"waitTimeMillsInSendQueue", "waitTimeMillsInTransactionQueue", "osPageCacheBusyTimeOutMills"} {
		opts = append(opts, servers.Config(key, "30000"))
	}
	b := &broker{Server: servers.RocketMQ(t, opts...)}
	b.data = proxyTo(t, b.AddrOf(servers.Broker))
	b.names = proxyTo(t, startNames(t, b.Addr(), b.AddrOf(servers.Broker), b.data.Addr()))
	return b
}

func proxyTo(t *testing.T, address string) *omstest.Proxy {
	t.Helper()
	p, err := omstest.NewProxy(address)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// point is an access point behind the proxies.
func (b *broker) point(user, rest string) string {
	return "oms:rocketmq://" + user + "@" + b.names.Addr() + "/" + rest
}

// open returns a connection of the driver as the tests' user.
func (b *broker) open(t *testing.T, rest string) oms.Conn {
	t.Helper()
	return openAt(t, parse(t, b.point(accessKey+":"+secretKey, rest)))
}

// admit makes the broker know another user, who may do what the rest says. It
// looks at the file every few seconds.
func (b *broker) admit(user, secret, rest string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	file := filepath.Join(b.Dir(), "conf", "plain_acl.yml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, fmt.Appendf(text, "  - accessKey: %q\n    secretKey: %q\n%s", user, secret, rest), 0o600)
}

const everything = "    admin: true\n"

func (b *broker) eachProxy(f func(*omstest.Proxy)) error {
	f(b.names)
	f(b.data)
	return nil
}

// startNames passes connections on to a name server, and puts another address
// for the broker's own into its answers: a broker tells clients where it is.
func startNames(t *testing.T, target, own, other string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		stop()
		must(t, l.Close())
		running.Wait()
	})
	serve := func(client net.Conn) {
		server, err := new(net.Dialer).DialContext(ctx, "tcp", target)
		if err != nil {
			_ = client.Close() // its end is how the client learns it
			return
		}
		end := sync.OnceFunc(func() { _, _ = client.Close(), server.Close() })
		defer context.AfterFunc(ctx, end)()
		running.Go(func() { defer end(); _, _ = io.Copy(server, client) })
		defer end()
		_ = exchange(client, server, []byte(own), []byte(other))
	}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { serve(c) })
		}
	})
	return l.Addr().String()
}

// exchange copies frames and replaces an address in their bodies.
func exchange(to io.Writer, from io.Reader, own, other []byte) error {
	for {
		var length uint32
		if err := binary.Read(from, binary.BigEndian, &length); err != nil {
			return err
		}
		if length > 1<<20 {
			return errors.New("that is no answer of a name server")
		}
		frame := make([]byte, length)
		if _, err := io.ReadFull(from, frame); err != nil {
			return err
		}
		frame = bytes.ReplaceAll(frame, own, other)
		if _, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			return err
		}
	}
}
