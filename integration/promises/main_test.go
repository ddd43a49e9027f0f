package promises

import (
	"flag"
	"os"
	"testing"

	"github.com/omconnect/omconnect/integration/internal/stand"
	"github.com/omconnect/omconnect/integration/servers"
)

// shared is what all tests of the package use.
var shared stand.Stand

// atOnce is how many tests run at the same time, however few cores there are:
// most of them wait for something most of the time.
const atOnce = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err) // the flag is the testing package's
	}
	os.Exit(shared.Main(m))
}

var certificates stand.Lazy[*servers.Certificates]

// papers returns the certificates of the servers that have some.
func papers(t *testing.T) *servers.Certificates {
	t.Helper()
	c, err := certificates.Get(func() (*servers.Certificates, error) {
		dir, err := shared.Dir("certificates")
		if err != nil {
			return nil, err
		}
		return servers.NewCertificates(dir)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
