package omconnect

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/rest/client"
)

// guarded runs a gateway whose API asks for a token, and returns it with its
// data folder, the address by which this machine reaches it, and the token.
func guarded(t *testing.T, args ...string) (p *program, data, url, token string) {
	t.Helper()
	data = t.TempDir()
	p, url = guardedIn(t, data, args...)
	return p, data, url, strings.TrimSpace(read(t, filepath.Join(data, tokenFile)))
}

func guardedIn(t *testing.T, data string, args ...string) (p *program, url string) {
	t.Helper()
	if len(args) == 0 {
		args = []string{"--listen", "127.0.0.1:0"}
	}
	p = begin(t, append([]string{"run", "--data", data, "--tokens", "auto"}, args...)...)
	p.await("gateway started")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(p.url(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return p, "http://127.0.0.1:" + port
}

// listConnectorsOf lists the connectors by the command line.
func listConnectorsOf(t *testing.T, url, data string) (code int, said string) {
	t.Helper()
	code, stdout, stderr := run(t, "connectors", "--url", url, "--data", data, "list")
	return code, stdout + stderr
}

func TestTheTokenIsMadeOnceAndKept(t *testing.T) {
	p, data, _, token := guarded(t)
	if len(token) < 26 || !isToken(token) {
		t.Errorf("the token is %q, want at least 128 random bits", token)
	}
	info, err := os.Stat(filepath.Join(data, tokenFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v, want mode 0600", info, err)
	}
	if status, body := p.get("/connectors"); status != http.StatusUnauthorized {
		t.Errorf("without the token: %d %s, want 401", status, body)
	}
	if status, body := p.get("/health"); status != http.StatusOK {
		t.Errorf("health without the token: %d %s", status, body)
	}
	p.stop()
	p.wait()
	p, url := guardedIn(t, data)
	if again := strings.TrimSpace(read(t, filepath.Join(data, tokenFile))); again != token {
		t.Error("the second start made another token")
	}
	if code, said := listConnectorsOf(t, url, data); code != exitGood {
		t.Errorf("list: exit %d: %s", code, said)
	}
	if said := p.err.String(); strings.Contains(said, token) || !strings.Contains(said, "token_file="+filepath.Join(data, tokenFile)) {
		t.Errorf("the log must have the token's path, and never the token:\n%s", said)
	}
}

func TestTheTokenOfAnotherGatewayIsAnotherOne(t *testing.T) {
	seen := make(map[string]bool)
	for range 10 {
		folder, err := openDataFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		token, err := folder.token()
		if err != nil || seen[token] {
			t.Errorf("got %q, %v", token, err)
		}
		seen[token] = true
		if err := folder.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestATokenOfOnesOwnIsTaken(t *testing.T) {
	data := t.TempDir()
	const own = "a-token-of-my-own"
	if err := os.WriteFile(filepath.Join(data, tokenFile), []byte(own+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := guardedIn(t, data)
	t.Setenv(tokenVariable, own)
	if code, said := listConnectorsOf(t, url, t.TempDir()); code != exitGood {
		t.Errorf("list: exit %d: %s", code, said)
	}
}

func TestATokenFileThatIsNoneIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"short":             {"s3cret-s3cret", 0o600, "at least 16"},
		"two lines":         {"s3cret-s3cret-s3cret\nmore", 0o600, "one line"},
		"spaces":            {"s3cret s3cret s3cret", 0o600, "visible ASCII"},
		"not ASCII":         {"s3cret-s3cret-s3crét", 0o600, "visible ASCII"},
		"read by the group": {"s3cret-s3cret-s3cret", 0o640, "chmod 600"},
		"read by everybody": {"s3cret-s3cret-s3cret", 0o604, "chmod 600"},
	} {
		data := t.TempDir()
		path := filepath.Join(data, tokenFile)
		if err := os.WriteFile(path, []byte(tc.text), tc.mode); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := run(t, "run", "--data", data, "--tokens", "auto", "--listen", "127.0.0.1:0")
		if code != exitUsage || !strings.Contains(stderr, path) || !strings.Contains(stderr, tc.want) {
			t.Errorf("%s: exit %d: %s, want the file and %q", name, code, stderr, tc.want)
		}
		if strings.Contains(stderr, "s3cret") {
			t.Errorf("%s: the error has the token: %s", name, stderr)
		}
	}
}

// TestAPublicAddressNeedsATokenAndWorksWithOne, on the address that stands for
// all: the gateway is known by the name of its machine then.
func TestAPublicAddressNeedsATokenAndWorksWithOne(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0"} {
		code, _, stderr := run(t, "run", "--data", t.TempDir(), "--listen", address)
		if code != exitUsage || !strings.Contains(stderr, "rest.tokens: auto") || !strings.Contains(stderr, "--listen") {
			t.Errorf("%s without a token: exit %d: %s", address, code, stderr)
		}
		p, data, url, token := guarded(t, "--listen", address)
		if code, said := listConnectorsOf(t, url, data); code != exitGood {
			t.Errorf("%s: list: exit %d: %s", address, code, said)
		}
		for header, want := range map[string]int{"": http.StatusUnauthorized, "Bearer " + token: http.StatusOK} {
			if got := statusOf(t, url+"/connectors", header); got != want {
				t.Errorf("%s: %d with %d bytes of a header, want %d", address, got, len(header), want)
			}
		}
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.url(), "http://"+host+":") || !strings.Contains(p.err.String(), "there is no TLS") {
			t.Errorf("%s: want the machine's name %s, and a warning:\n%s", address, host, p.err)
		}
		p.stop()
		p.wait()
	}
}

func statusOf(t *testing.T, url, authorization string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestCommandsFindTheTokenOrSayWhereItIsLookedFor(t *testing.T) {
	_, data, url, token := guarded(t)
	elsewhere := t.TempDir()
	for _, tc := range []struct {
		name, variable, data string
		code                 int
	}{
		{"from the data folder", "", data, exitGood},
		{"from the environment", token, elsewhere, exitGood},
		{"from the environment, with a line's end", token + "\n", elsewhere, exitGood},
		{"the environment comes first", "some-wrong-token", data, exitUsage},
		{"nowhere", "", elsewhere, exitUsage},
		{"not a token", "a\x00b", data, exitUsage},
	} {
		t.Setenv(tokenVariable, strings.ReplaceAll(tc.variable, "\x00", " "))
		code, said := listConnectorsOf(t, url, tc.data)
		if code != tc.code || code == exitUsage && !strings.Contains(said, tokenVariable) {
			t.Errorf("%s: exit %d: %s; want %d, and how to give it", tc.name, code, said, tc.code)
		}
		if strings.Contains(said, token) {
			t.Errorf("%s: it prints the token: %s", tc.name, said)
		}
	}
	t.Setenv(tokenVariable, "")
	t.Setenv("OMCONNECT_DATA", data)
	for _, args := range [][]string{{"connectors", "list"}, {"health"}} {
		if code, _, stderr := run(t, append(args, "--url", url)...); code != exitGood {
			t.Errorf("%q with OMCONNECT_DATA: exit %d: %s", args, code, stderr)
		}
	}
	t.Setenv("OMCONNECT_DATA", elsewhere)
	if code, _, stderr := run(t, "health", "--url", url); code != exitGood {
		t.Errorf("health without the token: exit %d: %s", code, stderr)
	}
}

// TestTheTokenOfThisMachineIsNotSentToOthers: a mistyped address must not learn
// it. What the environment has is sent, as it was given for the call.
func TestTheTokenOfThisMachineIsNotSentToOthers(t *testing.T) {
	const own, given = "a-token-of-my-own", "a-token-for-the-call"
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, tokenFile), []byte(own+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ url, variable, want string }{
		{"http://127.0.0.1:8083", "", own},
		{"localhost:8083", "", own},
		{"http://gateway.example:8083", "", ""},
		{"http://10.0.0.1:8083", "", ""},
		{"http://127.0.0.1:8083", given, given},
		{"http://gateway.example:8083", given, given},
	} {
		t.Setenv(tokenVariable, tc.variable)
		flags := callFlags{URL: tc.url, Data: data}
		c, err := client.New(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := flags.token(c); err != nil || got != tc.want {
			t.Errorf("%+v: got %q, %v", tc, got, err)
		}
	}
}

func TestTheTokenIsPrintedOnDemand(t *testing.T) {
	_, data, _, token := guarded(t)
	if code, stdout, stderr := run(t, "token", "--data", data); code != exitGood || stdout != token+"\n" || stderr != "" {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	code, _, stderr := run(t, "token", "--data", t.TempDir())
	if code != exitUsage || !strings.Contains(stderr, "rest.tokens: auto") {
		t.Errorf("without a token: exit %d: %s", code, stderr)
	}
}

func TestTokensAreAskedForByFlagVariableOrFile(t *testing.T) {
	for _, tc := range []struct{ flag, env, file, want string }{
		{"", "", "", ""},
		{"", "", "auto", tokensAuto},
		{"", "auto", "", tokensAuto},
		{"auto", "", "", tokensAuto},
	} {
		s, err := settled(t, "tokens", tc.flag, tc.env, "rest: {tokens: "+quoted(tc.file)+"}")
		if err != nil || s.tokens != tc.want {
			t.Errorf("%+v: got %v, %v", tc, s, err)
		}
	}
	if _, err := settled(t, "tokens", "always", "", ""); err == nil || !strings.Contains(err.Error(), "auto") {
		t.Errorf("--tokens always: got %v, want what it may be", err)
	}
	_, err := loadSettings(gatewayFlags{}, write(t, "gateway.yaml", "rest: {tokens: [s3cret, other]}"), &connect.DefaultPlugins)
	if err == nil || !strings.Contains(err.Error(), "rest.tokens: must be auto") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v, want it refused, without its value", err)
	}
}
