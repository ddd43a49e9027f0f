package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// healthPath needs no token: those who watch processes ask for it, and it tells
// nothing but that this one is up.
const healthPath = "/health"

// authenticate lets in who sends one of the tokens, if there are any.
func (a *api) authenticate(next http.Handler) http.Handler {
	if len(a.tokens) == 0 {
		return next
	}
	hashes := make([][sha256.Size]byte, len(a.tokens))
	for i, token := range a.tokens {
		hashes[i] = sha256.Sum256([]byte(token))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := sentToken(r)
		if knows(hashes, token) || isHealth(r) {
			next.ServeHTTP(w, r)
			return
		}
		message := "this gateway asks for its token: send it as Authorization: Bearer, or as the password of Basic; it is in the file token of the gateway's data folder"
		if token != "" {
			message = "this is not the gateway's token, which is in the file token of its data folder"
		}
		w.Header()["Www-Authenticate"] = []string{`Basic realm="omconnect", charset="UTF-8"`, `Bearer realm="omconnect"`}
		writeError(w, fail(http.StatusUnauthorized, message))
	})
}

// isHealth reports whether a request only asks whether the process is up.
func isHealth(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.TrimSuffix(r.URL.Path, "/") == healthPath
}

// sentToken returns what the request has for a token, "" if nothing. Clients of
// Kafka Connect know no other way than Basic; any user will do.
func sentToken(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// knows compares hashes, which have one length, and all of them: how long it
// takes tells nothing of a token.
func knows(hashes [][sha256.Size]byte, token string) bool {
	sent := sha256.Sum256([]byte(token))
	found := 0
	for i := range hashes {
		found |= subtle.ConstantTimeCompare(hashes[i][:], sent[:])
	}
	return found == 1 && token != ""
}

// describeTokens says in the description that calls need a token.
func (a *api) describeTokens(doc *huma.OpenAPI) {
	if len(a.tokens) == 0 {
		return
	}
	doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "The gateway's token."},
		"basic":  {Type: "http", Scheme: "basic", Description: "Any user, and the gateway's token as the password."},
	}
	doc.Security = []map[string][]string{{"bearer": {}}, {"basic": {}}}
	doc.Paths[healthPath].Get.Security = []map[string][]string{{}} // none
}
