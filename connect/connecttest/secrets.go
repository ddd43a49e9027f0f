package connecttest

import (
	"context"
	"net/url"
	"strconv"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

var secretRules = []rule{
	{"Secrets", "no secret of the configuration stands in a log, an error or a panic, whatever goes wrong", func(b *bench) bool { return len(b.secrets()) > 0 }, checkSecrets},
}

// secrets returns the values of the configuration that must not come out, by
// key.
func (b *bench) secrets() map[string]string {
	secrets := make(map[string]string)
	for _, k := range b.plugin.Def.Keys {
		for _, value := range []string{b.config[k.Name], b.unstartable[k.Name]} {
			u, err := url.Parse(value)
			switch {
			case value == "":
			case k.Secret:
				secrets[k.Name] = value
			case k.Type == connect.URL && err == nil && u.User != nil:
				if password, has := u.User.Password(); has {
					secrets[k.Name] = password
				}
			}
		}
	}
	return secrets
}

func checkSecrets(ctx context.Context, b *bench) {
	b.quietly(ctx, b.config)
	for _, key := range b.config.Keys() {
		// One key is wrong, the secrets are as they were.
		for _, value := range []string{"", "wrong", "-1"} {
			config := b.config.Clone()
			if _, secret := b.secrets()[key]; secret {
				config[key] += value
			} else {
				config[key] = value
			}
			b.quietly(ctx, config)
		}
	}
	if b.unstartable != nil {
		b.quietly(ctx, b.unstartable)
	}
	for key, secret := range b.secrets() {
		quoted := strconv.Quote(secret)
		for _, form := range []string{secret, quoted[1 : len(quoted)-1], url.QueryEscape(secret), url.PathEscape(secret)} {
			if where, said := b.said.find(form); said {
				fail("the value of key %s stands in what the connector says: %.300s", key, where)
			}
		}
	}
}

// quietly leads a short life with the configuration, whatever comes of it.
func (b *bench) quietly(ctx context.Context, config oms.KeyValue) {
	_ = guardedFailure(func() {
		if b.validate(config) != nil {
			return // so that it is not run
		}
		l := b.createTask(ctx, b.plugin.Def.Complete(config), 0, 1)
		err := l.tryStart(ctx, nil)
		if err == nil {
			err = guardedFailure(func() { l.work(ctx) })
		}
		if err == nil && b.sink != nil && b.sink.Refused != nil {
			err = l.tryPut(ctx, b.sink.Refused(b.written))
		}
		if err != nil {
			l.fail(ctx)
		}
		l.stop(ctx)
		l.destroy(ctx)
	})
}
