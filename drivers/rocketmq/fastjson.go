package rocketmq

import (
	"encoding/json"
	"fmt"
)

// decodeJSON reads what brokers call JSON: the keys of their maps with numbers
// stand there without quotes.
func decodeJSON(body []byte, v any) error {
	if err := json.Unmarshal(quoteKeys(body), v); err != nil {
		return fmt.Errorf("the body of an answer: %w", err)
	}
	return nil
}

// quoteKeys puts quotes around keys that are whole numbers.
func quoteKeys(in []byte) []byte {
	out := make([]byte, 0, len(in)+16)
	for i := 0; i < len(in); i++ {
		c := in[i]
		if c == '"' {
			end := stringEnd(in, i)
			out = append(out, in[i:end]...)
			i = end - 1
			continue
		}
		out = append(out, c)
		if c != '{' && c != ',' {
			continue
		}
		end := i + 1
		for end < len(in) && (in[end] >= '0' && in[end] <= '9' || in[end] == '-') {
			end++
		}
		if end > i+1 && end < len(in) && in[end] == ':' {
			out = append(out, '"')
			out = append(out, in[i+1:end]...)
			out = append(out, '"')
			i = end - 1
		}
	}
	return out
}

// stringEnd returns the index behind the string that begins at i.
func stringEnd(in []byte, i int) int {
	for j := i + 1; j < len(in); j++ {
		switch in[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(in)
}
