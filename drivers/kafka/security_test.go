package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/omconnect/omconnect/drivers/kafka"
	"github.com/omconnect/omconnect/oms"
)

func check(t *testing.T, text string) error {
	t.Helper()
	conn, err := kafka.Driver{}.Open(t.Context(), point(t, text))
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Check(t.Context())
	if cerr := conn.Close(t.Context()); cerr != nil {
		t.Error(cerr)
	}
	return err
}

func TestEachMechanismProvesAPassword(t *testing.T) {
	t.Parallel()
	for option, method := range map[string]string{
		"auto": "PLAIN", "plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512",
	} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(method, "user", "p/w"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(fake.Close)
			format := "oms:kafka://user:%s@%s/?request.timeout.ms=30000&sasl.mechanism=%s"
			if err := check(t, fmt.Sprintf(format, "p%2Fw", fake.ListenAddrs()[0], option)); err != nil {
				t.Errorf("with the right password: %v", err)
			}
			if err := check(t, fmt.Sprintf(format, "wrong", fake.ListenAddrs()[0], option)); err == nil {
				t.Error("a wrong password is taken")
			}
		})
	}
}

// authority writes a certificate that vouches for itself, for servers and
// clients, and returns it as both use it.
func authority(t *testing.T) (certFile, keyFile string, server *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	if err := errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}
}

func TestBothSidesShowCertificates(t *testing.T) {
	t.Parallel()
	certFile, keyFile, server := authority(t)
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	base := fmt.Sprintf("oms:kafka://%s/?request.timeout.ms=30000", fake.ListenAddrs()[0])
	ours := "&tls.cert.file=" + certFile + "&tls.key.file=" + keyFile
	if err := check(t, base+"&tls=true&tls.ca.file="+certFile+ours); err != nil {
		t.Errorf("with certificates: %v", err)
	}
	if err := check(t, base+"&tls=true"+ours); !errors.Is(err, oms.ErrDenied) {
		t.Errorf("without one to vouch for the broker: %v, want %v", err, oms.ErrDenied)
	}
	for what, options := range map[string]string{"the client's certificate": "&tls=true&tls.ca.file=" + certFile, "TLS": ""} {
		if err := check(t, base+options); err == nil {
			t.Errorf("without %s the broker lets the client in", what)
		}
	}
}

func TestFilesThatAreNotThereAreToldByOpen(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := authority(t)
	for options, name := range map[string]string{
		"tls.ca.file=" + keyFile:                                "tls.ca.file",
		"tls.ca.file=missing":                                   "tls.ca.file",
		"tls.cert.file=" + certFile + "&tls.key.file=missing":   "tls.cert.file",
		"tls.cert.file=" + keyFile + "&tls.key.file=" + keyFile: "tls.cert.file",
	} {
		_, err := kafka.Driver{}.Open(t.Context(), point(t, "oms:kafka://one/?tls=true&"+options))
		if !errors.Is(err, oms.ErrInvalid) {
			t.Errorf("%s: %v, want %v about %s", options, err, oms.ErrInvalid, name)
		}
	}
}
