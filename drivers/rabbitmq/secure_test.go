package rabbitmq_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// secure returns an access point of the listener with TLS, with options given
// as name and value.
func (b *broker) secure(t *testing.T, user, vhost string, options ...string) oms.AccessPoint {
	t.Helper()
	query := url.Values{"tls": {"true"}}
	for i := 0; i < len(options); i += 2 {
		query.Set(options[i], options[i+1])
	}
	return parse(t, "oms:rabbitmq://"+user+b.Addr()+"/"+vhost+"?"+query.Encode())
}

func TestMessagesTravelOverTLS(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	must(t, b.admit(within(t), "client", "unknown-to-clients", everything))
	ca, certificate, key := b.certificates.CA, b.certificates.Client, b.certificates.ClientKey
	for name, ap := range map[string]oms.AccessPoint{
		"password":                 b.secure(t, "guest:guest@", "", "tls.ca.file", ca),
		"certificate.and.password": b.secure(t, "guest:guest@", "", "tls.ca.file", ca, "tls.certificate.file", certificate, "tls.key.file", key),
		"server.name":              b.secure(t, "guest:guest@", "", "tls.ca.file", ca, "tls.server.name", "localhost"),
		"external":                 b.secure(t, "", "", "tls.ca.file", ca, "tls.certificate.file", certificate, "tls.key.file", key, "sasl.mechanism", "EXTERNAL"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openAt(t, ap)
			ensure(t, c, "secured", "secure."+name)
			flow(t, c, "secure."+name, "secured")
		})
	}
}

func TestWhoIsNotLetInIsToldWhy(t *testing.T) {
	t.Parallel()
	b := realBroker(t)
	must(t, b.put(within(t), map[string]string{}, "vhosts", "closed"))
	must(t, b.admit(within(t), "insider", "right", everything))
	strangers, err := servers.NewCertificates(t.TempDir())
	must(t, err)
	ours := b.certificates
	missing := t.TempDir() + "/missing.pem"
	plain := func(user, rest string) oms.AccessPoint {
		return parse(t, "oms:rabbitmq://"+user+b.AddrOf(servers.Plain)+"/"+rest)
	}
	for name, c := range map[string]struct {
		ap   oms.AccessPoint
		code oms.Code
		says string
	}{
		"wrong password":              {plain("insider:wrong@", ""), oms.ErrDenied, "username or password"},
		"no such user":                {plain("outsider:right@", ""), oms.ErrDenied, "username or password"},
		"no such virtual host":        {plain("insider:right@", "missing"), oms.ErrDenied, "missing"},
		"virtual host of others":      {plain("insider:right@", "closed"), oms.ErrDenied, "closed"},
		"certificate of a stranger":   {b.secure(t, "guest:guest@", "", "tls.ca.file", strangers.CA), oms.ErrDenied, "unknown authority"},
		"certificate of another":      {b.secure(t, "guest:guest@", "", "tls.ca.file", ours.CA, "tls.server.name", "elsewhere"), oms.ErrDenied, "elsewhere"},
		"missing file":                {b.secure(t, "guest:guest@", "", "tls.ca.file", missing), oms.ErrDenied, "missing.pem"},
		"wrong password over TLS":     {b.secure(t, "insider:wrong@", "", "tls.ca.file", ours.CA), oms.ErrDenied, "username or password"},
		"a client that is a stranger": {b.secure(t, "guest:guest@", "", "tls.ca.file", ours.CA, "tls.certificate.file", strangers.Client, "tls.key.file", strangers.ClientKey), oms.ErrDenied, "certificate"},
		"no certificate to tell by": {
			b.secure(t, "", "", "tls.ca.file", ours.CA, "tls.certificate.file", ours.Server, "tls.key.file", ours.ServerKey, "sasl.mechanism", "EXTERNAL"),
			oms.ErrDenied, "EXTERNAL",
		},
		"TLS where there is none": {parse(t, "oms:rabbitmq://guest:guest@"+b.AddrOf(servers.Plain)+"/?tls=true"), oms.ErrInvalid, "tls"},
		"no TLS where there is":   {parse(t, "oms:rabbitmq://guest:guest@"+b.Addr()+"/"), oms.ErrUnavailable, b.Addr()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := openAt(t, c.ap)
			var err error
			until(t, string(c.code), func() bool { // a broker that ends the connection may be quicker than its reason
				err = conn.Check(within(t))
				return oms.CodeOf(err) == c.code
			})
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: it does not say %q", err, c.says)
			}
			if strings.Contains(err.Error(), "wrong") || strings.Contains(err.Error(), "right") {
				t.Errorf("%v: it has the password", err)
			}
		})
	}
}
