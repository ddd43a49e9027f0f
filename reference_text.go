package omconnect

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/omconnect/omconnect/connect"
)

// keys adds a table of keys, or says that there are none.
func (p *page) keys(keys []connect.Key) {
	if len(keys) == 0 {
		p.add("\nIt has no keys of its own.\n")
		return
	}
	var rows [][]string
	for _, k := range keys {
		byDefault := "required"
		if !k.Required {
			byDefault = code(k.Default)
		}
		rows = append(rows, []string{
			code(k.Name), string(cmp.Or(k.Type, connect.String)), byDefault,
			sentences(markup(k.Doc), oneOf(k.Values), between(k), secret(k.Secret)),
		})
	}
	p.table([]string{"key", "type", "default", "meaning"}, rows)
}

// markup keeps text from being taken for markup, but for what stands between
// backquotes.
func markup(text string) string {
	parts := strings.Split(text, "`")
	for i := range parts {
		if i%2 == 0 {
			parts[i] = strings.NewReplacer("<", "&lt;", "*", `\*`, "_", `\_`).Replace(parts[i])
		}
		parts[i] = strings.ReplaceAll(parts[i], "|", `\|`)
	}
	return strings.ReplaceAll(strings.Join(parts, "`"), "\n", " ")
}

// code is a name or value as it is written in a configuration.
func code(text string) string {
	switch {
	case text == "":
		return ""
	case strings.TrimSpace(text) != text:
		text = fmt.Sprintf("%q", text)
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}

// sentences joins those that there are.
func sentences(all ...string) string {
	var b strings.Builder
	for _, s := range all {
		if s != "" && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s)
	}
	return b.String()
}

func oneOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return "One of: `" + strings.Join(values, "`, `") + "`."
}

// between is the range of a key that has one.
func between(k connect.Key) string {
	if k.Min == 0 && k.Max == 0 {
		return ""
	}
	return fmt.Sprintf("From %d to %d.", k.Min, k.Max)
}

func secret(is bool) string {
	if !is {
		return ""
	}
	return "Secret: it is never shown."
}

func limit(bytes int) string {
	if bytes == 0 {
		return "no limit"
	}
	return fmt.Sprintf("%d bytes", bytes)
}
