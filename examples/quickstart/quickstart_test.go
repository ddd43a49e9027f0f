package main

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omconnect/omconnect"
)

// inFolder makes a folder with the configuration, and goes there.
func inFolder(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := createSource(t.Context(), sourceFile); err != nil {
		t.Fatal(err)
	}
}

// gateway runs the gateway of the quickstart on a port of its own.
func gateway(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	var stderr bytes.Buffer
	// A longer interval for the race detector's sake: nats-server starts the
	// timer of a stream before it has finished making the stream.
	args = append([]string{"run", "-c", config, "--listen", "127.0.0.1:0", "--broker", "oms:embedded:///?sync.interval.ms=1000"}, args...)
	if code := omconnect.Run(ctx, args, strings.NewReader(""), &stderr, &stderr); code != 0 {
		t.Errorf("exit %d:\n%s", code, &stderr)
	}
}

// execute runs a statement in the source, as any SQLite client does.
func execute(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", sourceFile+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// comment returns what the warehouse has of a zone.
func comment(t *testing.T, zone string) (text string) {
	t.Helper()
	db, err := sql.Open("sqlite", warehouseFile)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), `SELECT coalesce(comments, '') FROM timezones WHERE zone = ?`, zone).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func check(t *testing.T, rows, lines int) {
	t.Helper()
	if got := countRows(t.Context(), warehouseFile); got != rows {
		t.Errorf("the warehouse has %d rows, want %d", got, rows)
	}
	if got := countLines(linesFile); got != lines {
		t.Errorf("the file has %d lines, want %d", got, lines)
	}
}

const (
	addition = `INSERT INTO timezones (zone, countries, latitude, longitude) VALUES ('Moon/Tranquility', '', 0.6741, 23.4730)`
	change   = `UPDATE timezones SET comments = 'the first' WHERE id = 1`
)

func TestASecondRunGoesOnWhereTheFirstStopped(t *testing.T) {
	inFolder(t)
	gateway(t.Context(), t, "--until-idle")
	check(t, 312, 312)
	gateway(t.Context(), t, "--until-idle")
	check(t, 312, 312)
	execute(t, addition)
	execute(t, change)
	gateway(t.Context(), t, "--until-idle")
	check(t, 313, 314) // the changed row is one line more
	if got := comment(t, "Europe/Andorra"); got != "the first" {
		t.Errorf("the changed row has the comment %q", got)
	}
}

func TestARowAddedMeanwhileArrivesInBoth(t *testing.T) {
	inFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		gateway(ctx, t)
	}()
	var said bytes.Buffer
	announce(t.Context(), &said)
	for _, want := range []string{"312 time zones", warehouseFile, linesFile, "sqlite3 " + sourceFile} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not announced in:\n%s", want, &said)
		}
	}
	execute(t, addition)
	began := time.Now()
	announce(t.Context(), &said) // returns when both have every row
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("it took %s", took)
	}
	check(t, 313, 313)
	stop()
	<-ended
}

func TestTheSourceIsMadeOnce(t *testing.T) {
	inFolder(t)
	execute(t, change)
	if err := createSource(t.Context(), sourceFile); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", sourceFile)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var first, latitude, updated string
	row := db.QueryRowContext(t.Context(), `SELECT comments, typeof(latitude), updated_at FROM timezones WHERE id = 1`)
	if err := row.Scan(&first, &latitude, &updated); err != nil {
		t.Fatal(err)
	}
	if first != "the first" || latitude != "real" {
		t.Errorf("the first row has the comment %q and a latitude of type %s", first, latitude)
	}
	if countRows(t.Context(), sourceFile) != 312 {
		t.Errorf("there are %d rows", countRows(t.Context(), sourceFile))
	}
}

func TestAnnouncingEndsWithItsContext(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var said bytes.Buffer
	announce(ctx, &said)
	if said.Len() > 0 {
		t.Errorf("announced %q", &said)
	}
}
