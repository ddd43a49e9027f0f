package row

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// readValue reads a value of a column of type t.
func readValue(dec *json.Decoder, t Type) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, unquoted(err)
	}
	switch token := token.(type) {
	case nil:
		return nil, nil
	case json.Delim:
		if token != '{' {
			return nil, errors.New("a list is not a value")
		}
		return readTagged(dec)
	}
	if t == TypeAny {
		return anyValue(token)
	}
	return plainValue(token, t)
}

// readTagged reads the rest of an object that says the type of its value.
func readTagged(dec *json.Decoder) (any, error) {
	tag, err := dec.Token()
	if err != nil {
		return nil, unquoted(err)
	}
	name, ok := tag.(string)
	if !ok {
		return nil, errors.New("an empty object is not a value")
	}
	token, err := dec.Token()
	if err != nil {
		return nil, unquoted(err)
	}
	if name == string(TypeAny) || (name != rawText && !known(Type(name))) {
		return nil, errors.New("what its object names is not the type of a value")
	}
	v, err := plainValue(token, Type(name))
	if err != nil {
		return nil, err
	}
	if end, err := dec.Token(); err != nil || end != json.Delim('}') {
		return nil, errors.New("an object that is a value has one member, its type")
	}
	return v, nil
}

// anyValue takes what says its type itself.
func anyValue(token json.Token) (any, error) {
	switch token := token.(type) {
	case bool, string:
		return token, nil
	case json.Number:
		if strings.ContainsAny(token.String(), ".eE") {
			return plainValue(token, TypeFloat64)
		}
		return plainValue(token, TypeInt64)
	}
	return nil, fmt.Errorf("%s is not a value", kindOf(token))
}

// kindOf names the kind of a token: what a row holds is never quoted.
func kindOf(token json.Token) string {
	switch token.(type) {
	case nil:
		return "null"
	case bool:
		return "the boolean"
	case string:
		return "the text"
	case json.Number:
		return "the number"
	}
	return "the object or list"
}

// plainValue takes the plain form of type t.
func plainValue(token json.Token, t Type) (any, error) {
	var v any
	ok := false
	s, isString := token.(string)
	switch t {
	case TypeInt64:
		v, ok = readInt(token)
	case TypeFloat64:
		v, ok = readFloat(token)
	case TypeBoolean:
		v, ok = token.(bool)
	case TypeText:
		v, ok = token, isString
	case rawText:
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		v, ok = string(b), isString && err == nil
	case TypeBytes:
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		v, ok = b, isString && err == nil
	case TypeDecimal:
		v, ok = Decimal(s), Decimal(s).Valid()
	case TypeDate:
		v, ok = Date(s), Date(s).Valid()
	case TypeTime:
		v, ok = Time(s), Time(s).Valid()
	case TypeTimestamp:
		v, ok = Timestamp(s), Timestamp(s).Valid()
	case TypeTimestampTZ:
		v, ok = TimestampTZ(s), TimestampTZ(s).Valid()
	case TypeAny:
	}
	if !ok {
		return nil, fmt.Errorf("%s is not the plain form of %s", kindOf(token), t)
	}
	return v, nil
}

func readInt(token json.Token) (int64, bool) {
	var s string
	switch token := token.(type) {
	case string:
		s = token
	case json.Number:
		s = string(token)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && canonical(s)
}

// canonical reports whether a whole number is written in the one form that it
// has: without a plus, without zeros before it, and zero without a minus.
func canonical(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return s == "0" || digits != "" && digits[0] >= '1' && digits[0] <= '9'
}

func readFloat(token json.Token) (float64, bool) {
	switch token {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	n, ok := token.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}
