package redis

import (
	"context"
	"errors"
	"regexp"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/omconnect/omconnect/oms"
)

// replies are the errors that a server answers with, by how they begin. None
// that may pass by itself is permanent: a gateway must not stop for good over
// what somebody is just mending.
var replies = []struct {
	prefix string
	code   oms.Code
	advice string
}{
	// The server has reached maxmemory and may not evict; nothing was written.
	{"OOM", oms.ErrFull, "raise maxmemory"},
	// It cannot write its file, mostly because the disk is full, and refuses
	// writes until it can.
	{"MISCONF", oms.ErrUnavailable, "see the server's log, its disk may be full"},
	// A replica, such as a master that was replaced and whose address is
	// still in use.
	{"READONLY", oms.ErrUnavailable, "this is a replica"},
	// It reads its file after a start.
	{"LOADING", oms.ErrUnavailable, ""},
	// min-replicas-to-write is not met.
	{"NOREPLICAS", oms.ErrUnavailable, "too few replicas are connected"},
	// A replica that has lost its master and may not answer.
	{"MASTERDOWN", oms.ErrUnavailable, ""},
	// Slots of the cluster are not served, or on the move. MOVED and ASK are
	// followed by the client, unless it does not know that this is a cluster.
	{"CLUSTERDOWN", oms.ErrUnavailable, ""},
	{"TRYAGAIN", oms.ErrUnavailable, ""},
	{"MOVED", oms.ErrUnavailable, "if this is a Redis Cluster, say mode=cluster"},
	{"ASK", oms.ErrUnavailable, "if this is a Redis Cluster, say mode=cluster"},
	// Somebody's script runs for seconds; or all connections are taken.
	{"BUSY", oms.ErrBusy, ""},
	{"ERR max number of clients reached", oms.ErrBusy, "raise maxclients"},
	// Scripts are sent again when the server has forgotten them. If it still
	// does not know one, it was flushed in between.
	{"NOSCRIPT", oms.ErrUnavailable, ""},
	// Rights. The server says what the user may not do.
	{"NOPERM", oms.ErrDenied, "give the user the commands and keys that the documentation lists"},
	{"ERR The user executing the script can't", oms.ErrDenied, "give the user the commands and keys that the documentation lists"},
	{"WRONGPASS", oms.ErrDenied, "check user and password of the state URL"},
	{"NOAUTH", oms.ErrDenied, "the state URL has no password, and the server wants one"},
	{"ERR AUTH", oms.ErrDenied, "check user and password of the state URL"},
	{"ERR invalid password", oms.ErrDenied, "check user and password of the state URL"},
	{"DENIED", oms.ErrDenied, "the server is in protected mode"},
	// A key of ours that somebody else uses.
	{"WRONGTYPE", oms.ErrFormat, "another program uses the same keys; give this one a prefix of its own"},
	// Mistakes in the URL, and servers that lack what is needed.
	{"ERR DB index is out of range", oms.ErrInvalid, "the server has fewer databases"},
	{"ERR invalid DB index", oms.ErrInvalid, "the server has fewer databases"},
	{"ERR SELECT is not allowed in cluster mode", oms.ErrInvalid, "a Redis Cluster has database 0 only"},
	{"ERR This instance has cluster support disabled", oms.ErrInvalid, "this is no Redis Cluster; leave out mode=cluster"},
	{"CROSSSLOT", oms.ErrInvalid, "this is a Redis Cluster; say mode=cluster"},
	{"ERR unknown command", oms.ErrUnsupported, "Redis 6.0 or newer is needed, with scripts"},
	{"ERR Protocol error", oms.ErrTooLarge, ""},
}

// inScript finds the reply of a command behind that of a script, as servers
// before 7.0 give it.
var inScript = regexp.MustCompile(`^ERR Error running script.*?: -?([A-Z]+ .*)`)

// classify returns the code of an error of the client or the server, and what
// to do about it, if that is not plain.
func classify(err error) (code oms.Code, advice string) {
	if code := oms.CodeOf(err); code != "" {
		return code, ""
	}
	var reply goredis.Error
	switch {
	case errors.Is(err, goredis.ErrClosed):
		return oms.ErrClosed, ""
	case errors.Is(err, context.DeadlineExceeded):
		return oms.ErrTimeout, ""
	case errors.Is(err, goredis.ErrPoolTimeout), errors.Is(err, goredis.ErrPoolExhausted):
		return oms.ErrBusy, ""
	case !errors.As(err, &reply):
		return oms.ErrUnavailable, "" // the network, or TLS
	}
	text := reply.Error()
	if m := inScript.FindStringSubmatch(text); m != nil {
		text = m[1]
	}
	for _, r := range replies {
		if strings.HasPrefix(text, r.prefix) {
			return r.code, r.advice
		}
	}
	return oms.ErrUnknown, ""
}
