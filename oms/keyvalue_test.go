package oms_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/omconnect/omconnect/oms"
)

func ExampleKeyValue_Reader() {
	config := oms.KeyValue{"file": "/tmp/x", "poll.ms": "soon", "colour": "red", "formt": "csv"}
	r := config.Reader()
	_ = r.String("file")
	_ = r.String("topic")
	_ = r.OneOf("format", "lines", "csv")
	_ = r.Millis("poll.ms", time.Second)
	problems, _ := errors.AsType[oms.KeyErrors](r.Err())
	for _, p := range problems {
		fmt.Println(p)
	}
	// Output:
	// colour: unknown key
	// formt: unknown key (did you mean format?)
	// poll.ms: "soon" is not a number of milliseconds
	// topic: missing: this key is required
}

func TestReaderReadsEveryType(t *testing.T) {
	r := oms.KeyValue{
		"s": "text", "i": "-7", "l": "9007199254740993", "f": "2.5", "b": "TRUE", "ms": "1500", "list": " a, b ,,c", "one": "x", "empty": "",
	}.Reader()
	switch {
	case r.String("s") != "text", r.Int("i") != -7, r.Int64("l") != 9007199254740993, r.Float("f") != 2.5, !r.Bool("b"),
		r.Millis("ms") != 1500*time.Millisecond, !slices.Equal(r.List("list"), []string{"a", "b", "c"}), r.OneOf("one", "y", "x") != "x",
		r.String("empty", "default") != "":
		t.Error("a value was not read as it is")
	}
	if !r.Has("s") || r.Has("none") {
		t.Error("Has is wrong")
	}
	if err := r.Err(); err != nil || r.Problems() != 0 {
		t.Errorf("Err = %v", err)
	}
}

func TestReaderReturnsDefaults(t *testing.T) {
	r := oms.KeyValue{}.Reader()
	switch {
	case r.String("s", "d") != "d", r.Int("i", 1) != 1, r.Int64("l", 2) != 2, r.Float("f", 3) != 3, !r.Bool("b", true),
		r.Millis("ms", time.Hour) != time.Hour, !slices.Equal(r.List("list", []string{"x"}), []string{"x"}), r.OneOf("one", "y", "x") != "y":
		t.Error("a default was not returned")
	}
	if err := r.Err(); err != nil {
		t.Errorf("Err = %v", err)
	}
}

func TestReaderRemembersEveryProblem(t *testing.T) {
	bad := map[string]func(*oms.KeyValueReader){
		"":                    func(r *oms.KeyValueReader) { r.String("k") },
		"1.5":                 func(r *oms.KeyValueReader) { r.Int("k") },
		"0x10":                func(r *oms.KeyValueReader) { r.Int64("k", 1) },
		"NaN":                 func(r *oms.KeyValueReader) { r.Float("k") },
		"yes":                 func(r *oms.KeyValueReader) { r.Bool("k", true) },
		"9223372036854775807": func(r *oms.KeyValueReader) { r.Millis("k") },
		",":                   func(r *oms.KeyValueReader) { r.List("k") },
		"z":                   func(r *oms.KeyValueReader) { r.OneOf("k", "x", "y") },
		"any":                 func(r *oms.KeyValueReader) { r.Problem("k", "no") },
		"unread":              func(*oms.KeyValueReader) {},
	}
	for value, read := range bad {
		r := oms.KeyValue{"k": value}.Reader()
		read(r)
		err := r.Err()
		problems, ok := errors.AsType[oms.KeyErrors](err)
		if !ok || len(problems) != 1 || problems[0].Key != "k" || !errors.Is(err, oms.ErrInvalid) || oms.CodeOf(err) != oms.ErrInvalid {
			t.Errorf("%q: Err = %v, want one problem with k", value, err)
		}
	}
	r := oms.KeyValue{"k": "v"}.Reader()
	r.Ignore("k")
	if err := r.Err(); err != nil {
		t.Errorf("an ignored key: %v", err)
	}
}
