package compose

import (
	"encoding/xml"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"

	_ "github.com/omconnect/omconnect" // its drivers
	"github.com/omconnect/omconnect/oms"
)

// services are where each kind of address leads to, and the port inside of
// Docker, which the service is told of or has by default.
var services = map[string]struct{ name, inside string }{
	"kafka":    {"kafka", "19092"},
	"rabbitmq": {"rabbitmq", "5672"},
	"rocketmq": {"rocketmq-namesrv", "9876"},
	"redis":    {"redis", "6379"},
	"http":     {"gateway", "8083"},
}

// An address is one that a text names, with what its kind is called above.
type address struct{ kind, hostport string }

var (
	accessPoint = regexp.MustCompile(`oms:[a-z]+://[^\s"'` + "`" + `,})]+/`)
	plainURL    = regexp.MustCompile(`\b(?:redis|http)://[^\s"'` + "`" + `,})|]+`)
)

// addresses returns those with a host and a port that stand in a text.
func addresses(t *testing.T, text string) (found []address) {
	t.Helper()
	for _, s := range accessPoint.FindAllString(text, -1) {
		ap, err := oms.ParseAccessPoint(s)
		if err != nil { // a pattern, such as host[:port]
			continue
		}
		for _, hostport := range ap.Hosts {
			found = append(found, address{ap.Driver, hostport})
		}
	}
	for _, s := range plainURL.FindAllString(text, -1) {
		if u, err := url.Parse(s); err == nil && u.Port() != "" {
			found = append(found, address{u.Scheme, u.Host})
		}
	}
	return found
}

// TestAddressesLeadToTheirServices: what README, documentation and the file
// itself name on this machine is published there by the service of that kind,
// and what the file names by a service's name is where that listens.
func TestAddressesLeadToTheirServices(t *testing.T) {
	t.Parallel()
	project := load(t)
	gateway := service(t, project, "gateway")
	const file, own = "docker-compose.yml", "the gateway's environment"
	texts := map[string]string{
		"README.md": text(t, "README.md"), file: text(t, file),
		own: value(gateway, "OMCONNECT_BROKER") + " " + value(gateway, "OMCONNECT_STATE"),
	}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", "docs/*/*/*.md", "examples/*/*.md"} {
		names, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			texts[name] = text(t, strings.TrimPrefix(name, root))
		}
	}
	seen := map[string]int{}
	for where, said := range texts {
		for _, a := range addresses(t, said) {
			want, known := services[a.kind]
			if !known {
				continue // an embedded broker, a NATS server
			}
			host, port, err := net.SplitHostPort(a.hostport)
			if err != nil {
				host, port = a.hostport, "" // at the driver's own port
			}
			switch {
			case host == "127.0.0.1":
				if got := publishedBy(project, port); got != want.name {
					t.Errorf("%s names %s at %s, which is published by %q, want %s", where, a.kind, a.hostport, got, want.name)
				}
				seen[a.kind]++
			case where == file || where == own:
				if host != want.name || port != want.inside {
					t.Errorf("%s names %s at %s, want %s:%s", where, a.kind, a.hostport, want.name, want.inside)
				}
				seen[a.kind]++
			}
		}
	}
	for kind := range services {
		if seen[kind] == 0 {
			t.Errorf("nobody names an address of %s: is the test looking in the right place?", kind)
		}
	}
}

func publishedBy(project *types.Project, port string) string {
	for name, s := range project.Services {
		if slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return p.Published == port }) {
			return name
		}
	}
	return ""
}

// TestKafkaIsReachedFromBothSides: each side dials the address that the broker
// names itself by there.
func TestKafkaIsReachedFromBothSides(t *testing.T) {
	t.Parallel()
	kafka := service(t, load(t), "kafka")
	listeners := value(kafka, "KAFKA_LISTENERS")
	for _, want := range []string{"HOST://127.0.0.1:9092", "DOCKER://kafka:" + services["kafka"].inside} {
		name, addr, _ := strings.Cut(want, "://")
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(strings.Split(value(kafka, "KAFKA_ADVERTISED_LISTENERS"), ","), want) {
			t.Errorf("it advertises %s, want %s", value(kafka, "KAFKA_ADVERTISED_LISTENERS"), want)
		}
		if !slices.Contains(strings.Split(listeners, ","), name+"://:"+port) {
			t.Errorf("it listens at %s, want %s on all addresses of its container", listeners, want)
		}
	}
}

// TestRocketMQKnowsItsNameServer: clients ask one for the other.
func TestRocketMQKnowsItsNameServer(t *testing.T) {
	t.Parallel()
	project := load(t)
	want := services["rocketmq"].name + ":" + services["rocketmq"].inside
	for _, name := range []string{"rocketmq-broker", "rocketmq-proxy"} {
		if got := value(service(t, project, name), "NAMESRV_ADDR"); got != want {
			t.Errorf("%s asks the name server at %q, want %s", name, got, want)
		}
	}
}

// TestTheTestsRunOnTheSameKafka: what has been tested is what people start.
func TestTheTestsRunOnTheSameKafka(t *testing.T) {
	t.Parallel()
	var pom struct {
		Version string `xml:"version"`
	}
	if err := xml.Unmarshal([]byte(text(t, "integration/servers/pom-kafka.xml")), &pom); err != nil {
		t.Fatal(err)
	}
	if got, want := service(t, load(t), "kafka").Image, "apache/kafka:"+pom.Version; got != want {
		t.Errorf("the image is %s, want %s", got, want)
	}
}
