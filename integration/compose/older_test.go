package compose

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// olderKnows are the keys that docker-compose 1.29 takes, of those that we have
// a use for.
var olderKnows = map[string][]string{
	"": {"services", "volumes"},
	"service": {
		"build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "hostname", "image", "ports",
		"read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "user", "volumes",
	},
	"healthcheck": {"interval", "retries", "start_period", "test", "timeout"},
	"depends_on":  {"condition"},
}

// olderRefuses returns what docker-compose 1.29 would not take of a file, or
// take for something else.
func olderRefuses(file string) (problems []string) {
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(file), &doc); err != nil {
		return []string{err.Error()}
	}
	check := func(where, kind string, has map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(has)) {
			if !slices.Contains(olderKnows[kind], key) {
				problems = append(problems, where+key)
			}
		}
	}
	below := func(v any) map[string]any { m, _ := v.(map[string]any); return m }
	check("", "", doc)
	for name, s := range below(doc["services"]) {
		check(name+".", "service", below(s))
		check(name+".healthcheck.", "healthcheck", below(below(s)["healthcheck"]))
		for other, how := range below(below(s)["depends_on"]) {
			check(name+".depends_on."+other+".", "depends_on", below(how))
		}
		for _, key := range []string{"command", "environment"} {
			if text := fmt.Sprint(below(s)[key]); strings.Contains(text, "${") && strings.Contains(text, ":?") {
				problems = append(problems, name+"."+key+" has a variable that must be set")
			}
		}
	}
	return problems
}

func TestOlderComposeReadsTheFile(t *testing.T) {
	t.Parallel()
	for _, problem := range olderRefuses(text(t, "docker-compose.yml")) {
		t.Errorf("docker-compose 1.29 does not know %s", problem)
	}
}

func TestWhatOlderComposeDoesNotKnowIsFound(t *testing.T) {
	t.Parallel()
	good := text(t, "docker-compose.yml")
	for want, change := range map[string][2]string{
		"name":                                  {"\nservices:", "\nname: omconnect\nservices:"},
		"configs":                               {"\nvolumes:\n", "\nconfigs: {}\nvolumes:\n"},
		"gateway.depends_on.redis.restart":      {"redis: {condition: service_healthy}", "redis: {condition: service_healthy, restart: true}"},
		"gateway.depends_on.redis.required":     {"redis: {condition: service_healthy}", "redis: {condition: service_healthy, required: false}"},
		"gateway.healthcheck.start_interval":    {"test: [CMD, omconnect, health]", "test: [CMD, omconnect, health]\n      start_interval: 1s"},
		"gateway.develop":                       {"    command: [run]", "    command: [run]\n    develop: {}"},
		"gateway.environment has a variable th": {":-oms:kafka://kafka:19092/}", ":?say which}"},
	} {
		changed := strings.Replace(good, change[0], change[1], 1)
		got := olderRefuses(changed)
		if changed == good || len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
}
