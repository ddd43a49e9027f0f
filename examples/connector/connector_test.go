package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/oms"
)

func TestSource(t *testing.T) {
	connecttest.RunSource(t, func(t *testing.T) connecttest.Source {
		folder := t.TempDir()
		return connecttest.Source{
			Plugin:      sourcePlugin,
			Config:      oms.KeyValue{"folder": folder},
			Unstartable: oms.KeyValue{"folder": filepath.Join(folder, "missing")},
			Write: func(first, n int) {
				for i := first; i < first+n; i++ {
					writeFile(t, folder, fmt.Sprintf("%06d", i), strconv.Itoa(i))
				}
			},
			Number: func(m *oms.Message) (int, error) { return strconv.Atoi(string(m.Body)) },
		}
	})
}

// writeFile makes a file that is there whole or not at all.
func writeFile(t *testing.T, folder, name, text string) {
	t.Helper()
	hidden := filepath.Join(folder, "."+name)
	if err := os.WriteFile(hidden, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(folder, name)); err != nil {
		t.Fatal(err)
	}
}

func TestSink(t *testing.T) {
	connecttest.RunSink(t, func(t *testing.T) connecttest.Sink {
		folder := t.TempDir()
		message := func(i int) *oms.Message {
			return &oms.Message{Topic: "t", Key: fmt.Appendf(nil, "%06d", i), Body: []byte(strconv.Itoa(i))}
		}
		return connecttest.Sink{
			Plugin:      sinkPlugin,
			Config:      oms.KeyValue{"folder": folder},
			Unstartable: oms.KeyValue{"folder": "/dev/null/folder"},
			Message:     message,
			Stored:      func() []int { return stored(t, folder) },
			Idempotent:  true,
			Refused:     func(int) *oms.Message { return &oms.Message{Topic: "t", Key: []byte("../x"), Body: []byte("x")} },
			Tombstone:   func(i int) *oms.Message { return &oms.Message{Topic: "t", Key: message(i).Key} },
		}
	})
}

// stored returns the numbers in the files of the folder.
func stored(t *testing.T, folder string) []int {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if os.IsNotExist(err) {
			continue // removed meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(text))
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}
