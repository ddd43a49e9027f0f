package main

import (
	"bytes"
	"context"
	"database/sql"
	_ "embed" // the rows
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the database
)

//go:embed timezones.csv
var rows []byte // SOURCE.md tells where they come from

// schema has a column that grows and one that tells of changes, so that the
// gateway sees new and changed rows. Milliseconds are for its speed: a row
// waits until the clock has left its timestamp behind.
const schema = `
CREATE TABLE IF NOT EXISTS timezones (
	id         INTEGER PRIMARY KEY,
	zone       TEXT NOT NULL UNIQUE,
	countries  TEXT NOT NULL,
	latitude   REAL NOT NULL,
	longitude  REAL NOT NULL,
	comments   TEXT,
	updated_at TIMESTAMP NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
CREATE TRIGGER IF NOT EXISTS timezones_changed AFTER UPDATE OF zone, countries, latitude, longitude, comments ON timezones
BEGIN
	UPDATE timezones SET updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id;
END`

// createSource makes the database, if it is not there yet, in one transaction.
func createSource(ctx context.Context, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing is left to roll back after the commit
	var there int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'timezones'`).Scan(&there); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if there > 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	records, err := csv.NewReader(bytes.NewReader(rows)).ReadAll()
	if err != nil {
		return err
	}
	for _, r := range records[1:] { // behind the header
		_, err := tx.ExecContext(ctx,
			`INSERT INTO timezones (id, zone, countries, latitude, longitude, comments) VALUES (?, ?, ?, ?, ?, nullif(?, ''))`,
			r[0], r[1], r[2], r[3], r[4], r[5])
		if err != nil {
			return fmt.Errorf("row %s: %w", r[0], err)
		}
	}
	return tx.Commit()
}
