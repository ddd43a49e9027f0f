package redis

import (
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Classify is classify, for the black-box tests.
var Classify = classify

// Tune makes a store quick enough for tests.
func Tune(s *Store, poll, fsync time.Duration) {
	s.pollInterval, s.fsyncDelay, s.waitLimit = poll, fsync, 300*time.Millisecond
}

// Forget makes the next call examine the server again, as after a minute.
func Forget(s *Store) { s.health.server.Store(nil) }

// PositionsKey is the key of a connector's positions.
func PositionsKey(s *Store, connector string) string { return s.keys.positions(connector) }

// DefinitionsKey and MetaKey are the keys about all connectors.
func DefinitionsKey(s *Store) string { return s.keys.defs() }

// MembersKey is the key of the gateways that share the store.
func MembersKey(s *Store) string { return s.keys.members() }

// MetaKey is the key about the store.
func MetaKey(s *Store) string { return s.keys.meta() }

// Reveal is the text form of c with its password.
func Reveal(c *Config) string { return c.text(c.Password.Reveal()) }

// Client is the library's client of a store.
func Client(s *Store) goredis.UniversalClient { return s.client }
