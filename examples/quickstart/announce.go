package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"time"
)

// The files of gateway.yaml.
const (
	sourceFile    = "data/quickstart/source.db"
	warehouseFile = "data/quickstart/warehouse.db"
	linesFile     = "data/quickstart/timezones.jsonl"
)

const arrived = `
%d time zones have gone through the broker into two places:

  %s     %d rows in the table timezones
  %s  %d lines

Add one with any SQLite client, and within about a second both have it:

  sqlite3 %s "INSERT INTO timezones (zone, countries, latitude, longitude) VALUES ('Moon/Tranquility', '', 0.6741, 23.4730)"
  tail -n 1 %s

See the connectors with

  curl -s 'http://127.0.0.1:8083/connectors?expand=status'

Ctrl-C stops the gateway; the next run goes on from there.
`

// announce says what has moved, once both sinks have every row.
func announce(ctx context.Context, w io.Writer) {
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		source, warehouse, lines := countRows(ctx, sourceFile), countRows(ctx, warehouseFile), countLines(linesFile)
		if source > 0 && warehouse == source && lines >= source { // a changed row is one more line
			_, _ = fmt.Fprintf(w, arrived, source, warehouseFile, warehouse, linesFile, lines, sourceFile, linesFile)
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// countRows counts the time zones of a database; 0 while it has no table.
func countRows(ctx context.Context, path string) (n int) {
	if _, err := os.Stat(path); err != nil {
		return 0
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return 0
	}
	defer db.Close() //nolint:errcheck // it was only read
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM timezones`).Scan(&n); err != nil {
		return 0
	}
	return n
}

// countLines counts the lines of a file; 0 while there is none.
func countLines(path string) int {
	text, err := os.ReadFile(path) //nolint:gosec // one of the files above
	if err != nil {
		return 0
	}
	return bytes.Count(text, []byte("\n"))
}
