package file_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/oms"
)

func TestResumingBehindEveryRecordGivesTheRest(t *testing.T) {
	for _, tt := range []struct{ format, content string }{
		{"lines", "a\n\nb\r\n\xff\x00\nlast"},
		{"lines", "a\nb\n"},
		{"json", "\xef\xbb\xbf{}\r\n\n[1]\n \n\"x\""},
		{"csv", "\xef\xbb\xbfa,b\r\n1,2\r\n\n\"x\n\ny\",\"\"\"\"\n3,4\n5,\"6\n7\""},
	} {
		t.Run(tt.format, func(t *testing.T) {
			path := file(t, tt.content)
			config := oms.KeyValue{"file": path, "format": tt.format}
			want := read(t, config, "").all()
			for i, m := range want {
				rest := read(t, config, m.Origin.Position)
				msgs := rest.all()
				wantBodies(t, msgs, bodies(want[i+1:])...)
				for j, m := range msgs {
					if *m.Origin != *want[i+1+j].Origin {
						t.Errorf("origin %+v, in one go %+v", m.Origin, want[i+1+j].Origin)
					}
				}
				if rest.log.String() != "" {
					t.Errorf("it was logged: %s", rest.log)
				}
			}
		})
	}
}

// A file that grows byte by byte, and a source that is stopped after every
// byte: what comes is what comes in one go.
func TestStoppingAtEveryByteOfAGrowingFileLosesAndRepeatsNothing(t *testing.T) {
	for _, tt := range []struct{ format, content string }{
		{"lines", "a\n\nbc\r\n\xff\x00\nlast\n"},
		{"json", "\xef\xbb\xbf{\"a\": 1}\r\n\n[1]\n \n\"x\"\n"},
		{"csv", "\xef\xbb\xbfa,b\r\n1,2\r\n\n\"x\n\ny\",\"\"\"\"\n3,4\n5,\"6\n7\"\r\n"},
	} {
		t.Run(tt.format, func(t *testing.T) {
			path := file(t, tt.content)
			want := bodies(read(t, oms.KeyValue{"file": path, "format": tt.format}, "").all())
			write(t, path, "")
			var got []string
			position := ""
			for i := range len(tt.content) {
				appendTo(t, path, tt.content[i:i+1])
				r := read(t, oms.KeyValue{"file": path, "format": tt.format, "follow": "true"}, position)
				msgs := poll(t, r)
				r.stop()
				if got = append(got, bodies(msgs)...); len(msgs) > 0 {
					position = last(msgs)
				}
				if r.log.String() != "" {
					t.Errorf("after byte %d: %s", i, r.log)
				}
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
				t.Errorf("got\n%q, in one go\n%q", got, want)
			}
		})
	}
}

// poll polls once, without the wait of a followed file.
func poll(tb testing.TB, r *reader) []*oms.Message {
	tb.Helper()
	msgs, err := r.Poll(done(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return msgs
}

func TestRandomFilesAreReadAloneAndInPiecesAlike(t *testing.T) {
	const pieces = "ab,\"\n\r{}1 "
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var b strings.Builder
		for range rnd.IntN(60) {
			b.WriteByte(pieces[rnd.IntN(len(pieces))])
		}
		for _, format := range []string{"lines", "json", "csv"} {
			config := oms.KeyValue{"file": file(t, b.String()), "format": format}
			want, wantErr := read(t, config, "").untilError()
			config["batch.max.records"] = "1"
			var got []*oms.Message
			var gotErr error
			for position := ""; gotErr == nil; {
				r := read(t, config, position)
				var msgs []*oms.Message
				if msgs, gotErr = r.Poll(t.Context()); len(msgs) > 0 {
					position = last(msgs)
				}
				got = append(got, msgs...)
			}
			wantBodies(t, got, bodies(want)...)
			if gotErr.Error() != wantErr.Error() {
				t.Errorf("%q: error %v, in one go %v", b.String(), gotErr, wantErr)
			}
		}
	}
}

func TestLastLineThatHasGrownIsReadAgainAsAWhole(t *testing.T) {
	for _, tt := range []struct {
		name, format, content, more string
		want                        []string
	}{
		{"nothing more", "lines", "a\nb", "", nil},
		{"only its newline", "lines", "a\nb", "\nc\n", []string{"c"}},
		{"more of it", "lines", "a\nb", "b\nc\n", []string{"bb", "c"}},
		{"its carriage return", "lines", "a\nb", "\r\nc\n", []string{"b\r", "c"}},
		{"CR LF", "json", "1\n2", "\r\n3\n", []string{"3"}},
		{"more digits", "json", "1\n2", "2\n3\n", []string{"22", "3"}},
		{"a row of several lines", "csv", "a\n1\n\"2\n2\"", "\n3\n", []string{`{"a":"3"}`}},
		{"more of a row", "csv", "a,b\n\"2\n2\",1", "1\n3,4\n", []string{`{"a":"2\n2","b":"11"}`, `{"a":"3","b":"4"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := file(t, tt.content)
			config := oms.KeyValue{"file": path, "format": tt.format}
			position := last(read(t, config, "").all())
			appendTo(t, path, tt.more)
			msgs := read(t, config, position).all()
			wantBodies(t, msgs, tt.want...)
			if len(msgs) == 0 {
				return
			}
			lines := strings.Count(tt.content+tt.more, "\n")
			if want := fmt.Sprintf(`"line":%d,`, lines); !strings.Contains(last(msgs), want) {
				t.Errorf("position %s does not have %s", last(msgs), want)
			}
		})
	}
}

func TestReplacedFileIsReadFromItsBeginningWithAWarning(t *testing.T) {
	const before = "first\nsecond\nthird\n"
	long := strings.Repeat("the same beginning\n", 100)
	for _, tt := range []struct {
		name, before, now string
		another           bool // under the same name, instead of the same with other content
		want              []string
	}{
		{"another file", before, before + "fourth\n", true, []string{"first", "second", "third", "fourth"}},
		{"truncated", before, "x\n", false, []string{"x"}},
		{"written anew, longer", before, "x\n" + before, false, []string{"x", "first", "second", "third"}},
		{"emptied", before, "", false, nil},
		{
			"same beginning, but no line ends there", long, long[:1900-19*40] + strings.Repeat("x", 10_000) + "\n", false,
			append(repeated("the same beginning", 60), strings.Repeat("x", 10_000)),
		},
	} {
		for _, follow := range []string{"false", "true"} {
			t.Run(tt.name+", follow="+follow, func(t *testing.T) {
				path := file(t, tt.before)
				position := last(read(t, oms.KeyValue{"file": path}, "").all())
				if tt.another {
					rename(t, path, path+".old")
					write(t, path, tt.now)
					if err := os.Remove(path + ".old"); err != nil {
						t.Fatal(err)
					}
				} else {
					write(t, path, tt.now)
				}
				r := read(t, oms.KeyValue{"file": path, "follow": follow}, position)
				msgs, err := r.Poll(done(t))
				if err != nil && !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				wantBodies(t, msgs, tt.want...)
				r.logged("level=WARN")
				r.logged("file=" + path)
				r.logged("offset=")
				r.logged("may have been missed")
			})
		}
	}
}

func repeated(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestFileRenamedWhileStoppedIsReadToItsEnd(t *testing.T) {
	path := file(t, "1\n2\n")
	config := oms.KeyValue{"file": path, "follow": "true"}
	r := read(t, config, "")
	position := last(poll(t, r))
	r.stop()
	appendTo(t, path, "3\n")
	write(t, filepath.Join(filepath.Dir(path), "input-other.txt"), "not this one\n")
	rename(t, path, path+".1")
	write(t, path, "4\n")
	r = read(t, config, position)
	wantBodies(t, poll(t, r), "3")
	r.logged("renamed=" + path + ".1")
}

func TestDeviceMayBeNumberedAnewWhenTheContentTells(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines int
		want  int // records that come after resuming
	}{{"long file", 100, 1}, {"short file", 2, 3}} {
		t.Run(tt.name, func(t *testing.T) {
			path := file(t, strings.Repeat("0123456789abcdef\n", tt.lines))
			position := last(read(t, oms.KeyValue{"file": path}, "").all())
			appendTo(t, path, "more\n")
			_, id, _ := strings.Cut(position, `"id":"`)
			device, _, _ := strings.Cut(id, "-")
			moved := strings.Replace(position, device, "abcdef", 1)
			if msgs := read(t, oms.KeyValue{"file": path}, moved).all(); len(msgs) != tt.want {
				t.Errorf("got %d records, want %d", len(msgs), tt.want)
			}
		})
	}
}

func TestPositionSetByHandNeedsOnlyTheOffset(t *testing.T) {
	path := file(t, "a\nb\nc\n")
	wantBodies(t, read(t, oms.KeyValue{"file": path}, `{"offset":2}`).all(), "b", "c")
	wantBodies(t, read(t, oms.KeyValue{"file": path}, `{"offset":0}`).all(), "a", "b", "c")
	r := read(t, oms.KeyValue{"file": path}, `{"offset":100}`)
	wantBodies(t, poll(t, r), "a", "b", "c")
	r.logged("level=WARN")
}

func TestCorruptPositionIsRefusedWithItsPartition(t *testing.T) {
	path := file(t, "a\n")
	good := last(read(t, oms.KeyValue{"file": path}, "").all())
	for _, corrupt := range []string{
		"", "{", "[]", "null", "{}", `{"offset":null}`, `{"offset":-1}`, `{"offset":1.5}`, `{"offset":"1"}`, `{"offset":1,"line":-1}`,
		`{"offset":1,"tail":2}`, `{"offset":1,"more":2}`, `{"id":"x","offset":1}`, `{"id":"1-2-2000-3","offset":1}`,
		`{"id":"1-2-3-zz","offset":1}`, good + "x", good[:len(good)-1], strings.Replace(good, "-", "--", 1),
	} {
		r := read(t, oms.KeyValue{"file": path}, "")
		wantError(t, r.seek(partition(t, path), corrupt), oms.ErrFormat, partition(t, path))
	}
}

func TestPositionsOfOtherFilesAreLeftAlone(t *testing.T) {
	r := read(t, oms.KeyValue{"file": file(t, "a\n")}, "")
	if err := r.seek(`{"file":"/other"}`, "whatever it has"); err != nil {
		t.Fatal(err)
	}
	wantBodies(t, r.all(), "a")
}

func TestRelativeAndAbsolutePathsAreOnePartition(t *testing.T) {
	path := file(t, "a\nb\n")
	position := last(read(t, oms.KeyValue{"file": path}, "").all()[:1])
	t.Chdir(filepath.Dir(path))
	r := read(t, oms.KeyValue{"file": filepath.Base(path)}, "")
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.seek(partition(t, filepath.Join(folder, filepath.Base(path))), position); err != nil {
		t.Fatal(err)
	}
	wantBodies(t, r.all(), "b")
}
