package omconnect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/omconnect/omconnect/rest/client"
)

// The tokens of the REST API.
const (
	tokensAuto    = "auto" // the one of the data folder, made where there is none
	tokenVariable = "OMCONNECT_TOKEN"
	minToken      = 16 // characters
)

// token returns the token that calls of the gateway's API need. It is made at
// the first start; whoever removes the file, or writes another one, has it
// changed at the next.
func (f *dataFolder) token() (string, error) {
	path := filepath.Join(f.path, tokenFile)
	token, err := f.recall(tokenFile)
	if err == nil && token == "" {
		token = rand.Text()
		err = f.remember(tokenFile, token)
	}
	if err != nil {
		return "", badUsage("token file %s: %w; give this user the right to read and write it", path, cause(err))
	}
	if len(token) < minToken || !isToken(token) {
		return "", badUsage("token file %s: must have one line with a token of at least %d visible ASCII characters; remove it, and the next start makes one", path, minToken)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", badUsage("token file %s: %w", path, cause(err))
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", badUsage("token file %s: others than its owner may use it (mode %04o); change that with chmod 600, and the token too if others have read it", path, mode)
	}
	return token, nil
}

// isToken reports whether a header can hold the text as a token.
func isToken(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// workerAddress is the address by which others know the gateway. The one for
// all addresses of a machine is nobody's.
func workerAddress(ln net.Listener) string {
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return ln.Addr().String()
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return ln.Addr().String()
	}
	return net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// callFlags say which gateway a command calls.
type callFlags struct {
	URL  string `env:"OMCONNECT_URL" default:"${url}" help:"Address of the gateway."`
	Data string `env:"OMCONNECT_DATA" placeholder:"DIR" help:"Data folder of a gateway on this machine, with the token that calls may need; ./data by default. OMCONNECT_TOKEN comes before it."`
}

// client returns a client that sends the gateway's token, if it is known here.
func (f *callFlags) client() (*client.Client, error) {
	c, err := client.New(f.URL)
	if err != nil {
		return nil, usageError{fmt.Errorf("--url: %w", err)}
	}
	token, err := f.token(c)
	return c.WithToken(token), err
}

// token returns the token for a gateway's address, "" if none is known here.
func (f *callFlags) token(c *client.Client) (string, error) {
	token := strings.TrimSpace(os.Getenv(tokenVariable))
	switch {
	case token == "" && c.Local():
		return storedToken(f.Data), nil
	case token == "": // that of this machine is nobody else's business
		return "", nil
	case !isToken(token):
		return "", badUsage("%s: is no token: it has other than visible ASCII characters", tokenVariable)
	}
	return token, nil
}

// storedToken returns the token of a data folder, "" if this user cannot read
// one there. A call that needs it fails with what to do.
func storedToken(data string) string {
	if data == "" {
		data = defaultData
	}
	text, err := os.ReadFile(filepath.Join(data, tokenFile)) //nolint:gosec // the caller's choice
	if token := strings.TrimSpace(string(text)); err == nil && isToken(token) {
		return token
	}
	return ""
}

// tokenCommand is omconnect token.
type tokenCommand struct {
	Data string `env:"OMCONNECT_DATA" placeholder:"DIR" help:"Data folder of the gateway; ./data by default."`
}

// Run prints the token.
func (c *tokenCommand) Run(_ context.Context, s *streams) error {
	data := c.Data
	if data == "" {
		data = defaultData
	}
	path := filepath.Join(data, tokenFile)
	text, err := os.ReadFile(path) //nolint:gosec // the caller's choice
	switch {
	case errors.Is(err, os.ErrNotExist):
		return badUsage("%s: there is no token; the gateway makes one when it starts with rest.tokens: auto; name its data folder with --data", path)
	case err != nil:
		return badUsage("%s: cannot be read: %w", path, cause(err))
	}
	_, err = fmt.Fprintln(s.out, strings.TrimSpace(string(text)))
	return err
}
