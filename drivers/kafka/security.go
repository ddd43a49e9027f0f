package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"github.com/omconnect/omconnect/oms"
)

// security is how a connection is encrypted and who it is of.
type security struct {
	useTLS              bool
	caFile              string
	certFile, keyFile   string
	serverName          string
	mechanism           string // "" for none
	user                string
	password            oms.Secret
	tokenFile, tokenTxt string
}

// The SASL mechanisms as an access point names them.
const (
	mechanismPlain    = "plain"
	mechanismSHA256   = "scram-sha-256"
	mechanismSHA512   = "scram-sha-512"
	mechanismBearer   = "oauthbearer"
	mechanismFromUser = "auto" // PLAIN if there is a user, else none
)

func readSecurity(r *oms.KeyValueReader, ap oms.AccessPoint) security {
	s := security{
		useTLS:     r.Bool("tls", false),
		caFile:     r.String("tls.ca.file", ""),
		certFile:   r.String("tls.cert.file", ""),
		keyFile:    r.String("tls.key.file", ""),
		serverName: r.String("tls.server.name", ""),
		mechanism:  r.OneOf("sasl.mechanism", mechanismFromUser, mechanismPlain, mechanismSHA256, mechanismSHA512, mechanismBearer),
		tokenTxt:   r.String("sasl.token", ""),
		tokenFile:  r.String("sasl.token.file", ""),
		user:       ap.User, password: ap.Password,
	}
	if !s.useTLS {
		for key, value := range map[string]string{
			"tls.ca.file": s.caFile, "tls.cert.file": s.certFile, "tls.key.file": s.keyFile, "tls.server.name": s.serverName,
		} {
			if value != "" {
				r.Problem(key, "it needs tls=true")
			}
		}
	}
	if (s.certFile == "") != (s.keyFile == "") {
		r.Problem("tls.cert.file", "a client certificate needs both tls.cert.file and tls.key.file")
	}
	if s.mechanism == mechanismFromUser {
		s.mechanism = ""
		if ap.User != "" {
			s.mechanism = mechanismPlain
		}
	}
	switch s.mechanism {
	case mechanismBearer:
		if (s.tokenTxt == "") == (s.tokenFile == "") {
			r.Problem("sasl.token.file", "oauthbearer needs one of sasl.token and sasl.token.file")
		}
	case "":
	default:
		if s.user == "" {
			r.Problem("user", "missing: sasl.mechanism %s needs one before the host", s.mechanism)
		}
	}
	if s.mechanism != mechanismBearer && s.tokenTxt+s.tokenFile != "" {
		r.Problem("sasl.token", "it needs sasl.mechanism oauthbearer")
	}
	return s
}

// apply sets the security of a client. Files are read now, so that what is
// wrong with them is told by Open.
func (s security) apply(cfg *sarama.Config) error {
	if s.useTLS {
		t, err := s.tlsConfig()
		if err != nil {
			return err
		}
		cfg.Net.TLS.Enable, cfg.Net.TLS.Config = true, t
	}
	if s.mechanism == "" {
		return nil
	}
	sasl := &cfg.Net.SASL
	sasl.Enable, sasl.Handshake, sasl.Version = true, true, sarama.SASLHandshakeV1
	sasl.User, sasl.Password = s.user, s.password.Reveal()
	switch s.mechanism {
	case mechanismPlain:
		sasl.Mechanism = sarama.SASLTypePlaintext
	case mechanismSHA256:
		sasl.Mechanism = sarama.SASLTypeSCRAMSHA256
		sasl.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA256} }
	case mechanismSHA512:
		sasl.Mechanism = sarama.SASLTypeSCRAMSHA512
		sasl.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA512} }
	default:
		sasl.Mechanism = sarama.SASLTypeOAuth
		sasl.TokenProvider = bearer{text: s.tokenTxt, file: s.tokenFile}
	}
	return nil
}

// hint is what may have to be set where a broker closes the connection without
// an answer, as it does to who does not speak as its port wants it.
func (s security) hint(err error) string {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return ""
	}
	switch {
	case s.useTLS && s.mechanism == "":
		return " (if the broker is well: does it have TLS at that port, or want a user and a sasl.mechanism?)"
	case s.useTLS:
		return " (if the broker is well: does it have TLS at that port?)"
	case s.mechanism == "":
		return " (if the broker is well: does it want tls=true, or a user and a sasl.mechanism?)"
	default:
		return " (if the broker is well: does it want tls=true?)"
	}
}

func (s security) tlsConfig() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.serverName}
	if s.caFile != "" {
		pem, err := os.ReadFile(s.caFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca.file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca.file: %s has no certificate in PEM", s.caFile)
		}
	}
	if s.certFile != "" {
		cert, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert.file: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

// A scramClient is one conversation by which a password is proved.
type scramClient struct {
	hash         scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

// Begin implements sarama.SCRAMClient.
func (c *scramClient) Begin(user, password, authzID string) error {
	client, err := c.hash.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	c.conversation = client.NewConversation()
	return nil
}

// Step implements sarama.SCRAMClient.
func (c *scramClient) Step(challenge string) (string, error) { return c.conversation.Step(challenge) }

// Done implements sarama.SCRAMClient.
func (c *scramClient) Done() bool { return c.conversation.Done() }

// A bearer gives the token of OAUTHBEARER. A file is read for each connection:
// whoever renews the token writes it there.
type bearer struct{ text, file string }

// Token implements sarama.AccessTokenProvider.
func (b bearer) Token() (*sarama.AccessToken, error) {
	if b.file == "" {
		return &sarama.AccessToken{Token: b.text}, nil
	}
	text, err := os.ReadFile(b.file)
	if err != nil {
		return nil, fmt.Errorf("sasl.token.file: %w", err)
	}
	return &sarama.AccessToken{Token: strings.TrimSpace(string(text))}, nil
}
