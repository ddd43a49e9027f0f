package compose

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../../"

// load returns the project as Compose understands it, with those variables set.
func load(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  root,
		ConfigFiles: []types.ConfigFile{{Filename: root + "docker-compose.yml"}},
		Environment: types.NewMapping(environment),
	}, func(o *loader.Options) { o.SetProjectName("omconnect", true) })
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func service(t *testing.T, project *types.Project, name string) types.ServiceConfig {
	t.Helper()
	s, err := project.GetService(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(root + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// value returns what a variable of a service is set to, "" if it is not.
func value(s types.ServiceConfig, name string) string {
	if v := s.Environment[name]; v != nil {
		return *v
	}
	return ""
}

func TestTheServicesAreThere(t *testing.T) {
	t.Parallel()
	want := []string{"gateway", "kafka", "rabbitmq", "redis", "rocketmq-broker", "rocketmq-namesrv", "rocketmq-proxy"}
	if got := load(t).ServiceNames(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEveryServiceIsPinnedWatchedAndKept(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`:\d+\.\d`)
	for name, s := range load(t).Services {
		if s.Build == nil && !version.MatchString(s.Image) {
			t.Errorf("%s: image %q has no version", name, s.Image)
		}
		if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 {
			t.Errorf("%s has no health check", name)
		} else if h := s.HealthCheck; h.Interval == nil || h.Timeout == nil || h.Retries == nil || *h.Retries < 5 {
			t.Errorf("%s: its health check is impatient or leaves it to the engine: %+v", name, h)
		}
		if s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) < 30*time.Second {
			t.Errorf("%s is killed after %v: the engine's 10 s are too short to write what there is", name, s.StopGracePeriod)
		}
		stateless := []string{"rocketmq-namesrv", "rocketmq-proxy"}
		if named := slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Type == types.VolumeTypeVolume && v.Source != "" }); !named && !slices.Contains(stateless, name) {
			t.Errorf("%s has no named volume: its data are gone with the container", name)
		}
	}
}

func TestEverythingIsPublishedOnThisMachineOnly(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, s := range load(t).Services {
		if s.NetworkMode != "" || s.Privileged {
			t.Errorf("%s goes past the engine's network: %q, %t", name, s.NetworkMode, s.Privileged)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q, want 127.0.0.1", name, port.Published, port.HostIP)
			}
			if port.Published != strconv.FormatUint(uint64(port.Target), 10) {
				t.Errorf("%s: %d is published as %s: documentation names one port for both", name, port.Target, port.Published)
			}
			if other, twice := seen[port.Published]; twice {
				t.Errorf("%s and %s publish %s", name, other, port.Published)
			}
			seen[port.Published] = name
		}
	}
}

// TestVariablesHaveDefaults: Compose would put nothing in the place of a
// variable that is not set, and only warn.
func TestVariablesHaveDefaults(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`\$\{?\w+[^}]*\}?`).FindAllString(withoutComments(text(t, "docker-compose.yml")), -1)
	for _, reference := range found {
		if !regexp.MustCompile(`^\$\{GATEWAY_[A-Z]+:-.+\}$`).MatchString(reference) {
			t.Errorf("%s: want ${GATEWAY_…:-default}; names that the gateway itself reads may be set for another one", reference)
		}
	}
	if len(found) != 2 {
		t.Errorf("found %q, want the broker and the state", found)
	}
}

func TestOneVariableSwapsTheBroker(t *testing.T) {
	t.Parallel()
	const broker = "oms:rabbitmq://rabbitmq:5672/"
	gateway := service(t, load(t, "GATEWAY_BROKER="+broker), "gateway")
	if got := value(gateway, "OMCONNECT_BROKER"); got != broker {
		t.Errorf("the broker is %q, want %s", got, broker)
	}
	if got := value(gateway, "OMCONNECT_STATE"); got != "redis://redis:6379/0" {
		t.Errorf("the state is %q", got)
	}
}

func TestTheGatewayCanDoNoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	gateway := service(t, load(t), "gateway")
	if !gateway.ReadOnly || !slices.Equal(gateway.CapDrop, []string{"ALL"}) || !slices.Contains(gateway.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("got read-only %t, dropped %q, options %q", gateway.ReadOnly, gateway.CapDrop, gateway.SecurityOpt)
	}
	if got := value(gateway, "OMCONNECT_TOKENS"); got != "auto" {
		t.Errorf("OMCONNECT_TOKENS is %q: other containers reach the API", got)
	}
	if len(gateway.DependsOn) != 1 || gateway.DependsOn["redis"].Condition != types.ServiceConditionHealthy {
		t.Errorf("it depends on %v, want the store alone: it waits for its broker, of which not all need to run", gateway.DependsOn)
	}
}

// TestTheRedisKeepsWhatItSays: the gateway refuses one that evicts, and warns of
// one that writes no file.
func TestTheRedisKeepsWhatItSays(t *testing.T) {
	t.Parallel()
	command := strings.Join(service(t, load(t), "redis").Command, " ")
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction"} {
		if !strings.Contains(command, want) {
			t.Errorf("the command is %q, want %s", command, want)
		}
	}
}

func withoutComments(yaml string) string {
	return regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(yaml, "")
}
