package rest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// Whatever fails, and however it quotes the secrets of its connector: no
// answer has them but the configuration, which comes back as it was sent.
func TestNoAnswerShowsASecret(t *testing.T) {
	const password, inURL, inBroker, inPart = `sw"ord/fish`, "pass%40word", "br0ker-pass", "part-pass"
	config := `{"connector.class": "live-source", "topic": "t", "tasks.max": 2, "restart.max.attempts": 0,
		"password": "sw\"ord/fish", "url": "mysql://u:pass%40word@h/db?access_token=t0ken-t0ken"}`
	secrets := []string{"ord/fish", inURL, "pass@word", "t0ken-t0ken", inBroker, inPart}
	for name, fail := range map[string]func(text string) error{
		"error": errors.New,
		"coded": func(text string) error {
			return &oms.Error{Op: "read", Code: oms.ErrFormat, Target: text, Err: errors.New(text)}
		},
		"panic": func(text string) error { panic(text) },
	} {
		for _, hook := range []string{"New", "OnStart", "Poll", "OnPause"} {
			text := fmt.Sprintf("access denied (%s, %q) at mysql://u:%s@h/db, pass@word, ?access_token=t0ken-t0ken, oms:nats://u:%s@h/",
				password, password, inURL, inBroker)
			if hook != "New" { // which the gateway also calls for what knows no part
				text += " " + inPart
			}
			t.Run(name+" in "+hook, func(t *testing.T) {
				alive(t, func(g *living) {
					g.do(func(_ context.Context, _, h string) error {
						if h == hook {
							return fail(text)
						}
						return nil
					})
					if hook != "New" {
						g.split = func(config oms.KeyValue, limit int) []oms.KeyValue {
							part := config.Clone()
							part["password"] = inPart
							return slices.Repeat([]oms.KeyValue{part}, limit)
						}
					}
					g.want("POST", "/connectors/in", config, 201)
					seen := g.everything()
					g.want("PUT", "/connectors/in/pause", "", 202)
					seen += g.everything()
					if hook == "New" || hook == "Poll" {
						seen += g.want("POST", "/connectors/in/restart?includeTasks=true", "", 202).Body.String()
					}
					if !strings.Contains(seen, "access denied") {
						t.Errorf("the cause is not shown: %s", seen)
					}
					for _, secret := range secrets {
						if i := strings.Index(seen, secret); i >= 0 {
							t.Errorf("%s is shown: …%s…", secret, seen[max(0, i-200):min(len(seen), i+100)])
						}
					}
					if got := g.want("GET", "/connectors/in", "", 200).Body.String(); !strings.Contains(got, inURL) {
						t.Errorf("the configuration comes back changed: %s", got)
					}
				})
			})
		}
	}
}

// everything returns all answers about the connector but its configuration.
func (g *living) everything() string {
	g.Helper()
	var seen strings.Builder
	for range 3 {
		for _, path := range []string{
			"/connectors", "/connectors?expand=status", "/connectors?expand=omconnect", "/connectors/in/status", "/connectors/in/omconnect",
		} {
			seen.Write(g.want("GET", path, "", 200).Body.Bytes())
		}
		time.Sleep(time.Second)
	}
	return seen.String()
}
