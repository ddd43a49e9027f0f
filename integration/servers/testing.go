package servers

import (
	"context"
	"net"
	"os"
	"testing"
)

// The environment variables that name brokers for tests, each as host:port.
// "make brokers" prints them.
const (
	KafkaEnv    = "OMCONNECT_TEST_KAFKA"
	RabbitMQEnv = "OMCONNECT_TEST_RABBITMQ"
	RocketMQEnv = "OMCONNECT_TEST_ROCKETMQ" // the name server's
)

// Kafka returns a Kafka that belongs to this test alone and ends with it. See
// [StartKafka].
func Kafka(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return ofTest(tb, StartKafka, opts)
}

// RabbitMQ returns a RabbitMQ that belongs to this test alone and ends with it.
// See [StartRabbitMQ].
func RabbitMQ(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return ofTest(tb, StartRabbitMQ, opts)
}

// RocketMQ returns a RocketMQ that belongs to this test alone and ends with it.
// See [StartRocketMQ].
func RocketMQ(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return ofTest(tb, StartRocketMQ, opts)
}

// Redis returns a Redis that belongs to this test alone and ends with it. See
// [StartRedis].
func Redis(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return ofTest(tb, StartRedis, opts)
}

// KafkaAddr returns the address of a Kafka: the one that [KafkaEnv] names, or
// else one started for this test. Others may use the same: a test keeps to topics
// and groups of its own, and does the broker no harm.
func KafkaAddr(tb testing.TB) string {
	tb.Helper()
	return shared(tb, KafkaEnv, Kafka)
}

// RabbitMQAddr is [KafkaAddr] for a RabbitMQ with the user guest.
func RabbitMQAddr(tb testing.TB) string {
	tb.Helper()
	return shared(tb, RabbitMQEnv, RabbitMQ)
}

// RocketMQAddr is [KafkaAddr] for the name server of a RocketMQ.
func RocketMQAddr(tb testing.TB) string {
	tb.Helper()
	return shared(tb, RocketMQEnv, RocketMQ)
}

func ofTest(tb testing.TB, start func(context.Context, string, ...Option) (*Server, error), opts []Option) *Server {
	tb.Helper()
	s, err := start(tb.Context(), tb.TempDir(), opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(s.Log())
		}
		if err := s.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func shared(tb testing.TB, env string, start func(testing.TB, ...Option) *Server) string {
	tb.Helper()
	addr := os.Getenv(env)
	if addr == "" {
		return start(tb).Addr()
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		tb.Fatalf("%s=%s: want host:port, such as 127.0.0.1:9092; make brokers prints one", env, addr)
	}
	return addr
}
