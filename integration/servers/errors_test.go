package servers_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
)

type starter = func(context.Context, string, ...servers.Option) (*servers.Server, error)

var starters = map[string]starter{
	"kafka": servers.StartKafka, "rabbitmq": servers.StartRabbitMQ,
	"rocketmq": servers.StartRocketMQ, "redis": servers.StartRedis,
}

// TestServerThatCannotStartSaysWhy: the error has what the program said about
// its configuration.
func TestServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ key, value, want string }{
		"kafka":    {"num.io.threads", "none", "num.io.threads"},
		"rabbitmq": {"no_such_option", "1", "no_such_option"},
		"rocketmq": {"namesrvAddr", "nonsense", "nonsense"},
		"redis":    {"no-such-option", "1", "no-such-option"},
	} {
		s, err := starters[name](t.Context(), t.TempDir(), servers.Config(tc.key, tc.value))
		if err == nil {
			s.Kill()
			t.Errorf("%s: started with %s=%s", name, tc.key, tc.value)
			continue
		}
		if !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), "broker") || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want what it says about %s", name, err, tc.want)
		}
	}
}

func TestStartNeedsItsFolder(t *testing.T) {
	for name, start := range starters {
		if _, err := start(t.Context(), t.TempDir()+"/missing"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v, want that the folder does not exist", name, err)
		}
	}
}

func TestStartIsBoundedByItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, start := range starters {
		if _, err := start(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that the context has ended", name, err)
		}
	}
}

func TestMissingProgramSaysHowToInstallIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	for name, want := range map[string]string{
		"kafka": "default-jre-headless", "rocketmq": "default-jre-headless",
		"rabbitmq": "apt-get install", "redis": "redis-server",
	} {
		_, err := starters[name](t.Context(), t.TempDir())
		if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want that it names %s", name, err, want)
		}
	}
}

func TestMissingJarsSayHowToGetThem(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(servers.JarsEnv, cache)
	for _, name := range []string{"kafka", "rocketmq"} {
		_, err := starters[name](t.Context(), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), cache) || !strings.Contains(err.Error(), "make setup") {
			t.Errorf("%s: got %v, want the folder and what to run", name, err)
		}
	}
}

// TestOutdatedJarsAreNotTaken: the folder has the version's name, but was filled
// from another list of jars.
func TestOutdatedJarsAreNotTaken(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(servers.JarsEnv, cache)
	_, err := servers.StartKafka(t.Context(), t.TempDir())
	if err == nil {
		t.Fatal("started without jars")
	}
	_, after, _ := strings.Cut(err.Error(), cache)
	folder := filepath.Join(cache, strings.SplitN(after, ":", 2)[0])
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "pom.xml"), []byte("<project/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := servers.StartKafka(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("got %v, want that the jars are not in %s", err, folder)
	}
}

func TestUsersAreRefusedThatAConfigurationCouldMisread(t *testing.T) {
	for _, u := range [][2]string{{"", "secret"}, {"alice", ""}, {"alice", `a"b`}, {"al ice", "secret"}, {"alice", "a\nb"}} {
		for name, start := range starters {
			_, err := start(t.Context(), t.TempDir(), servers.User(u[0], u[1]))
			if err == nil || !strings.Contains(err.Error(), "letters") {
				t.Errorf("%s with user %q: got %v, want what a user may be", name, u, err)
			}
			if err != nil && u[1] == `a"b` && strings.Contains(err.Error(), u[1]) {
				t.Errorf("%s: the error %q has the password", name, err)
			}
		}
	}
}

func TestAddressesComeFromTheEnvironment(t *testing.T) {
	for env, addr := range map[string]func(testing.TB) string{
		servers.KafkaEnv: servers.KafkaAddr, servers.RabbitMQEnv: servers.RabbitMQAddr, servers.RocketMQEnv: servers.RocketMQAddr,
	} {
		t.Setenv(env, "broker.example:1234")
		if got := addr(t); got != "broker.example:1234" {
			t.Errorf("%s: got %q, want what the environment says", env, got)
		}
	}
}
