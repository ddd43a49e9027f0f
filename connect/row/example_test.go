package row_test

import (
	"fmt"

	"github.com/omconnect/omconnect/connect/row"
)

func Example() {
	key, body, err := row.Encode(row.Row{
		Table: "cities",
		Columns: []row.Column{
			{Name: "id", Type: row.TypeInt64, Key: true},
			{Name: "name", Type: row.TypeText},
			{Name: "founded", Type: row.TypeDate},
		},
		Values: []any{int64(9007199254740993), "Ulm", nil},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := row.Decode(body)
	fmt.Println(string(key))
	fmt.Println(r.Values, err)
	// Output:
	// {"id":{"int64":"9007199254740993"}}
	// [9007199254740993 Ulm <nil>] <nil>
}
