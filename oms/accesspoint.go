package oms

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// A Secret is a string that is not to be seen: every way of printing it gives
// "xxxxx". Reveal returns the string itself.
type Secret string

const redacted = "xxxxx"

// String returns a stand-in, or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// LogValue is String, for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the secret.
func (s Secret) Reveal() string { return string(s) }

// An AccessPoint says which driver to use and where its broker is. Its text
// form is
//
//	oms:<driver>://[user[:password]@]host[:port][,host[:port]...]/[region][?option=value&...]
//
// where user, password, region and options are percent-encoded as in any URL,
// an IPv6 host stands in brackets, and the region is the broker's own idea of
// a namespace (RabbitMQ's virtual host, RocketMQ's namespace). A broker in
// this process has no host: oms:embedded:///, or just its name, embedded.
type AccessPoint struct {
	Driver   string
	User     string
	Password Secret
	Hosts    []string // host or host:port, as written; empty for a broker in this process
	Region   string   // without the leading slash
	Options  KeyValue // never nil after parsing
}

// ParseAccessPoint parses the text form of an access point. Its errors never
// quote the text, which may hold a password.
func ParseAccessPoint(s string) (AccessPoint, error) {
	ap, err := parseAccessPoint(s)
	if err != nil {
		return AccessPoint{}, &Error{Op: "parse access point", Code: ErrInvalid, Err: err}
	}
	return ap, nil
}

func parseAccessPoint(s string) (ap AccessPoint, err error) {
	if validDriverName(s) == nil {
		return AccessPoint{Driver: s, Options: KeyValue{}}, nil
	}
	rest, ok := strings.CutPrefix(s, "oms:")
	if !ok {
		return ap, errors.New("it starts neither with oms: nor is it the name of a driver")
	}
	ap.Driver, rest, ok = strings.Cut(rest, "://")
	if !ok {
		return ap, errors.New("there is no :// after the driver; write oms:<driver>://host:port/")
	}
	if err := validDriverName(ap.Driver); err != nil {
		return ap, err
	}
	rest, query, _ := strings.Cut(rest, "?")
	if ap.Options, err = parseOptions(query); err != nil {
		return ap, err
	}
	authority, region, ok := strings.Cut(rest, "/")
	if !ok {
		return ap, errors.New("there is no / after the hosts; an empty region is written as one slash at the end")
	}
	if strings.Contains(region, "@") {
		return ap, errors.New("there is an @ behind the first /; a / in the user or password is written %2F, an @ in the region %40")
	}
	if ap.Region, err = url.PathUnescape(region); err != nil {
		return ap, errors.New("the region is not percent-encoded correctly")
	}
	hosts := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if ap.User, ap.Password, err = parseUser(authority[:at]); err != nil {
			return ap, err
		}
		hosts = authority[at+1:]
		if hosts == "" {
			return ap, errors.New("a user is named, but no host")
		}
	}
	ap.Hosts, err = parseHosts(hosts)
	return ap, err
}

func validDriverName(s string) error {
	if s == "" {
		return errors.New("it names no driver")
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return errors.New("the name of a driver has lower-case letters, digits, - and _ only")
		}
	}
	return nil
}

func parseUser(s string) (user string, password Secret, err error) {
	name, pw, _ := strings.Cut(s, ":")
	if user, err = url.PathUnescape(name); err != nil || user == "" {
		return "", "", errors.New("the user is empty or not percent-encoded correctly")
	}
	plain, err := url.PathUnescape(pw)
	if err != nil {
		return "", "", errors.New("the password is not percent-encoded correctly")
	}
	return user, Secret(plain), nil
}

func parseHosts(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	var hosts []string
	for i, host := range strings.Split(s, ",") { // hosts are not quoted: what looks like one may be part of a password
		name, port := host, ""
		if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
			var err error
			if name, port, err = net.SplitHostPort(host); err != nil || port == "" {
				return nil, fmt.Errorf("host %d is not host:port", i+1)
			}
			if _, err := strconv.ParseUint(port, 10, 16); err != nil {
				return nil, fmt.Errorf("host %d: the port is not a number from 0 to 65535", i+1)
			}
		}
		if name = strings.Trim(name, "[]"); name == "" || strings.ContainsAny(name, " \t\r\n%\"<>\\^`{|}") {
			return nil, fmt.Errorf("host %d is empty or has characters that no host has", i+1)
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

func parseOptions(query string) (KeyValue, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("the options behind ? are not percent-encoded correctly")
	}
	options := make(KeyValue, len(values))
	for key, vs := range values {
		if key == "" {
			return nil, errors.New("an option behind ? has no name")
		}
		if len(vs) > 1 {
			return nil, fmt.Errorf("option %s stands there twice", key)
		}
		options[key] = vs[0]
	}
	return options, nil
}

// String returns the text form with password and secret options redacted.
func (ap AccessPoint) String() string {
	return ap.text(Secret.String)
}

// Reveal returns the text form with its secrets, which ParseAccessPoint takes
// back. It is not to be printed.
func (ap AccessPoint) Reveal() string {
	return ap.text(Secret.Reveal)
}

// LogValue is String, for log/slog.
func (ap AccessPoint) LogValue() slog.Value { return slog.StringValue(ap.String()) }

func (ap AccessPoint) text(show func(Secret) string) string {
	var b strings.Builder
	b.WriteString("oms:" + ap.Driver + "://")
	if ap.User != "" {
		b.WriteString(escape(ap.User))
		if ap.Password != "" {
			b.WriteString(":" + escape(show(ap.Password)))
		}
		b.WriteByte('@')
	}
	b.WriteString(strings.Join(ap.Hosts, ",") + "/" + escape(ap.Region))
	for i, key := range ap.Options.Keys() {
		value := ap.Options[key]
		if SecretName(key) {
			value = show(Secret(value))
		}
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(url.QueryEscape(key) + "=" + url.QueryEscape(value))
	}
	return b.String()
}

// escape is strict, so that no part runs into the next: PathEscape leaves the
// delimiters of an authority alone.
func escape(s string) string {
	return strings.NewReplacer("+", "%20").Replace(url.QueryEscape(s))
}

// SecretName reports whether an option or header of this name holds a secret
// by the look of its name.
func SecretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"password", "secret", "token", "credential", "passphrase", "private"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
