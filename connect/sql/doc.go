// Package sql has the connectors sql-source and sql-sink, which move rows
// between tables and topics in the form of package row. What differs from
// database to database stands behind [Dialect]; there is one for SQLite.
//
// # URLs
//
// The scheme of connection.url chooses the dialect: sqlite:///path/x.db is the
// file /path/x.db, sqlite:x.db a file relative to where the gateway runs.
// Characters that mean something in a URL are percent-encoded.
//
// # Source
//
// The source only reads, also where the database would let it write. It looks
// up tables and columns before it reads, and again whenever they change. A
// column of a view or a query may have no declared type; its values then say
// their own.
//
// A bulk source reads each table once and is finished; a restart goes on where
// it stopped, so that a finished one has nothing left to do. To read again,
// its offsets are reset. A query or view without a key is read in one go, and
// from its beginning after a restart.
//
// An incrementing source reads the rows whose column is above the last one. A
// timestamp source reads the rows whose timestamp, in the order in which the
// database compares the column, is behind the last one; so a column should
// hold one format. SQLite's text, unix numbers of seconds to nanoseconds and
// julian days are understood. Rows of one timestamp are ordered by the
// incrementing column, and by the primary key; where there is neither, rows of
// one timestamp are read together. A row stays out until the clock has left
// its timestamp behind, to the digit that is stored and for
// timestamp.delay.interval.ms more, and so do all behind it: otherwise a row
// committed a little later with the same timestamp would be missed. Rows whose
// column is NULL are never read; they are counted and warned about.
//
// Deleted rows are not noticed, nor are updates by an incrementing source.
//
// # Sink
//
// A batch is one transaction, on disk when Put returns. With insert.mode
// upsert, rows replace those of the same key, so that a batch may come twice.
// A message that the table refuses is reported by its index after everything
// before it has been committed. Tables are created when auto.create allows it;
// they are never altered.
//
// # Errors
//
// Errors name table and column, and what there is instead. They never contain
// a URL. A database that is locked for too long is ErrBusy, a full disk
// ErrFull; both may be tried again.
package sql
