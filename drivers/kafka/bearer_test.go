package kafka_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/integration/servers"
	"github.com/omconnect/omconnect/oms"
)

// token is one without a signature, which a broker takes when told to.
func token(user string, until time.Time) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, time.Now().Unix()-60, until.Unix())) + "."
}

func TestATokenIsReadForEachConnection(t *testing.T) {
	t.Parallel()
	const listener, module = "listener.name.client.", "org.apache.kafka.common.security.oauthbearer."
	b := &broker{servers.Kafka(t, servers.User("admin", "secret"),
		servers.Config(listener+"sasl.enabled.mechanisms", "OAUTHBEARER"),
		servers.Config(listener+"oauthbearer.sasl.server.callback.handler.class", module+"internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"),
		servers.Config(listener+"oauthbearer.sasl.jaas.config", module+`OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";`))}
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := "oms:kafka://" + b.Addr() + "/?sasl.mechanism=oauthbearer&request.timeout.ms=30000"
	expired, good := token("alice", time.Now().Add(-time.Minute)), token("alice", time.Now().Add(time.Hour))
	write(expired)
	conn := openAt(t, base+"&sasl.token.file="+file)
	if err := conn.Check(t.Context()); !errors.Is(err, oms.ErrDenied) || strings.Contains(err.Error(), expired) {
		t.Errorf("with a token that has expired: %v, want %v without the token", err, oms.ErrDenied)
	}
	write(good)
	if err := conn.Check(t.Context()); err != nil {
		t.Errorf("with a new token in the file: %v", err)
	}
	if err := openAt(t, base+"&sasl.token="+good).Check(t.Context()); err != nil {
		t.Errorf("with the token in the access point: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, base+"&sasl.token.file="+file).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "sasl.token.file") {
		t.Errorf("without the file: %v, want an error about sasl.token.file", err)
	}
}
