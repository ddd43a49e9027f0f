package servers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/omconnect/omconnect/integration/internal/process"
)

// A kafka is one node that is broker and controller. Its clients' listener is
// of the kind that the options ask for; another one, plain, is for the broker
// itself and for tests that look behind it.
type kafka struct{ java, jars string }

// StartKafka starts a Kafka with one broker, with its data and its log in dir,
// and returns when it takes clients. Topics are not created by use. A new folder
// is a new cluster, with an id of its own.
func StartKafka(ctx context.Context, dir string, opts ...Option) (*Server, error) {
	bin, err := java()
	if err != nil {
		return nil, err
	}
	folder, err := jars(kafkaPOM)
	if err != nil {
		return nil, err
	}
	return start(ctx, kafka{bin, folder}, dir, opts)
}

// KafkaTool returns a command that runs one of Kafka's own programs, by the name
// of its class, such as org.apache.kafka.tools.ConsoleProducer. It ends with the
// process that starts it.
func KafkaTool(ctx context.Context, class string, args ...string) (*exec.Cmd, error) {
	bin, err := java()
	if err != nil {
		return nil, err
	}
	folder, err := jars(kafkaPOM)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, bin, append(append(jvm(folder), class), args...)...) //nolint:gosec // a program of Kafka's
	cmd.SysProcAttr = process.Tied()
	return cmd, nil
}

func (kafka) ports() int { return 3 } // clients, plain, controller

func (kafka) addr(s *Server, part Part) string {
	switch part {
	case "":
		return s.port(0)
	case Plain:
		return s.port(1)
	default:
		return ""
	}
}

func (k kafka) prepare(ctx context.Context, s *Server) error {
	if err := s.write("server.properties", k.properties(s).with(s.opts.config).text("=")); err != nil {
		return err
	}
	if err := s.write("log4j2.properties", []byte(kafkaLogging)); err != nil {
		return err
	}
	if _, err := os.Stat(s.file("data/meta.properties")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return k.format(ctx, s)
}

func (kafka) properties(s *Server) lines {
	protocol := map[bool]string{false: "PLAINTEXT", true: "SSL"}[s.opts.tls != nil]
	if len(s.opts.users) > 0 {
		protocol = map[bool]string{false: "SASL_PLAINTEXT", true: "SASL_SSL"}[s.opts.tls != nil]
	}
	p := lines{
		{"process.roles", "broker,controller"},
		{"node.id", "1"},
		{"controller.quorum.voters", "1@" + s.port(2)},
		{"listeners", "CLIENT://" + s.port(0) + ",INTERNAL://" + s.port(1) + ",CONTROLLER://" + s.port(2)},
		{"advertised.listeners", "CLIENT://" + s.port(0) + ",INTERNAL://" + s.port(1)},
		{"controller.listener.names", "CONTROLLER"},
		{"inter.broker.listener.name", "INTERNAL"},
		{"listener.security.protocol.map", "CLIENT:" + protocol + ",INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"},
		{"log.dirs", s.file("data")},
		{"auto.create.topics.enable", "false"},
		{"offsets.topic.replication.factor", "1"},
		{"offsets.topic.num.partitions", "3"},
		{"transaction.state.log.replication.factor", "1"},
		{"transaction.state.log.min.isr", "1"},
		{"transaction.state.log.num.partitions", "3"},
		{"share.coordinator.state.topic.replication.factor", "1"},
		{"share.coordinator.state.topic.min.isr", "1"},
		{"group.initial.rebalance.delay.ms", "0"},
		{"num.network.threads", "2"},
		{"num.io.threads", "4"},
		{"background.threads", "2"},
		{"log.cleaner.dedupe.buffer.size", "4194304"}, // by default half of the heap
	}
	if c := s.opts.tls; c != nil {
		clients := "none"
		if s.opts.clientCerts {
			clients = "required"
		}
		p = append(p, lines{
			{"listener.name.client.ssl.keystore.type", "PEM"},
			{"listener.name.client.ssl.keystore.location", c.serverPair},
			{"listener.name.client.ssl.truststore.type", "PEM"},
			{"listener.name.client.ssl.truststore.location", c.CA},
			{"listener.name.client.ssl.client.auth", clients},
		}...)
	}
	if len(s.opts.users) > 0 {
		plain := []string{"org.apache.kafka.common.security.plain.PlainLoginModule required"}
		for _, u := range s.opts.users {
			plain = append(plain, fmt.Sprintf("user_%s=%q", u.name, u.password))
		}
		const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		p = append(p, lines{
			{"listener.name.client.sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"},
			{"listener.name.client.plain.sasl.jaas.config", strings.Join(plain, " ") + ";"},
			{"listener.name.client.scram-sha-256.sasl.jaas.config", scram},
			{"listener.name.client.scram-sha-512.sasl.jaas.config", scram},
		}...)
	}
	return p
}

const kafkaLogging = `rootLogger.level = INFO
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
`

// format makes the data folder of a new cluster. The users of SCRAM stand in
// the cluster's metadata from the start.
func (k kafka) format(ctx context.Context, s *Server) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	args := append(k.arguments(s), "kafka.tools.StorageTool", "format",
		"--cluster-id", clusterID(), "--config", s.file("server.properties"))
	for _, u := range s.opts.users {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, u.name, u.password))
		}
	}
	cmd := exec.CommandContext(ctx, k.java, args...) //nolint:gosec // a server's own command
	cmd.Dir, cmd.SysProcAttr = s.dir, process.Tied()
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("formatting the storage of kafka: %w; it says:\n%s", err, lastLines(string(said)))
	}
	return nil
}

// clusterID returns 16 random bytes as Kafka writes them.
func clusterID() string {
	for {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		if text := base64.RawURLEncoding.EncodeToString(id[:]); !strings.HasPrefix(text, "-") {
			return text
		}
	}
}

func (k kafka) arguments(s *Server) []string {
	args := append(jvm(k.jars), "-Dlog4j2.configurationFile="+s.file("log4j2.properties"))
	return append(args, s.opts.jvm...)
}

func (k kafka) programs(s *Server) []program {
	return []program{{
		name: "kafka", path: k.java,
		args: append(k.arguments(s), "kafka.Kafka", s.file("server.properties")),
		ready: func(ctx context.Context, _ int, said string) error {
			if !strings.Contains(said, "Kafka Server started") {
				return errNotYet
			}
			return listens(ctx, s.Addr())
		},
	}}
}
