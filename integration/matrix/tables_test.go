package matrix

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver named sqlite
)

// tables are two databases, one for a source and one for a sink.
type tables struct {
	t        *testing.T
	from, to *sql.DB
}

// newDB makes a database with what the statements make in it.
func newDB(t *testing.T, path string, statements ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// write runs a statement for each of the records in one transaction.
func (p tables) write(from, to int, statement func(number int) (query string, args []any)) {
	p.t.Helper()
	tx, err := p.from.BeginTx(p.t.Context(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing, once it is committed
	for number := from; number <= to; number++ {
		query, args := statement(number)
		if _, err := tx.ExecContext(p.t.Context(), query, args...); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		p.t.Fatal(err)
	}
}

// history is a table of a database, read in the order of its writing.
type history struct {
	db    *sql.DB
	query string // has place, number, key and text behind a place
	place int64
}

func (h *history) more() ([]delivery, error) {
	rows, err := h.db.QueryContext(context.Background(), h.query, h.place)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []delivery
	for rows.Next() {
		var d delivery
		if err := rows.Scan(&h.place, &d.number, &d.key, &d.text); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// events are rows that are only added, each for one of many keys.
type events struct{ tables }

func newEvents(t *testing.T, dir string, _ int) plant {
	t.Helper()
	return &events{tables{
		t:    t,
		from: newDB(t, filepath.Join(dir, "events.db"), `CREATE TABLE events (number INTEGER PRIMARY KEY, key TEXT NOT NULL, text TEXT NOT NULL)`),
		// Rows get their place when they are written; a repeated one gets another.
		to: newDB(t, filepath.Join(dir, "copies.db"), `CREATE TABLE copy (place INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER, key TEXT, text TEXT)`),
	}}
}

func (p *events) feed(from, to int) {
	p.t.Helper()
	p.write(from, to, func(number int) (string, []any) {
		return `INSERT INTO events (number, key, text) VALUES (?, ?, ?)`, []any{number, keyOf(number), padOf(number)}
	})
}

func (*events) records(n int) []record {
	all := make([]record, n)
	for i := range all {
		all[i] = record{key: keyOf(i + 1), text: padOf(i + 1), must: true}
	}
	return all
}

func (p *events) outlets() []outlet {
	return []outlet{&history{db: p.to, query: `SELECT place, number, key, text FROM copy WHERE place > ? ORDER BY place`}}
}

// rows are added and changed; a change gets the next number, and is a record
// of the row's key. Triggers keep what was written to the copy.
type rows struct {
	tables
	keys []int // of each number, the id of the row
}

func newRows(t *testing.T, dir string, total int) plant {
	t.Helper()
	p := &rows{tables: tables{
		t:    t,
		from: newDB(t, filepath.Join(dir, "from.db"), `CREATE TABLE rows (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, text TEXT NOT NULL, changed INTEGER NOT NULL)`),
		to: newDB(t, filepath.Join(dir, "to.db"),
			`CREATE TABLE copy (id INTEGER PRIMARY KEY, number INTEGER, text TEXT, changed INTEGER)`,
			`CREATE TABLE history (place INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER, number INTEGER, text TEXT)`,
			`CREATE TRIGGER added AFTER INSERT ON copy BEGIN INSERT INTO history (id, number, text) VALUES (new.id, new.number, new.text); END`,
			`CREATE TRIGGER changed AFTER UPDATE ON copy BEGIN INSERT INTO history (id, number, text) VALUES (new.id, new.number, new.text); END`,
		),
	}}
	// Of four numbers three are new rows, and one is a change of a row of the
	// portion before: read already, as a rule.
	for number, added := 1, 0; number <= total; number++ {
		id := 0
		if behind := added - total/10; number%4 == 0 && behind > 0 {
			id = behind
		} else {
			added++
			id = added
		}
		p.keys = append(p.keys, id)
	}
	return p
}

func (p *rows) feed(from, to int) {
	p.t.Helper()
	p.write(from, to, func(number int) (string, []any) {
		// What the source reads grows with from: it has the time in unix seconds.
		return `INSERT INTO rows (id, number, text, changed) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (id) DO UPDATE SET number = ?2, text = ?3, changed = ?4`, []any{p.keys[number-1], number, padOf(number), from}
	})
}

func (p *rows) records(n int) []record {
	all := make([]record, n)
	last := make(map[int]int, n)
	for i := range all {
		all[i] = record{key: fmt.Sprint(p.keys[i]), text: padOf(i + 1)}
		last[p.keys[i]] = i
	}
	for _, i := range last {
		all[i].must = true // nothing has changed the row since
	}
	return all
}

func (p *rows) outlets() []outlet {
	return []outlet{&history{db: p.to, query: `SELECT place, number, id, text FROM history WHERE place > ? ORDER BY place`}}
}

// same returns nil if the copy has the rows of the source and no others.
func (p *rows) same() error {
	var wrong []string
	seen := 0
	copies, err := p.to.QueryContext(context.Background(), `SELECT id, number, text, changed FROM copy ORDER BY id`)
	if err != nil {
		return err
	}
	defer copies.Close()
	originals, err := p.from.QueryContext(context.Background(), `SELECT id, number, text, changed FROM rows ORDER BY id`)
	if err != nil {
		return err
	}
	defer originals.Close()
	for {
		var want, got struct {
			id, number, changed int64
			text                string
		}
		more, too := originals.Next(), copies.Next()
		if !more && !too {
			break
		}
		if more {
			err = originals.Scan(&want.id, &want.number, &want.text, &want.changed)
		}
		if err == nil && too {
			err = copies.Scan(&got.id, &got.number, &got.text, &got.changed)
		}
		if err != nil {
			return err
		}
		if want != got && len(wrong) < 4 {
			wrong = append(wrong, fmt.Sprintf("row %v became %v", want, got))
		}
		seen++
	}
	if len(wrong) > 0 || seen == 0 {
		return fmt.Errorf("the tables differ, of %d rows: %q", seen, wrong)
	}
	return nil
}
