package redis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/offsets/redis"
	"github.com/omconnect/omconnect/oms"
)

func TestURLsAreRead(t *testing.T) {
	plain := redis.Config{Hosts: []string{"h:6379"}, Mode: redis.Single, Prefix: "omc", Namespace: "default"}
	for url, change := range map[string]func(*redis.Config){
		"redis://h":                       func(*redis.Config) {},
		"redis://h:6379/0":                func(*redis.Config) {},
		"rediss://h:1/7":                  func(c *redis.Config) { c.TLS, c.DB, c.Hosts = true, 7, []string{"h:1"} },
		"redis://:p%40%2F%3F%23%3A%25w@h": func(c *redis.Config) { c.Password = "p@/?#:%w" },
		"redis://u:p:q@h/":                func(c *redis.Config) { c.User, c.Password = "u", "p:q" },
		"redis://[::1]/":                  func(c *redis.Config) { c.Hosts = []string{"[::1]:6379"} },
		"redis://[::1]:9/?prefix=a.B-_1":  func(c *redis.Config) { c.Hosts, c.Prefix = []string{"[::1]:9"}, "a.B-_1" },
		"redis://h?namespace=n":           func(c *redis.Config) { c.Namespace = "n" },
		"redis://a,b:2/3?mode=sentinel&master=m": func(c *redis.Config) {
			c.Hosts, c.DB, c.Mode, c.Master = []string{"a:26379", "b:2"}, 3, redis.Sentinel, "m"
		},
		"redis://a,b/0?mode=cluster":      func(c *redis.Config) { c.Hosts, c.Mode = []string{"a:6379", "b:6379"}, redis.Cluster },
		"redis://h?durability=memory":     func(*redis.Config) {},
		"redis://h?durability=disk":       func(c *redis.Config) { c.Durability.Disk = true },
		"redis://h?durability=replicas=2": func(c *redis.Config) { c.Durability.Replicas = 2 },
	} {
		want := plain
		change(&want)
		got, err := redis.ParseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", url, diff)
		}
		again, err := redis.ParseURL(redis.Reveal(&got))
		if diff := cmp.Diff(got, again); err != nil || diff != "" {
			t.Errorf("%s is written as %s: %v\n%s", url, redis.Reveal(&got), err, diff)
		}
	}
}

func TestBadURLsTellEverythingAtOnce(t *testing.T) {
	for url, problems := range map[string][]string{
		"":                            {"redis://"},
		"http://h":                    {"redis:// or rediss://"},
		"redis:h":                     {"redis://"},
		"redis://":                    {"host 1"},
		"redis:///0":                  {"host 1"},
		"redis://h:x":                 {"host 1", "port"},
		"redis://h:0":                 {"port"},
		"redis://h:70000":             {"port"},
		"redis://a:1:2":               {"host:port"},
		"redis://a b":                 {"host 1"},
		"redis://h/x":                 {"db", "number"},
		"redis://h/-1":                {"db"},
		"redis://h/0/1":               {"db"},
		"redis://a,b":                 {"mode=sentinel or mode=cluster"},
		"redis://u@h":                 {"no password"},
		"redis://h?mode=fast":         {"mode", "single, sentinel, cluster"},
		"redis://h?mode=sentinel":     {"master", "needs it"},
		"redis://h?master=m":          {"master"},
		"redis://h/3?mode=cluster":    {"database 0 only"},
		"redis://h?durability=ssd":    {"durability", "replicas=N"},
		"redis://h?durability=":       {"durability"},
		"redis://h?prefix={}":         {"prefix"},
		"redis://h?namespace=a:b":     {"namespace"},
		"redis://h?a=%zz":             {"percent-encoded"},
		"redis://h?mode=single&mode=": {"mode", "twice"},
		"redis://h?durability=replicas=0&color=red&modus=x&prefix=&db=1": {
			"replicas=N", "color: unknown", "modus: unknown", "prefix", "db: unknown",
		},
		"redis://a,:1,b c/x?mode=cluster&tls=yes": {"host 2", "host 3", "db", "tls: unknown"},
	} {
		_, err := redis.ParseURL(url)
		if oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("%s: %v, want ErrInvalid", url, err)
			continue
		}
		for _, part := range problems {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error %q does not say %q", url, err, part)
			}
		}
	}
}

// secret is what must not be seen.
const secret = "geheim"

func TestPasswordsAreNeverShown(t *testing.T) {
	for _, url := range []string{
		"redis://u:geheim@h", "redis://:geheim@h/x", "redis://u:geheim@h:x?y=z", "redis://u:ge/geheim@h", "redis://u:a?geheim@h",
		"redis://u:a#geheim@h", "redis://u:a@geheim@h", "redis://u:%geheim@h", "http://u:geheim@h", "redis://u:geheim", "redis://u:geheim@",
		"redis://u:geheim@h?password=geheim", "redis://u:a?mode=geheim@h", "redis://u:a/b?durability=geheim@h:1",
	} {
		c, err := redis.ParseURL(url)
		s, openErr := redis.Open(url, quiet)
		if s != nil {
			s.Close()
		}
		shown := fmt.Sprintf("%v %v %s %+v %#v %v", err, openErr, c.String(), c, c, c.LogValue())
		if s != nil {
			shown += s.String()
		}
		if strings.Contains(shown, secret) {
			t.Errorf("%s: shown in %s", url, shown)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"redis://h", "rediss://u:p%40@[::1]:1,b/0?mode=cluster&durability=replicas=3", "redis://:a@@/?/#b", "redis://h?mode=sentinel&master=%20", "redis://\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		c, err := redis.ParseURL(url)
		if err != nil {
			return
		}
		again, err := redis.ParseURL(redis.Reveal(&c))
		if diff := cmp.Diff(c, again); err != nil || diff != "" {
			t.Errorf("%q is written as %q: %v\n%s", url, redis.Reveal(&c), err, diff)
		}
	})
}
