package driver

import (
	"context"
	dbsql "database/sql"
	"net/url"

	_ "modernc.org/sqlite" // the database

	"github.com/omconnect/omconnect/oms"
)

// Name is the name under which the driver is registered.
const Name = "file"

// maxBody is the largest body that is taken.
const maxBody = 8 << 20

func init() { oms.Register(Name, Driver{}) }

// A Driver opens brokers in files.
type Driver struct{}

var (
	_ oms.Driver    = Driver{}
	_ oms.Described = Driver{}
)

// Options implements oms.Described.
func (Driver) Options() []oms.OptionDoc {
	return []oms.OptionDoc{{Name: "path", Doc: "The SQLite file; required, and made if it is missing."}}
}

// Open implements oms.Driver. Everything that is wrong is named at once, and
// nothing is touched.
func (Driver) Open(_ context.Context, ap oms.AccessPoint) (oms.Conn, error) {
	r := ap.Options.Reader()
	path := r.String("path")
	if len(ap.Hosts) > 0 || ap.User != "" || ap.Region != "" {
		r.Problem("host", "a file has neither host, user nor region; write oms:%s:///?path=FILE", Name)
	}
	if err := r.Err(); err != nil {
		return nil, failure("open", ap.String(), oms.ErrInvalid, err)
	}
	// A transaction takes the lock when it begins: one that found out later
	// that another writes would have to be done again.
	db, err := dbsql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, coded("open", path, err)
	}
	db.SetMaxOpenConns(1)
	return &conn{db: db, path: path, news: make(chan struct{}), open: make(map[closer]bool)}, nil
}

// Capabilities implements oms.Driver.
func (Driver) Capabilities(oms.AccessPoint) oms.Capabilities {
	c := oms.Claim(
		oms.CreateTopic, oms.DeleteTopic, oms.ManageGroups, oms.ReportLag,
		oms.MessageKey, oms.BinaryHeaders, oms.RepeatedHeaders, oms.NilHeaders, oms.Tombstones,
		oms.Persistent, oms.Groups, oms.Backlog, oms.DeliveryCount,
	)
	c.MaxBody = maxBody
	c.Claims[oms.Expiry] = oms.Support{Claimed: true, Emulated: true, Note: "kept with the message; the front drops what has expired"}
	for name, why := range map[oms.Capability]string{
		oms.OrderPerKey: "the members of a group take turns", oms.Partitioned: "a topic is one queue",
		oms.ExplicitPartition: "a topic is one queue", oms.PauseReceive: "a topic is one queue",
		oms.Seek: "there are no offsets", oms.OffsetForTime: "there are no offsets", oms.GroupPositions: "there are no offsets",
		oms.Replay: "what a group has acknowledged is not kept for it",
		oms.Nack:   "not built", oms.Delay: "not built", oms.Priority: "not built", oms.Transactions: "not built",
		oms.ForeignMembers: "who reads the file by other means is in no list",
		oms.HalfMessages:   "not built", oms.BrokerIdentity: "a copy of the file would have the same",
	} {
		c.Claims[name] = oms.Support{Note: why}
	}
	return c
}
