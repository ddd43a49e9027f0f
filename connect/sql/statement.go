package sql

import (
	"errors"
	"fmt"
	"strings"
)

// oneStatement returns a query without the semicolon at its end. It refuses
// one that could end the parentheses it is put into, or that has a second
// statement. It knows the quotes and comments that databases have in common.
func oneStatement(query string) (string, error) {
	depth, end := 0, -1
	for i := 0; i < len(query); {
		n, space, err := sqlToken(query[i:])
		if err != nil {
			return "", err
		}
		switch c := query[i]; {
		case end >= 0 && !space && c != ';':
			return "", errors.New("it has more than one statement")
		case n > 1 || space:
		case c == ';':
			if end < 0 {
				end = i
			}
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
		if depth < 0 {
			return "", errors.New("it closes a parenthesis that it has not opened")
		}
		i += n
	}
	if depth > 0 {
		return "", errors.New("it opens a parenthesis that it does not close")
	}
	if end >= 0 {
		query = query[:end]
	}
	if query = strings.TrimSpace(query); query == "" {
		return "", errors.New("it is empty")
	}
	return query, nil
}

// sqlToken returns the length of what stands at the beginning of a non-empty
// query: something quoted, a comment, or a single character. Comments count
// as space.
func sqlToken(query string) (n int, space bool, err error) {
	switch c := query[0]; {
	case c == 0:
		return 0, false, errors.New("it has a NUL character")
	case strings.HasPrefix(query, "--"):
		if n = strings.IndexByte(query, '\n'); n < 0 {
			n = len(query)
		}
		return n, true, nil
	case strings.HasPrefix(query, "/*"):
		if n = strings.Index(query[2:], "*/"); n < 0 {
			return 0, false, errors.New("it has a comment without an end")
		}
		return n + 4, true, nil
	case strings.IndexByte("'\"`[", c) >= 0:
		closing := c
		if c == '[' {
			closing = ']'
		}
		// A doubled quote reads as two strings side by side, which is as good.
		if n = strings.IndexByte(query[1:], closing); n < 0 {
			return 0, false, fmt.Errorf("it has a %c without an end", c)
		}
		return n + 2, false, nil
	default:
		return 1, strings.IndexByte(" \t\r\n\f\v", c) >= 0, nil
	}
}
