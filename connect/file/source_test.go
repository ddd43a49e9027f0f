package file_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestLinesAreRecordsByteForByte(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"empty file", "", nil},
		{"one line", "a\n", []string{"a"}},
		{"no newline at the end", "a\nb", []string{"a", "b"}},
		{"empty lines", "\n\na\n\n", []string{"", "", "a", ""}},
		{"carriage returns stay", "a\r\nb\r\n\r\n", []string{"a\r", "b\r", "\r"}},
		{"any bytes", "\x00\xff\xfe\n\xef\xbb\xbfx\n", []string{"\x00\xff\xfe", "\xef\xbb\xbfx"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs := read(t, oms.KeyValue{"file": file(t, tt.content)}, "").all()
			wantBodies(t, msgs, tt.want...)
			for _, m := range msgs {
				if m.Body == nil || m.Key != nil || m.Topic != "" {
					t.Errorf("message %+v has no body, or a key or topic", m)
				}
			}
		})
	}
}

func TestJSONLinesAreCheckedAndKept(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"as they stand", "{ \"a\" : 1.0 }\r\n[1,  2]\n\"x\"", []string{`{ "a" : 1.0 }`, "[1,  2]", `"x"`}},
		{"blank lines are skipped", "\n{}\n \t\r\n\n1\n\n", []string{"{}", "1"}},
		{"byte order mark", "\xef\xbb\xbf{}\n", []string{"{}"}},
		{"byte order mark alone", "\xef\xbb\xbf", nil},
		{"part of one", "\n\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantBodies(t, read(t, oms.KeyValue{"file": file(t, tt.content), "format": "json"}, "").all(), tt.want...)
		})
	}
}

func TestMalformedJSONNamesFileAndLine(t *testing.T) {
	path := file(t, "{}\n\n{\"a\":}\n{}\n")
	r := read(t, oms.KeyValue{"file": path, "format": "json"}, "")
	msgs, err := r.untilError()
	wantBodies(t, msgs, "{}")
	wantError(t, err, oms.ErrFormat, path, "line 3", "not JSON")
	if again, err := r.untilError(); len(again) > 0 || err == nil {
		t.Errorf("after the error came %q, %v; want the error again", bodies(again), err)
	}
}

func TestKeyFieldBecomesTheKey(t *testing.T) {
	for _, tt := range []struct {
		format, content string
		want            []any // nil: no key
	}{
		{"json", `{"id":"a\u00e9"}` + "\n" + `{"id":9007199254740993}` + "\n" + `{"id":null}` + "\n" + `{}` + "\n" + `[1]` + "\n" + `{"id":""}`, []any{"aé", "9007199254740993", nil, nil, nil, ""}},
		{"csv", "x,id\n1,a\n2,\n3,\"b\"\"\"\n", []any{"a", "", `b"`}},
	} {
		t.Run(tt.format, func(t *testing.T) {
			msgs := read(t, oms.KeyValue{"file": file(t, tt.content), "format": tt.format, "key.field": "id"}, "").all()
			if len(msgs) != len(tt.want) {
				t.Fatalf("got %q", bodies(msgs))
			}
			for i, m := range msgs {
				if want := tt.want[i]; want == nil && m.Key != nil || want != nil && (m.Key == nil || string(m.Key) != want) {
					t.Errorf("record %d: key %q, want %v", i, m.Key, want)
				}
			}
		})
	}
}

func TestLongLineNamesFileLineAndLimit(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, format := range []string{"lines", "json", "csv"} {
		for _, end := range []string{"", "\n", "\r\n", "\r\nmore\n"} {
			t.Run(fmt.Sprintf("%s %q", format, end), func(t *testing.T) {
				// Twice the same but for one byte: at the limit, and over it.
				line := map[string]string{"lines": long, "json": `"` + long[2:] + `"`, "csv": long[2:] + ",b"}[format]
				head := map[string]string{"lines": "first\n", "json": "1\n", "csv": "a,b\n"}[format]
				limit := len(line)
				if format == "lines" && strings.Contains(end, "\r") {
					limit++ // the carriage return is part of the line
				}
				path := file(t, head+line+end)
				config := oms.KeyValue{"file": path, "format": format, "max.line.bytes": fmt.Sprint(limit)}
				whole, err := read(t, config, "").untilError()
				if oms.CodeOf(err) == oms.ErrTooLarge {
					t.Fatalf("at the limit: %v", err)
				}
				config["max.line.bytes"] = fmt.Sprint(limit - 1)
				r := read(t, config, "")
				msgs, err := r.untilError()
				wantError(t, err, oms.ErrTooLarge, path, "line 2", fmt.Sprint(limit-1), "max.line.bytes")
				position := ""
				if len(msgs) > 0 {
					position = last(msgs)
				}
				// Nothing is lost: with a higher limit it goes on there.
				config["max.line.bytes"] = fmt.Sprint(limit)
				more, _ := read(t, config, position).untilError()
				wantBodies(t, append(msgs, more...), bodies(whole)...)
				if !strings.Contains(fmt.Sprint(bodies(more)), "xxx") {
					t.Errorf("the long line has not come")
				}
			})
		}
	}
}

func TestLinesLongerThanAChunkAreWhole(t *testing.T) {
	long := strings.Repeat("0123456789", 170_000) // three chunks
	r := read(t, oms.KeyValue{"file": file(t, "a\n"+long+"\nb\n"), "max.line.bytes": "2000000"}, "")
	msgs := r.all()
	if len(msgs) != 3 || string(msgs[1].Body) != long || string(msgs[2].Body) != "b" {
		t.Errorf("got %d messages", len(msgs))
	}
}

func TestPositionsAreCanonicalAndGrow(t *testing.T) {
	path := file(t, "a\nbb\n\nccc")
	msgs := read(t, oms.KeyValue{"file": path}, "").all()
	offset := int64(0)
	for i, m := range msgs {
		canonical, err := oms.NewOrigin(json.RawMessage(m.Origin.Partition), json.RawMessage(m.Origin.Position))
		if err != nil || *canonical != *m.Origin {
			t.Errorf("origin %+v is not canonical: %+v, %v", m.Origin, canonical, err)
		}
		if err := offsets.Position(m.Origin.Position).Valid(); err != nil {
			t.Error(err)
		}
		var p struct{ Offset, Line int64 }
		if err := json.Unmarshal([]byte(m.Origin.Position), &p); err != nil {
			t.Fatal(err)
		}
		if p.Offset <= offset {
			t.Errorf("offset %d is behind %d", p.Offset, offset)
		}
		offset = p.Offset
		if want := int64(min(i+1, 3)); p.Line != want {
			t.Errorf("record %d: line %d, want %d", i, p.Line, want)
		}
	}
	if msgs[0].Origin.Partition != partition(t, path) {
		t.Errorf("partition %s", msgs[0].Origin.Partition)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	r := read(t, oms.KeyValue{"file": file(t, strings.Repeat("x\n", 25)), "batch.max.records": "10"}, "")
	var sizes []int
	for {
		msgs, err := r.Poll(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(msgs))
	}
	if fmt.Sprint(sizes) != "[10 10 5]" {
		t.Errorf("batches of %v", sizes)
	}
}

func TestBodiesStayAsTheyWere(t *testing.T) {
	var content bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&content, "%0100d\n", i)
	}
	msgs := read(t, oms.KeyValue{"file": file(t, content.String())}, "").all()
	for i, m := range msgs {
		if want := fmt.Sprintf("%0100d", i); string(m.Body) != want {
			t.Fatalf("body %d is %q", i, m.Body)
		}
		if cap(m.Body) != len(m.Body) {
			t.Fatalf("appending to body %d would write into the next", i)
		}
	}
	if len(msgs) != 20_000 {
		t.Errorf("%d messages", len(msgs))
	}
}

func TestEndIsTheEnd(t *testing.T) {
	path := file(t, "a\nb")
	r := read(t, oms.KeyValue{"file": path}, "")
	wantBodies(t, r.all(), "a", "b")
	appendTo(t, path, "c\nd\n")
	if msgs, err := r.Poll(t.Context()); len(msgs) > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end came %q, %v", bodies(msgs), err)
	}
}

func TestPathThatCannotBeReadIsClear(t *testing.T) {
	folder := t.TempDir()
	plain := file(t, "x\n")
	link := filepath.Join(folder, "loop")
	if err := os.Symlink(link, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, follow string
		code               oms.Code
		texts              []string
	}{
		{"folder", folder, "false", oms.ErrInvalid, []string{"it is a folder; name a file in it"}},
		{"folder, followed", folder, "true", oms.ErrInvalid, []string{"it is a folder"}},
		{"missing", filepath.Join(folder, "none"), "false", oms.ErrNotFound, []string{"no such file; create it", "follow"}},
		{"below a file", filepath.Join(plain, "x"), "true", oms.ErrInvalid, []string{"correct the path"}},
		{"loop of links", link, "true", oms.ErrInvalid, []string{"correct the path"}},
		{"name too long", filepath.Join(folder, strings.Repeat("x", 5000)), "true", oms.ErrInvalid, []string{"correct the path"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, config, _ := instance(t, "file-source", oms.KeyValue{"file": tt.path, "follow": tt.follow})
			err := c.OnStart(t.Context(), config)
			wantError(t, err, tt.code, append(tt.texts, "key file", tt.path)...)
			if err := c.OnStop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadConfigurationNamesEveryKey(t *testing.T) {
	plugin, err := connect.DefaultPlugins.Lookup("file-source")
	if err != nil {
		t.Fatal(err)
	}
	err = plugin.Def.Validate(oms.KeyValue{"format": "xml", "follow": "maybe", "max.line.bytes": "0", "batch.max.records": "many"})
	wantError(t, err, oms.ErrInvalid, "file: missing", "format:", "follow:", "max.line.bytes:", "batch.max.records:")
	err = plugin.Def.Validate(oms.KeyValue{"file": "a\x00b"})
	wantError(t, err, oms.ErrInvalid, "file:", "zero bytes")
	err = plugin.Def.Validate(oms.KeyValue{"file": "a", "key.field": "id"})
	wantError(t, err, oms.ErrInvalid, "key.field:", "json or csv")
}

func TestPollReturnsWhenItsContextIsDone(t *testing.T) {
	r := read(t, oms.KeyValue{"file": file(t, ""), "follow": "true"}, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if msgs, err := r.Poll(ctx); len(msgs) > 0 || err != nil {
		t.Errorf("got %q, %v", bodies(msgs), err)
	}
}
