package redis

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/offsets"
)

// The keys. Everything that is about all connectors is in one slot of a
// cluster, everything about one connector in another: what stands in braces
// makes the slot. The fields of
//
//	omc:{ns}:meta               store_id, schema, min_reader, created_by, rev
//	omc:{ns}:defs               name → definition
//	omc:{ns}:members            gateway → until when, member
//	omc:{ns:name}:pos           partition → position; !owner:<task> → token,
//	                            !holder:<task> → gateway, !tasks, !rev;
//	                            !broker → broker of the positions, !adopted →
//	                            uuid of the call that noted it
//	omc:{ns:name}:lease:<task>  a string, the token, for as long as it is held
//	omc:{ns:name}:status        task → until when, status
//
// that begin with ! cannot be partitions, which are JSON objects. A connector
// of which more than the broker is known has !rev. Leases, statuses and members
// expire, and nothing else. A task is held while its lease is there and has the
// same token as !owner:<task>: to revoke a lease it is enough to change the
// owner.
type keys struct {
	prefix, namespace string
}

func (k keys) meta() string { return k.prefix + ":{" + k.namespace + "}:meta" }
func (k keys) defs() string { return k.prefix + ":{" + k.namespace + "}:defs" }

func (k keys) members() string { return k.prefix + ":{" + k.namespace + "}:members" }

func (k keys) positions(connector string) string { return k.connector(connector) + "pos" }
func (k keys) status(connector string) string    { return k.connector(connector) + "status" }

func (k keys) lease(o offsets.Owner) string {
	return k.connector(o.Connector) + "lease:" + strconv.Itoa(o.Task)
}

func (k keys) connector(name string) string {
	return k.prefix + ":{" + k.namespace + ":" + encode(name) + "}:"
}

// allPositions is the pattern of the keys of positions.
func (k keys) allPositions() string {
	escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`)
	return escape.Replace(k.prefix) + ":{" + escape.Replace(k.namespace) + ":*}:pos"
}

// connectorOf returns the connector whose positions are at a key.
func (k keys) connectorOf(key string) (string, bool) {
	encoded, ok := strings.CutPrefix(key, k.prefix+":{"+k.namespace+":")
	if !ok {
		return "", false
	}
	encoded, ok = strings.CutSuffix(encoded, "}:pos")
	if !ok {
		return "", false
	}
	name, err := url.PathUnescape(encoded)
	return name, err == nil && encode(name) == encoded
}

// encode percent-encodes every byte that is not a letter, a digit, or one of
// - _ and dot, so that no name runs into the rest of a key.
func encode(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
