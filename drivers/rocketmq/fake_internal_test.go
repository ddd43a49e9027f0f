package rocketmq

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake is a name server and a broker behind one port: what the driver and
// the client library need of both, in the words of the protocol.
type fake struct {
	ln      net.Listener
	serving sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	conns     map[net.Conn]string // the member that it is
	topics    map[string]*fakeTopic
	positions map[string]int64  // by group, topic and queue
	locks     map[string]string // the holder
	members   map[string]map[string]*fakeConn
	changed   chan struct{} // closed when something was stored
	sends     int
	away      bool   // the name server has lost its broker
	advertise string // the address that it gives for the broker; its own
	refuse    func(c *command) *command
	delay     func(c *command) <-chan struct{} // until it is closed there is no answer
	hold      time.Duration                    // how long a pull waits; a second

	halves     map[int64]*fakeHalf
	halfNumber int64
	producers  map[string][]*fakeConn // by group of half messages
	checkAfter time.Duration          // when a half message is asked about; 50 ms
	checks     int
}

type fakeTopic struct {
	queues [][]fakeMessage
	first  []int64
	closed bool // it was given no queues, and keeps what it has
}

func (t *fakeTopic) count() int {
	if t.closed {
		return 0
	}
	return len(t.queues)
}

type fakeMessage struct {
	properties string
	body       []byte
	at         time.Time
}

type fakeConn struct {
	net.Conn
	mu sync.Mutex
	w  *bufio.Writer
}

func (c *fakeConn) put(cmd *command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = cmd.write(c.w)
}

func startFake(t *testing.T) *fake {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{
		ln: ln, conns: make(map[net.Conn]string), topics: make(map[string]*fakeTopic), positions: make(map[string]int64),
		locks: make(map[string]string), members: make(map[string]map[string]*fakeConn), changed: make(chan struct{}), hold: time.Second,
		halves: make(map[int64]*fakeHalf), producers: make(map[string][]*fakeConn), checkAfter: 50 * time.Millisecond,
	}
	f.serving.Go(f.askHalves)
	f.serving.Go(func() { f.accept(ln) })
	t.Cleanup(func() {
		f.mu.Lock()
		f.closed = true
		close(f.changed)
		f.mu.Unlock()
		_ = ln.Close()
		f.killConnections()
		f.serving.Wait()
	})
	return f
}

func (f *fake) accept(ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.conns[nc] = ""
		if f.closed {
			_ = nc.Close()
		}
		f.mu.Unlock()
		f.serving.Go(func() { f.serve(&fakeConn{Conn: nc, w: bufio.NewWriter(nc)}) })
	}
}

// listen gives the fake another address, beside its own.
func (f *fake) listen(t *testing.T) string {
	t.Helper()
	ln := listener(t)
	f.serving.Go(func() { f.accept(ln) })
	return ln.Addr().String()
}

func (f *fake) addr() string { return f.ln.Addr().String() }

func (f *fake) killConnections() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for nc := range f.conns {
		_ = nc.Close()
	}
}

func (f *fake) serve(c *fakeConn) {
	var answering sync.WaitGroup
	defer answering.Wait()
	defer f.gone(c)
	r := bufio.NewReader(c)
	for {
		cmd, err := readCommand(r)
		if err != nil {
			return
		}
		answering.Go(func() {
			a := f.answer(c, cmd)
			a.Opaque, a.Flag, a.Language = cmd.Opaque, flagAnswer, "JAVA"
			c.put(a)
		})
	}
}

// gone forgets a member with its connection, as brokers do.
func (f *fake) gone(c *fakeConn) {
	_ = c.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c.Conn)
	f.forgetProducer(c)
	for group, members := range f.members {
		for name, at := range members {
			if at == c {
				delete(members, name)
				f.notify(group)
			}
		}
	}
}

func (f *fake) notify(group string) {
	for _, at := range f.members[group] {
		go at.put(&command{Code: reqMembersChanged, Language: "JAVA", Flag: 2, Fields: map[string]string{"consumerGroup": group}})
	}
}

func ok(fields map[string]string) *command { return &command{Fields: fields} }

func refusal(code int, remark string) *command { return &command{Code: code, Remark: remark} }

func okBody(v any) *command {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return &command{body: b}
}

func offsetField(n int64) *command { return ok(map[string]string{"offset": strconv.FormatInt(n, 10)}) }

// answer does what a request asks for.
func (f *fake) answer(c *fakeConn, cmd *command) *command {
	f.mu.Lock()
	if f.delay != nil {
		if until := f.delay(cmd); until != nil {
			f.mu.Unlock()
			<-until
			f.mu.Lock()
		}
	}
	if f.refuse != nil {
		if a := f.refuse(cmd); a != nil {
			f.mu.Unlock()
			return a
		}
	}
	if cmd.Code == reqPull {
		f.mu.Unlock()
		return f.pull(cmd)
	}
	defer f.mu.Unlock()
	fields := cmd.Fields
	topic := f.topics[fields["topic"]]
	queue, _ := strconv.Atoi(fields["queueId"])
	if cmd.Code == reqRoute && fields["topic"] == everywhere {
		return f.route(1)
	}
	if !slices.Contains([]int{reqCreateTopic, reqDeleteTopic, reqDeleteTopicInName}, cmd.Code) && fields["topic"] != "" && topic == nil {
		return refusal(resTopicNotFound, "topic "+fields["topic"]+" not exist")
	}
	switch cmd.Code {
	case reqRoute:
		return f.route(topic.count())
	case reqClusterInfo:
		return f.cluster()
	case reqTopicList:
		names := []string{"TBW102", "%RETRY%g", "fake-broker", "fake-cluster", "RMQ_SYS_TRANS_HALF_TOPIC"}
		for name := range f.topics {
			names = append(names, name)
		}
		return okBody(map[string]any{"topicList": names})
	case reqCreateTopic:
		n, _ := strconv.Atoi(fields["writeQueueNums"])
		if topic != nil && (n == 0 || topic.closed && n == len(topic.queues)) {
			topic.closed = n == 0
			return ok(nil)
		}
		f.topics[fields["topic"]] = &fakeTopic{queues: make([][]fakeMessage, n), first: make([]int64, n)}
		return ok(nil)
	case reqTopicConfig:
		return okBody(map[string]any{"topicName": fields["topic"], "readQueueNums": topic.count(), "writeQueueNums": topic.count(), "perm": 6})
	case reqDeleteTopic:
		delete(f.topics, fields["topic"])
		for key := range f.positions { // as brokers do
			if strings.Contains(key, "@"+fields["topic"]+"@") {
				delete(f.positions, key)
			}
		}
		return ok(nil)
	case reqMinOffset:
		return offsetField(topic.first[queue])
	case reqMaxOffset:
		return offsetField(topic.end(queue))
	case reqSearchOffset:
		ms, _ := strconv.ParseInt(fields["timestamp"], 10, 64)
		n := topic.first[queue]
		for _, m := range topic.queues[queue] {
			if m.at.UnixMilli() >= ms {
				break
			}
			n++
		}
		return offsetField(n)
	case reqQueryOffset:
		if n, there := f.positions[positionKey(fields)]; there {
			return offsetField(n)
		}
		if fields["setZeroIfNotFound"] != "false" {
			return offsetField(0) // as brokers do
		}
		return refusal(resQueryNotFound, "Not found")
	case reqUpdateOffset:
		f.positions[positionKey(fields)], _ = strconv.ParseInt(fields["commitOffset"], 10, 64)
		return ok(nil)
	case libSend, libSendBatch:
		return f.store(cmd)
	case libEndHalf:
		return f.endHalf(cmd)
	}
	return f.group(c, cmd)
}

func positionKey(fields map[string]string) string {
	return fields["consumerGroup"] + "@" + fields["topic"] + "@" + fields["queueId"]
}

func (t *fakeTopic) end(queue int) int64 { return t.first[queue] + int64(len(t.queues[queue])) }

// route writes the key of the map as brokers do.
func (f *fake) route(n int) *command {
	return &command{body: fmt.Appendf(nil, `{"brokerDatas":[{"brokerAddrs":{0:%q},"brokerName":"fake-broker","cluster":"fake-cluster"}],`+
		`"queueDatas":[{"brokerName":"fake-broker","perm":6,"readQueueNums":%d,"writeQueueNums":%d,"topicSysFlag":0}]}`, f.advertised(), n, n)}
}

func (f *fake) cluster() *command {
	if f.away {
		return &command{body: []byte(`{"brokerAddrTable":{},"clusterAddrTable":{}}`)}
	}
	return &command{body: fmt.Appendf(nil, `{"brokerAddrTable":{"fake-broker":{"brokerAddrs":{0:%q},"brokerName":"fake-broker","cluster":"fake-cluster"}},`+
		`"clusterAddrTable":{"fake-cluster":["fake-broker"]}}`, f.advertised())}
}

func (f *fake) advertised() string { return cmp.Or(f.advertise, f.addr()) }
