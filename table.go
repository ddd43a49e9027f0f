package omconnect

import (
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/omconnect/omconnect/internal/redact"
)

// writeTable writes rows in columns, under a head if there is one. The last
// column is not padded. Everything in it can come from elsewhere, so control
// characters are escaped.
func writeTable(w io.Writer, head []string, rows [][]string) error {
	if head != nil {
		rows = append([][]string{head}, rows...)
	}
	var widths []int
	for _, row := range rows {
		for i := range row {
			row[i] = printable(redact.Text(row[i]))
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeJSON writes a value for programs to read.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
