package servers_test

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/servers"
)

func procFolder(pid int) string { return fmt.Sprintf("/proc/%d/fd", pid) }

func dial(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func certificates(t *testing.T) *servers.Certificates {
	t.Helper()
	c, err := servers.NewCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}
