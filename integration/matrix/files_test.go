package matrix

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// files are one file of JSON lines that becomes two.
type files struct {
	t   *testing.T
	dir string
}

func newFiles(t *testing.T, dir string, _ int) plant {
	t.Helper()
	return &files{t, dir}
}

func line(number int) string {
	return fmt.Sprintf(`{"key":%q,"number":%d,"pad":%q}`, keyOf(number), number, padOf(number))
}

func (p *files) feed(from, to int) {
	p.t.Helper()
	var text bytes.Buffer
	for number := from; number <= to; number++ {
		text.WriteString(line(number) + "\n")
	}
	f, err := os.OpenFile(filepath.Join(p.dir, "in.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := f.Write(text.Bytes()); err != nil {
		p.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		p.t.Fatal(err)
	}
}

func (*files) records(n int) []record {
	all := make([]record, n)
	for i := range all {
		all[i] = record{key: keyOf(i + 1), text: line(i + 1), must: true}
	}
	return all
}

func (p *files) outlets() []outlet {
	return []outlet{&lines{path: filepath.Join(p.dir, "one.jsonl")}, &lines{path: filepath.Join(p.dir, "two.jsonl")}}
}

// lines are the whole lines of a file that grows.
type lines struct {
	path string
	read int64 // so many bytes of it
}

func (l *lines) more() ([]delivery, error) {
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, l.read, 1<<40))
	if err != nil {
		return nil, err
	}
	var all []delivery
	for {
		row, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return all, nil
		}
		text = rest
		l.read += int64(len(row)) + 1
		d := delivery{text: string(row)}
		var body struct {
			Key    string
			Number int
		}
		if json.Unmarshal(row, &body) == nil { // else it is nobody's
			d.key, d.number = body.Key, body.Number
		}
		all = append(all, d)
	}
}
