package sql

import (
	"fmt"

	"github.com/omconnect/omconnect/connect"
)

// LimitPages has the sink's database take no more than n pages, as if the disk
// were full then.
func LimitPages(s connect.Sink, n int) error {
	_, err := s.(*sink).db.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", n))
	return err
}

// Pragma returns a setting of the sink's connection.
func Pragma(s connect.Sink, name string) (value string, err error) {
	err = s.(*sink).db.QueryRow("PRAGMA " + name).Scan(&value)
	return value, err
}

// OneStatement is oneStatement.
var OneStatement = oneStatement

// ReadyAt is readyAt.
var ReadyAt = readyAt

// SQLite is the dialect of SQLite.
var SQLite Dialect = sqlite{}

// WithDialect has URLs of the scheme opened by the dialect until the returned
// function is called.
func WithDialect(scheme string, d Dialect) (undo func()) {
	dialects[scheme] = d
	return func() { delete(dialects, scheme) }
}

// A Place is a place, and Places are what FormatPosition and ParsePosition
// take.
type Place = place

// PlaceOf returns a place.
func PlaceOf(part, column string) Place { return place{part, column} }

// The functions of positions.
var (
	FormatPosition = formatPosition
	ParsePosition  = parsePosition
)
