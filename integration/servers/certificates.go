package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificates are those of a CA, of a server at 127.0.0.1 (also localhost) and
// of a client, as names of PEM files. Keys are ECDSA, in PKCS 8.
type Certificates struct {
	CA                string
	Server, ServerKey string
	Client, ClientKey string

	serverPair string // key and certificate in one file
}

// NewCertificates makes a CA and what it signs, in files of dir, good for a day.
// The client's name (CN) is "client".
func NewCertificates(dir string) (*Certificates, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	ca, err := newCertificate("omconnect test CA", nil)
	if err != nil {
		return nil, err
	}
	server, err := newCertificate("localhost", ca)
	if err != nil {
		return nil, err
	}
	client, err := newCertificate("client", ca)
	if err != nil {
		return nil, err
	}
	c := &Certificates{
		CA:         filepath.Join(dir, "ca.pem"),
		Server:     filepath.Join(dir, "server.pem"),
		ServerKey:  filepath.Join(dir, "server.key"),
		Client:     filepath.Join(dir, "client.pem"),
		ClientKey:  filepath.Join(dir, "client.key"),
		serverPair: filepath.Join(dir, "server-pair.pem"),
	}
	err = errors.Join(
		os.WriteFile(c.CA, ca.certPEM, 0o600),
		os.WriteFile(c.Server, server.certPEM, 0o600),
		os.WriteFile(c.ServerKey, server.keyPEM, 0o600),
		os.WriteFile(c.Client, client.certPEM, 0o600),
		os.WriteFile(c.ClientKey, client.keyPEM, 0o600),
		os.WriteFile(c.serverPair, append(server.keyPEM, server.certPEM...), 0o600),
	)
	if err != nil {
		return nil, fmt.Errorf("writing certificates: %w", err)
	}
	return c, nil
}

// ClientConfig returns what a client needs that trusts the CA and shows the
// client's certificate.
func (c *Certificates) ClientConfig() (*tls.Config, error) {
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s has no certificate", c.CA)
	}
	pair, err := tls.LoadX509KeyPair(c.Client, c.ClientKey)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{pair},
		ServerName: "localhost", MinVersion: tls.VersionTLS12,
	}, nil
}

type certificate struct {
	cert            *x509.Certificate
	key             *ecdsa.PrivateKey
	certPEM, keyPEM []byte
}

// newCertificate makes one signed by ca, or a CA if that is nil.
func newCertificate(name string, ca *certificate) (*certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour), // clocks differ
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	signer := ca
	if ca == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageCertSign, nil
		template.DNSNames, template.IPAddresses = nil, nil
		signer = &certificate{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, &key.PublicKey, signer.key)
	if err != nil {
		return nil, fmt.Errorf("making the certificate of %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &certificate{
		cert: cert, key: key,
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}
