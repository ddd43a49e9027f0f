package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/omconnect/omconnect/oms"
)

// follow runs a test with a followed file of that content, in fake time: the
// waits of Poll take none. The reader's t is that of the bubble.
func follow(t *testing.T, format, content string, test func(r *reader, path string)) {
	t.Helper()
	path := file(t, content)
	synctest.Test(t, func(t *testing.T) {
		test(read(t, oms.KeyValue{"file": path, "follow": "true", "format": format}, ""), path)
	})
}

func TestFollowedFileGivesWhatIsAppended(t *testing.T) {
	follow(t, "lines", "a\n", func(r *reader, path string) {
		t := r.t
		wantBodies(t, r.next(1), "a")
		r.nothing()
		appendTo(t, path, "b\nc\n")
		wantBodies(t, r.next(2), "b", "c")
		r.nothing()
	})
}

func TestFollowedFilesLastLineWaitsForItsNewline(t *testing.T) {
	follow(t, "csv", "a,b\n1,\"x", func(r *reader, path string) {
		t := r.t
		r.nothing()
		appendTo(t, path, "\ny")
		r.nothing()
		appendTo(t, path, "\"")
		r.nothing()
		appendTo(t, path, "\r")
		r.nothing()
		appendTo(t, path, "\n2,")
		wantBodies(t, r.next(1), `{"a":"1","b":"x\ny"}`)
		r.nothing()
	})
}

func TestMissingFileIsWaitedForWhenFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "yet.txt")
	synctest.Test(t, func(t *testing.T) {
		r := read(t, oms.KeyValue{"file": path, "follow": "true"}, "")
		r.nothing()
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		r.nothing()
		write(t, path, "a\n")
		wantBodies(t, r.next(1), "a")
	})
}

func TestStoredPositionWaitsForTheMissingFile(t *testing.T) {
	path := file(t, "a\nb\n")
	position := last(read(t, oms.KeyValue{"file": path}, "").all()[:1])
	rename(t, path, path+".away")
	synctest.Test(t, func(t *testing.T) {
		r := read(t, oms.KeyValue{"file": path, "follow": "true"}, position)
		r.nothing()
		rename(t, path+".away", path)
		wantBodies(t, r.next(1), "b")
	})
}

func TestRenamedFileIsReadToItsEndBeforeTheNextOne(t *testing.T) {
	follow(t, "lines", "1\n", func(r *reader, path string) {
		t := r.t
		wantBodies(t, r.next(1), "1")
		appendTo(t, path, "2\n")
		rename(t, path, path+".1")
		r.next(1)
		r.nothing() // no file has the name
		write(t, path, "4\n")
		appendTo(t, path+".1", "3\n") // its writer has not noticed yet
		wantBodies(t, r.next(1), "3")
		msgs := r.next(1)
		wantBodies(t, msgs, "4")
		if !strings.Contains(last(msgs), `"line":1,"offset":2`) {
			t.Errorf("position in the new file: %s", last(msgs))
		}
		appendTo(t, path, "5\n")
		wantBodies(t, r.next(1), "5")
	})
}

func TestPollIsNotEmptyWhileTheNextFileWaits(t *testing.T) {
	follow(t, "lines", "1\n", func(r *reader, path string) {
		t := r.t
		r.next(1)
		r.nothing()
		rename(t, path, path+".1")
		write(t, path, "2\n")
		begin := time.Now()
		msgs, err := r.Poll(t.Context())
		if err != nil || len(msgs) != 1 {
			t.Errorf("got %q, %v", bodies(msgs), err)
		}
		if took := time.Since(begin); took > 1500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestUnfinishedLineOfARenamedFileIsARecord(t *testing.T) {
	follow(t, "lines", "1\n2", func(r *reader, path string) {
		t := r.t
		wantBodies(t, r.next(1), "1")
		rename(t, path, path+".1")
		write(t, path, "3\n")
		wantBodies(t, r.next(2), "2", "3")
	})
}

func TestEveryFileOfAFastRotationIsRead(t *testing.T) {
	follow(t, "lines", "", func(r *reader, path string) {
		t := r.t
		var want []string
		for i := range 5 {
			appendTo(t, path, fmt.Sprintf("%d\n", i))
			want = append(want, fmt.Sprint(i))
			if msgs := poll(t, r); i > 0 && len(msgs) > 0 {
				t.Fatalf("file %d was begun before the end of the first was certain", i)
			}
			rename(t, path, fmt.Sprintf("%s.%d", path, i))
			write(t, path, "")
		}
		wantBodies(t, r.next(len(want)-1), want[1:]...)
	})
}

func TestStopInTheMiddleOfARotationLosesNothing(t *testing.T) {
	path := file(t, "1\n2\n3\n")
	synctest.Test(t, func(t *testing.T) {
		config := oms.KeyValue{"file": path, "follow": "true", "batch.max.records": "1"}
		r := read(t, config, "")
		all := r.next(1)
		rename(t, path, path+".1")
		write(t, path, "4\n5\n")
		for range 4 { // stopped behind every record
			r.stop()
			r = read(t, config, last(all))
			all = append(all, r.next(1)...)
		}
		wantBodies(t, all, "1", "2", "3", "4", "5")
	})
}

func TestTruncationIsNoticedWithAWarning(t *testing.T) {
	for _, tt := range []struct{ name, more, anew string }{
		{"shorter", "", "x\n"},
		{"with an unfinished line", "unfinished", "x\n"},
		{"copied and written anew to the same length", "", "x\nb\n"},
		{"copied and written anew, longer", "", "x\nb\nc\nd\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			follow(t, "lines", "a\nb\n"+tt.more, func(r *reader, path string) {
				t := r.t
				r.next(2)
				r.nothing()
				write(t, path, tt.anew) // truncates, and keeps the inode
				want := strings.Split(strings.TrimSuffix(tt.anew, "\n"), "\n")
				wantBodies(t, r.next(len(want)), want...)
				r.logged("level=WARN")
				r.logged("file=" + path)
				r.logged("offset=4")
				r.logged(fmt.Sprintf("unfinished=%d", len(tt.more)))
				r.logged("may have been missed")
			})
		})
	}
}

func TestUnfinishedLineThatIsTakenBackIsForgotten(t *testing.T) {
	long := strings.Repeat("0123456789\n", 200)
	for _, before := range []string{"", "a\n", long} {
		for _, anew := range []string{"x\n", "ok\n", "again\n", ""} { // shorter than it was, as long, longer, nothing yet
			follow(t, "lines", before+"tor", func(r *reader, path string) {
				t := r.t
				if before != "" {
					r.next(strings.Count(before, "\n"))
				}
				r.nothing()
				if err := os.Truncate(path, int64(len(before))); err != nil {
					t.Fatal(err)
				}
				appendTo(t, path, anew)
				if anew == "" {
					r.nothing()
				} else {
					wantBodies(t, r.next(1), strings.TrimSuffix(anew, "\n"))
				}
				appendTo(t, path, "more\n")
				wantBodies(t, r.next(1), "more")
				if r.log.String() != "" {
					t.Errorf("after %d bytes it was logged: %s", len(before), r.log)
				}
			})
		}
	}
}

func TestFollowedCSVHasANewHeaderAfterRotation(t *testing.T) {
	follow(t, "csv", "a\n1\n", func(r *reader, path string) {
		t := r.t
		wantBodies(t, r.next(1), `{"a":"1"}`)
		rename(t, path, path+".1")
		write(t, path, "b,c\n2,3\n")
		wantBodies(t, r.next(1), `{"b":"2","c":"3"}`)
	})
}

func TestIdentityGrowsWithAShortFile(t *testing.T) {
	follow(t, "lines", "a\n", func(r *reader, path string) {
		t := r.t
		short := last(r.next(1))
		for i := range 200 {
			appendTo(t, path, fmt.Sprintf("line number %d\n", i))
		}
		long := last(r.next(200))
		if !strings.Contains(short, "-2-") || !strings.Contains(long, "-1024-") {
			t.Errorf("positions %s and %s do not cover 2 and 1024 bytes", short, long)
		}
		r.stop()
		for _, position := range []string{short, long} {
			again := read(t, oms.KeyValue{"file": path}, position)
			again.all()
			if again.log.String() != "" {
				t.Errorf("resuming at %s: %s", position, again.log)
			}
		}
	})
}

func TestFolderInPlaceOfTheFileIsAnError(t *testing.T) {
	follow(t, "lines", "a\n", func(r *reader, path string) {
		t := r.t
		r.next(1)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := r.Poll(t.Context())
		wantError(t, err, oms.ErrInvalid, path, "it is a folder")
	})
}
