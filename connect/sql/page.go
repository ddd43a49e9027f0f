package sql

import (
	"context"
	dbsql "database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// maxPage is about how many bytes of rows are read at a time.
const maxPage = 4 << 20

// A record is a row that was read, with the values of the places.
type record struct {
	values []any
	at     []any
}

// A page is some rows in order.
type page struct {
	records []record
	end     bool // there is nothing behind them
}

// read returns the messages of the next rows, and how long it takes until one
// that is too young is ready.
func (in *input) read(ctx context.Context) ([]*oms.Message, time.Duration, error) {
	if in.done {
		return nil, 0, nil
	}
	if in.places == nil {
		msgs, err := in.readOn(ctx)
		return msgs, 0, err
	}
	const attempts = 5
	for range attempts {
		p, held, err := in.fetch(ctx)
		if err = in.db.fail("read", in.what(), err); oms.IsTemporary(err) || ctx.Err() != nil {
			return nil, 0, err
		}
		version, errVersion := in.db.Dialect.Version(ctx, in.db)
		if errVersion != nil {
			return nil, 0, in.db.fail("read the version of", in.what(), errVersion)
		}
		if version != in.version {
			// What was read may not be what the columns say any more.
			if err := in.redescribe(ctx); err != nil {
				return nil, 0, err
			}
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		msgs, err := in.messages(p)
		return msgs, held, err
	}
	return nil, 0, &oms.Error{
		Op: "read", Driver: in.db.Name, Target: in.what(), Code: oms.ErrBusy,
		Err: fmt.Errorf("the database's tables were changed during each of %d attempts", attempts),
	}
}

// fetch reads the next page. Rows that cannot be told apart by their place are
// on one page, however long it gets: there is no position between them.
func (in *input) fetch(ctx context.Context) (page, time.Duration, error) {
	for limit := in.cfg.rows + 1; ; limit *= 2 {
		p, err := in.scan(ctx, limit)
		if err != nil {
			return page{}, 0, err
		}
		held := in.holdYoung(&p)
		if p.end || held > 0 {
			return p, held, nil
		}
		if n := in.wholeGroups(p.records); n > 0 {
			p.records = p.records[:n]
			return p, 0, nil
		}
	}
}

// wholeGroups returns how many of the records are sure not to share their
// place with the one behind them.
func (in *input) wholeGroups(records []record) int {
	n := len(records) - 1
	for !in.unique && n > 0 && samePlace(records[n-1], records[n]) {
		n--
	}
	return n
}

func samePlace(a, b record) bool { return slices.EqualFunc(a.at, b.at, identical) }

// scan reads up to limit rows, and fewer if they are large.
func (in *input) scan(ctx context.Context, limit int) (p page, err error) {
	query, args, err := in.statement(limit)
	if err != nil {
		return p, err
	}
	rows, err := in.db.QueryContext(ctx, query, args...)
	if err != nil {
		return p, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	size := 0
	for rows.Next() {
		r, n, err := in.record(rows)
		if err != nil {
			return p, err
		}
		p.records = append(p.records, r)
		if size += n; size > maxPage && in.wholeGroups(p.records) == len(p.records)-1 && len(p.records) > 1 {
			return p, nil
		}
	}
	p.end = len(p.records) < limit
	return p, rows.Err()
}

// record reads the current row, and returns about how large it is.
func (in *input) record(rows *dbsql.Rows) (record, int, error) {
	raw := make([]any, len(in.columns)+len(in.places))
	into := make([]any, len(raw))
	for i := range raw {
		into[i] = &raw[i]
	}
	if err := rows.Scan(into...); err != nil {
		return record{}, 0, err
	}
	size := 0
	for i, v := range raw {
		switch v := v.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
		raw[i] = in.db.Dialect.Read(in.types[i], v)
		size += 16
	}
	return record{raw[:len(in.columns):len(in.columns)], raw[len(in.columns):]}, size, nil
}

// holdYoung ends the page before the first row whose timestamp the clock has
// not left behind, and returns how long that takes. What is behind that row
// waits too, or its position would leave the row behind.
func (in *input) holdYoung(p *page) time.Duration {
	if in.cfg.timestamp == "" {
		return 0
	}
	now := time.Now()
	for i, r := range p.records {
		ready, ok := readyAt(r.at[0], in.cfg.zone)
		if !ok {
			continue
		}
		held := ready.Add(in.cfg.delay).Sub(now)
		if held <= 0 {
			continue
		}
		const noticeable = time.Minute
		if held > in.cfg.delay+noticeable && !ready.Equal(in.future) {
			in.future = ready
			in.log.Warn("a row waits for its timestamp, which is in the future by this gateway's clock; is "+keyZone+" right?",
				"of", in.what(), "column", in.places[0].column, "waits", held.Round(time.Second).String())
		}
		p.records = p.records[:i]
		return held
	}
	return 0
}

// messages turns a page into messages, and goes on behind it.
func (in *input) messages(p page) ([]*oms.Message, error) {
	msgs := make([]*oms.Message, len(p.records))
	version := ""
	if in.byRowID {
		version = in.version
	}
	for i, r := range p.records {
		last := i == len(p.records)-1
		position := ""
		switch {
		case last && p.end && in.cfg.bulk:
			position = donePosition
		case !in.unique && !last && samePlace(r, p.records[i+1]):
			// There is no position between rows of one place.
		default:
			var err error
			if position, err = formatPosition(in.places, r.at, version); err != nil {
				return nil, err
			}
		}
		var err error
		if msgs[i], err = in.message(r.values, position); err != nil {
			return nil, err
		}
	}
	if len(p.records) > 0 {
		in.after = p.records[len(p.records)-1].at
	}
	in.done = in.cfg.bulk && p.end
	return msgs, nil
}

func (in *input) message(values []any, position string) (*oms.Message, error) {
	key, body, err := in.encoder.Encode(values)
	if err != nil {
		return nil, &oms.Error{Op: "read", Driver: in.db.Name, Target: in.what(), Err: err, Code: oms.ErrFormat}
	}
	return &oms.Message{Topic: in.topic, Key: key, Body: body, Origin: &oms.Origin{Partition: in.partition, Position: position}}, nil
}
