package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// A sample is what one side measured in one process.
type sample struct {
	Records int           // moved
	Took    time.Duration // for all of them
	CPU     time.Duration // user and system
	Peak    int64         // bytes of resident memory, at most, since the process began
}

// rate is in records a second.
func (s sample) rate() float64 { return float64(s.Records) / s.Took.Seconds() }

// micros is the CPU time of one record, in microseconds.
func (s sample) micros() float64 { return float64(s.CPU.Microseconds()) / float64(s.Records) }

// A task is what one process is to do, given to it as its argument.
type task struct {
	Client     string // one of clients
	Step       string // publish or receive
	Topic      string // new, and its group is, too
	Dir        string // of a broker in the process; what publish left there is received
	Addr       string // of a broker that is a server
	Node       string // of RocketMQ's broker, where Addr is the name server's
	Records    int
	Partitions int
	Sync       time.Duration // how often the broker syncs its files
	Profile    string        // file for a CPU profile; "" for none
}

// sideCommand is the argument that makes this program one side.
const sideCommand = "side"

// The steps of a task.
const (
	publish = "publish"
	receive = "receive"
)

// The clients that are compared.
const (
	clientOMS   = "oms"
	clientBare  = "bare"
	clientNoIDs = "bare-without-ids"

	clientKafka        = "kafka" // ours are called as their drivers
	clientRabbitMQ     = "rabbitmq"
	clientRocketMQ     = "rocketmq"
	clientKafkaBare    = "sarama"
	clientRabbitMQBare = "amqp091-go"
	clientRocketMQBare = "rocketmq-client-go"
)

// clients says how each client does its steps.
var clients = map[string]map[string]func(context.Context, task, *stopwatch) error{
	clientOMS:   {publish: omsPublish, receive: omsReceive},
	clientBare:  {publish: barePublish, receive: bareReceive},
	clientNoIDs: {publish: barePublish},

	clientKafka:        {publish: omsPublish, receive: omsReceive},
	clientRabbitMQ:     {publish: omsPublish, receive: omsReceive},
	clientRocketMQ:     {publish: omsPublish, receive: omsReceive},
	clientKafkaBare:    {publish: saramaPublish, receive: saramaReceive},
	clientRabbitMQBare: {publish: amqpPublish, receive: amqpReceive},
	clientRocketMQBare: {publish: rocketmqPublish, receive: rocketmqReceive},
}

// runTask does a task in a process of its own: neither the garbage nor the
// memory of one side is the other's.
func (b *bench) runTask(ctx context.Context, t task) (sample, error) {
	t.Sync = b.sync
	if b.profiles != "" {
		t.Profile = filepath.Join(b.profiles, fmt.Sprintf("%s-%s-%d.prof", t.Client, t.Step, t.Partitions))
	}
	arg, err := json.Marshal(t)
	if err != nil {
		return sample{}, err
	}
	cmd := exec.CommandContext(ctx, b.self, sideCommand, string(arg)) //nolint:gosec // this program
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("%s by %s: %w", t.Step, t.Client, err)
	}
	var s sample
	if err := json.Unmarshal(out, &s); err != nil {
		return sample{}, fmt.Errorf("%s by %s answered %.200q: %w", t.Step, t.Client, out, err)
	}
	return s, nil
}

// side is the process of one side: it does the task and writes the sample.
func side(ctx context.Context, arg string, out io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(arg), &t); err != nil {
		return err
	}
	do := clients[t.Client][t.Step]
	if do == nil {
		return fmt.Errorf("%s by %s: there is no such side", t.Step, t.Client)
	}
	w := &stopwatch{profile: t.Profile}
	if err := do(ctx, t, w); err != nil {
		return err
	}
	s, err := w.sample(t.Records)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

// A stopwatch measures the part of a task that counts: starting a broker and
// closing it are left out.
type stopwatch struct {
	profile string
	file    *os.File
	from    time.Time
	fromCPU time.Duration
	took    time.Duration
	cpu     time.Duration
}

// begin starts it unless it runs.
func (w *stopwatch) begin() error {
	if !w.from.IsZero() {
		return nil
	}
	return w.start()
}

func (w *stopwatch) start() (err error) {
	if w.profile != "" {
		if w.file, err = os.Create(w.profile); err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(w.file); err != nil {
			return err
		}
	}
	w.from = time.Now()
	w.fromCPU, err = ownCPU()
	return err
}

func (w *stopwatch) stop() error {
	w.took = time.Since(w.from)
	now, err := ownCPU()
	w.cpu = now - w.fromCPU
	if w.file != nil {
		pprof.StopCPUProfile()
		return errors.Join(err, w.file.Close())
	}
	return err
}

func (w *stopwatch) sample(records int) (sample, error) {
	m, err := memoryOf(os.Getpid())
	return sample{Records: records, Took: w.took, CPU: w.cpu, Peak: m.peak}, err
}
