package embedded

import (
	"errors"
	"strconv"
	"strings"
)

// A delivery is what the reply subject of a message tells.
type delivery struct {
	deliveries int
	offset     int64
	serial     uint64
	left       int // messages behind it in the stream
}

var errNoDelivery = errors.New("its reply subject is not that of a delivery")

// readDelivery reads $JS.ACK.<stream>.<consumer>.<deliveries>.<stream
// sequence>.<consumer sequence>.<time>.<pending>, with domain and account
// between ACK and stream on some servers.
func readDelivery(reply string) (delivery, error) {
	const before, fields = 4, 5 // tokens before, and those that are read
	skip := before
	if strings.Count(reply, ".") > 8 {
		skip += 2
	}
	rest, ok := strings.CutPrefix(reply, "$JS.ACK.")
	for range skip - 2 {
		_, rest, _ = strings.Cut(rest, ".")
	}
	var n [fields]uint64
	for i := range n {
		var token string
		var err error
		token, rest, _ = strings.Cut(rest, ".")
		if n[i], err = strconv.ParseUint(token, 10, 63); err != nil || !ok {
			return delivery{}, errNoDelivery
		}
	}
	return delivery{deliveries: int(n[0]), offset: int64(n[1]), serial: n[2], left: int(n[4])}, nil //nolint:gosec // 63 bits
}
