package sql

import (
	"context"
	"strings"
)

// watchNulls warns about rows that are never read.
func (in *input) watchNulls(ctx context.Context) error {
	var where []string
	var names []string
	for i, p := range in.places {
		if c, ok := column(in.columns, p.column); ok && p.part != partKey && !c.NotNull {
			where, names = append(where, in.orders[i]+" IS NULL"), append(names, p.column)
		}
	}
	if where == nil {
		return nil
	}
	var n int64
	query := "SELECT count(*) FROM " + in.from + " WHERE " + strings.Join(where, " OR ")
	if err := in.db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return in.db.fail("count", in.what(), err)
	}
	if n > in.nulls {
		in.log.Warn("rows are never read because a column that orders them is NULL",
			"rows", n, "of", in.what(), "columns", listed(names))
	}
	in.nulls = n
	return nil
}
