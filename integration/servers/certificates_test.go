package servers_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
)

func TestCertificatesOfOneFolderTrustEachOther(t *testing.T) {
	c, other := certificates(t), certificates(t)
	pair, err := tls.LoadX509KeyPair(c.Server, c.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan struct{})
	defer func() { l.Close(); <-served }()
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "welcome")
			conn.Close()
		}
	}()

	read := func(config *tls.Config) (string, error) {
		conn, err := tls.Dial("tcp", l.Addr().String(), config)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		said, err := io.ReadAll(conn)
		return string(said), err
	}
	if said, err := read(clientConfig(t, c)); err != nil || said != "welcome" {
		t.Errorf("a client of the same folder reads %q, %v", said, err)
	}
	byAddress := clientConfig(t, c)
	byAddress.ServerName = "127.0.0.1"
	if said, err := read(byAddress); err != nil || said != "welcome" {
		t.Errorf("a client that dials the address reads %q, %v", said, err)
	}
	var unknown x509.UnknownAuthorityError
	if _, err := read(clientConfig(t, other)); !errors.As(err, &unknown) {
		t.Errorf("a client of another folder gets %v, want that it does not know the CA", err)
	}
	stranger := clientConfig(t, c)
	stranger.Certificates = clientConfig(t, other).Certificates
	if said, err := read(stranger); err == nil {
		t.Errorf("a client with a certificate of another CA reads %q", said)
	}
}

func TestCertificatesNeedTheirFolder(t *testing.T) {
	if _, err := servers.NewCertificates(t.TempDir() + "/missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that the folder does not exist", err)
	}
}
