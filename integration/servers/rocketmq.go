package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A rocketmq is a name server and one broker, the master of its name.
type rocketmq struct{ java, jars string }

// StartRocketMQ starts a RocketMQ name server and a broker, with their data and
// logs in dir, and returns when the name server knows the broker. Topics are not
// created by use, groups are. The broker's port for replicas takes connections
// from other machines too: it has no setting for that.
func StartRocketMQ(ctx context.Context, dir string, opts ...Option) (*Server, error) {
	bin, err := java()
	if err != nil {
		return nil, err
	}
	folder, err := jars(rocketmqPOM)
	if err != nil {
		return nil, err
	}
	return start(ctx, rocketmq{bin, folder}, dir, opts)
}

// ports are: name server, the broker's for VIP clients (its own less 2), one
// that stays free, the broker's own, and the one for replicas.
func (rocketmq) ports() int { return 5 }

func (rocketmq) addr(s *Server, part Part) string {
	switch part {
	case "":
		return s.port(0)
	case Broker:
		return s.port(3)
	default:
		return ""
	}
}

func (rocketmq) prepare(_ context.Context, s *Server) error {
	names := lines{
		{"listenPort", strconv.Itoa(s.first)},
		{"bindAddress", "127.0.0.1"},
	}
	broker := lines{
		{"brokerClusterName", "omconnect"},
		{"brokerName", "broker-a"},
		{"brokerId", "0"},
		{"brokerIP1", "127.0.0.1"},
		{"brokerIP2", "127.0.0.1"},
		{"bindAddress", "127.0.0.1"},
		{"listenPort", strconv.Itoa(s.first + 3)},
		{"haListenPort", strconv.Itoa(s.first + 4)},
		{"namesrvAddr", s.port(0)},
		{"storePathRootDir", s.file("data")},
		{"storePathCommitLog", s.file("data/commitlog")},
		{"mappedFileSizeCommitLog", "33554432"},
		{"autoCreateTopicEnable", "false"},
		{"diskMaxUsedSpaceRatio", "95"},
		// A machine on which others run is no reason to refuse what waits 0.2 s.
		{"waitTimeMillsInSendQueue", "30000"},
	}
	if err := os.MkdirAll(s.file("conf"), 0o750); err != nil {
		return err
	}
	problems := []error{}
	if len(s.opts.users) > 0 {
		broker = append(broker, lines{{"aclEnable", "true"}}...)
		accounts := []byte("globalWhiteRemoteAddresses: []\naccounts:\n")
		for _, u := range s.opts.users {
			accounts = fmt.Appendf(accounts, "  - accessKey: %q\n    secretKey: %q\n    admin: true\n", u.name, u.password)
		}
		problems = append(problems, s.write("conf/plain_acl.yml", accounts))
	}
	if c := s.opts.tls; c != nil {
		tls := lines{
			{"tls.test.mode.enable", "false"},
			{"tls.server.need.client.auth", map[bool]string{false: "none", true: "require"}[s.opts.clientCerts]},
			{"tls.server.keyPath", c.ServerKey},
			{"tls.server.certPath", c.Server},
			{"tls.server.authClient", strconv.FormatBool(s.opts.clientCerts)},
			{"tls.server.trustCertPath", c.CA},
			{"tls.client.keyPath", c.ClientKey},
			{"tls.client.certPath", c.Client},
			{"tls.client.authServer", "true"},
			{"tls.client.trustCertPath", c.CA},
		}
		problems = append(problems, s.write("tls.properties", tls.text("=")))
	}
	return errors.Join(append(problems,
		s.write("namesrv.properties", names.text("=")),
		s.write("broker.properties", broker.with(s.opts.config).text("=")),
	)...)
}

func (k rocketmq) programs(s *Server) []program {
	return []program{
		{
			name: "namesrv", path: k.java, env: []string{"ROCKETMQ_HOME=" + s.dir},
			args: append(k.arguments(s), "-Xmx128m",
				"org.apache.rocketmq.namesrv.NamesrvStartup", "-c", s.file("namesrv.properties")),
			ready: func(ctx context.Context, _ int, said string) error {
				if !strings.Contains(said, "boot success") {
					return errNotYet
				}
				return listens(ctx, s.Addr())
			},
		},
		{
			name: "broker", path: k.java, env: []string{"ROCKETMQ_HOME=" + s.dir},
			args: append(append(k.arguments(s), s.opts.jvm...),
				"org.apache.rocketmq.broker.BrokerStartup", "-c", s.file("broker.properties")),
			ready: func(ctx context.Context, _ int, said string) error {
				if !strings.Contains(said, "boot success") {
					return errNotYet
				}
				return s.listsBroker(ctx)
			},
		},
	}
}

func (k rocketmq) arguments(s *Server) []string {
	args := append(jvm(k.jars),
		"--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
		"--add-opens=java.base/java.nio=ALL-UNNAMED",
		"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
		"-XX:MaxDirectMemorySize=512m",
		"-Duser.home="+s.dir,
		// A disk that is nearly full is no reason to refuse a test's messages.
		"-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
		"-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.98",
	)
	if s.opts.tls != nil {
		args = append(args, "-Dtls.enable=true", "-Dtls.server.mode=enforcing", "-Dtls.config.file="+s.file("tls.properties"))
	}
	return args
}

// listsBroker returns nil once the name server knows our broker.
func (s *Server) listsBroker(ctx context.Context) error {
	list, err := askRocketMQ(ctx, s.Addr(), s.opts.tls, getClusterInfo, nil, "")
	if err != nil {
		return err
	}
	if !strings.Contains(list, strconv.Quote(s.AddrOf(Broker))) {
		return fmt.Errorf("the name server does not know the broker yet, but %s", list)
	}
	return nil
}
