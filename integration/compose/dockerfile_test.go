package compose

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/omconnect/omconnect"
)

// An instruction is one of a Dockerfile: its word, and what follows it.
type instruction struct{ word, rest string }

// stages returns the instructions of each stage of the Dockerfile.
func stages(t *testing.T) (all [][]instruction) {
	t.Helper()
	joined := strings.ReplaceAll(text(t, "Dockerfile"), "\\\n", " ")
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			all = append(all, nil)
		}
		if len(all) == 0 {
			t.Fatalf("%q stands before the first FROM", line)
		}
		all[len(all)-1] = append(all[len(all)-1], instruction{word, strings.TrimSpace(rest)})
	}
	return all
}

// only returns what follows the one instruction of that word in a stage.
func only(t *testing.T, stage []instruction, word string) string {
	t.Helper()
	found := having(stage, word)
	if len(found) != 1 {
		t.Fatalf("a stage has %d of %s, want one", len(found), word)
	}
	return found[0]
}

func having(stage []instruction, word string) (rests []string) {
	for _, i := range stage {
		if i.word == word {
			rests = append(rests, i.rest)
		}
	}
	return rests
}

// image is the last stage, which is what runs.
func image(t *testing.T) []instruction {
	t.Helper()
	all := stages(t)
	return all[len(all)-1]
}

// environment returns what the image sets.
func environment(t *testing.T) map[string]string {
	t.Helper()
	set := map[string]string{}
	for _, line := range having(image(t), "ENV") {
		for pair := range strings.FieldsSeq(line) {
			name, value, ok := strings.Cut(pair, "=")
			if !ok {
				t.Fatalf("ENV %s: want NAME=value", line)
			}
			set[name] = value
		}
	}
	return set
}

// words reads the exec form, which needs no shell.
func words(t *testing.T, rest string) (list []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(rest), &list); err != nil {
		t.Fatalf("%s: want the form [\"program\", \"argument\"], as there is no shell: %v", rest, err)
	}
	return list
}

func TestTheImageIsTheProgramAlone(t *testing.T) {
	t.Parallel()
	if n := len(stages(t)); n != 2 {
		t.Errorf("there are %d stages, want one that builds and one that runs", n)
	}
	if from := only(t, image(t), "FROM"); from != "scratch" {
		t.Errorf("the image begins from %s, want scratch", from)
	}
	if runs := having(image(t), "RUN"); len(runs) > 0 {
		t.Errorf("an empty image can run nothing: %q", runs)
	}
	entry := words(t, only(t, image(t), "ENTRYPOINT"))
	copied := having(image(t), "COPY")
	if !slices.ContainsFunc(copied, func(c string) bool { return strings.HasSuffix(c, " /usr/local/bin/"+entry[0]) }) {
		t.Errorf("%q starts a program that is not on the PATH: %q", entry, copied)
	}
	if !slices.ContainsFunc(copied, func(c string) bool { return strings.Contains(c, "ca-certificates") }) {
		t.Errorf("the image has no certificates to check others by: %q", copied)
	}
}

func TestTheImageIsBuiltWithTheModulesGo(t *testing.T) {
	t.Parallel()
	_, version, _ := strings.Cut(text(t, "go.mod"), "\ngo ")
	version = regexp.MustCompile(`^\d+\.\d+`).FindString(version)
	if from := only(t, stages(t)[0], "FROM"); version == "" || from != "golang:"+version+" AS build" {
		t.Errorf("it is built from %s, want golang:%s, as go.mod says", from, version)
	}
}

// TestTheComposeFileAgreesWithTheImage in all that both say.
func TestTheComposeFileAgreesWithTheImage(t *testing.T) {
	t.Parallel()
	gateway, set, stage := service(t, load(t), "gateway"), environment(t), image(t)
	user := only(t, stage, "USER")
	if !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) || gateway.User != user {
		t.Errorf("the image's user is %s and the service's %s, want one, as numbers, and not root", user, gateway.User)
	}
	if c := words(t, only(t, stage, "CMD")); !slices.Equal(c, gateway.Command) {
		t.Errorf("the image's command is %q and the service's %q", c, gateway.Command)
	}
	if len(gateway.Entrypoint) > 0 {
		t.Errorf("the service has an entry point of its own: %q", gateway.Entrypoint)
	}
	health := only(t, stage, "HEALTHCHECK")
	_, test, _ := strings.Cut(health, " CMD ")
	if want := append([]string{"CMD"}, words(t, test)...); !slices.Equal(gateway.HealthCheck.Test, want) {
		t.Errorf("the image's check is %q and the service's %q", want, gateway.HealthCheck.Test)
	}
	for name, want := range set {
		if got := value(gateway, name); got != want {
			t.Errorf("%s is %q in the image and %q in the service", name, want, got)
		}
	}
	port := only(t, stage, "EXPOSE")
	if listen := set["OMCONNECT_LISTEN"]; listen != "0.0.0.0:"+port || len(gateway.Ports) != 1 || gateway.Ports[0].Published != port {
		t.Errorf("the image exposes %s, the gateway listens at %s, and the service publishes %v", port, listen, gateway.Ports)
	}
	data := only(t, stage, "VOLUME")
	if set["OMCONNECT_DATA"] != data || len(gateway.Volumes) != 1 || gateway.Volumes[0].Target != data {
		t.Errorf("the image keeps data in %s, the gateway in %s, and the service in %v", data, set["OMCONNECT_DATA"], gateway.Volumes)
	}
	if !slices.ContainsFunc(having(stage, "COPY"), func(c string) bool {
		return strings.Contains(c, "--chown="+user+" ") && strings.HasSuffix(c, " "+data)
	}) {
		t.Errorf("no COPY gives %s to %s: a new volume would be root's", data, user)
	}
}

// TestVariablesAreThoseOfTheGateway: what it does not know, it does not miss.
func TestVariablesAreThoseOfTheGateway(t *testing.T) {
	var help strings.Builder
	if code := omconnect.Run(t.Context(), []string{"run", "--help"}, strings.NewReader(""), &help, &help); code != 0 {
		t.Fatalf("help exits with %d:\n%s", code, &help)
	}
	names := slices.Collect(maps.Keys(environment(t)))
	for name := range service(t, load(t), "gateway").Environment {
		names = append(names, name)
	}
	for _, name := range names {
		if !strings.Contains(help.String(), "$"+name+")") {
			t.Errorf("omconnect run knows no %s", name)
		}
	}
	if len(names) < 5 {
		t.Errorf("found only %q", names)
	}
}
