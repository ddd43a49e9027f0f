package broker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// hopsHeader has the bridges that a record has passed, in order.
const hopsHeader = "oms-hops"

// mostHops is how many bridges a record may pass.
const mostHops = 32

// bridgeID names a bridge: by its connector, and by its two brokers, since
// another installation may have a connector of that name.
func bridgeID(connector string, from, to oms.AccessPoint) string {
	sum := sha256.Sum256([]byte(from.String() + "\n" + to.String()))
	return url.QueryEscape(connector) + "/" + hex.EncodeToString(sum[:4])
}

// pass returns the hops of a record once it has passed the bridge, "" for a
// bridge that does not add itself.
func (b *bridge) pass(m *oms.Message) (string, error) {
	if b.id == "" {
		return "", nil
	}
	before := m.Headers.Text(hopsHeader)
	if before == "" {
		return b.id, nil
	}
	hops := strings.Split(before, ",")
	switch {
	case slices.Contains(hops, b.id):
		return "", refuse(m, oms.ErrInvalid, fmt.Errorf("bridges go round in a circle: the record has passed this one before, by the header %s; "+
			"change a topic so that it does not come back, or set %s=%s", hopsHeader, keyLoop, loopOff))
	case len(hops) >= mostHops:
		return "", refuse(m, oms.ErrInvalid, fmt.Errorf("the record has passed %d bridges, by the header %s; that is taken for a circle", len(hops), hopsHeader))
	}
	return before + "," + b.id, nil
}
