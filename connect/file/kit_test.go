package file_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/connect/connecttest"
	"github.com/omconnect/omconnect/oms"
)

func plugin(tb testing.TB, class string) connect.Plugin {
	tb.Helper()
	p, err := connect.DefaultPlugins.Lookup(class)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// lineOf is the line of a record in each format.
var lineOf = map[string]func(i int) string{
	"lines": strconv.Itoa,
	"json":  func(i int) string { return fmt.Sprintf("{\"n\": %d}\r", i) },
	"csv":   func(i int) string { return fmt.Sprintf("%d,\"a \"\"b\"\"\nc\"", i) },
}

// numberOf is the number of a record in each format.
func numberOf(m *oms.Message) (int, error) {
	var fields struct{ N json.Number }
	if err := json.Unmarshal(m.Body, &fields); err == nil && fields.N != "" {
		return strconv.Atoi(fields.N.String())
	}
	var texts struct{ N string }
	if json.Unmarshal(m.Body, &texts) == nil && texts.N != "" {
		return strconv.Atoi(texts.N)
	}
	return strconv.Atoi(string(m.Body))
}

func TestSourceKeepsTheContractOfConnectors(t *testing.T) {
	for _, format := range []string{"lines", "json", "csv"} {
		for _, follow := range []string{"false", "true"} {
			t.Run(format+" follow="+follow, func(t *testing.T) {
				connecttest.RunSource(t, func(t *testing.T) connecttest.Source {
					t.Helper()
					header := ""
					if format == "csv" {
						header = "n,text\n"
					}
					path := file(t, header)
					config := oms.KeyValue{"file": path, "format": format, "follow": follow, "batch.max.records": "5"}
					unstartable := config.Clone()
					unstartable["file"] = filepath.Dir(path)
					return connecttest.Source{
						Plugin: plugin(t, "file-source"), Config: config, Unstartable: unstartable, Finite: follow == "false",
						Write: func(first, n int) {
							for i := first; i < first+n; i++ {
								appendTo(t, path, lineOf[format](i)+"\n")
							}
						},
						Number: numberOf,
					}
				})
			})
		}
	}
}

// A last line without a newline is a record too, and has a position of its own
// kind.
func TestSourceOfUnfinishedLinesKeepsTheContractOfConnectors(t *testing.T) {
	connecttest.RunSource(t, func(t *testing.T) connecttest.Source {
		t.Helper()
		path := file(t, "")
		return connecttest.Source{
			Plugin: plugin(t, "file-source"), Config: oms.KeyValue{"file": path, "batch.max.records": "5"}, Finite: true,
			Write: func(first, n int) {
				lines := make([]string, n)
				for i := range lines {
					lines[i] = strconv.Itoa(first + i)
				}
				write(t, path, strings.Join(lines, "\n"))
			},
			Number: numberOf,
		}
	})
}

func TestSinkKeepsTheContractOfConnectors(t *testing.T) {
	for _, format := range []string{"lines", "json"} {
		for _, fsync := range []string{"true", "false"} {
			t.Run(format+" fsync="+fsync, func(t *testing.T) {
				connecttest.RunSink(t, func(t *testing.T) connecttest.Sink {
					t.Helper()
					path := filepath.Join(t.TempDir(), "output.txt")
					config := oms.KeyValue{"file": path, "format": format, "fsync": fsync}
					unstartable := config.Clone()
					unstartable["file"] = filepath.Dir(path)
					return connecttest.Sink{
						Plugin: plugin(t, "file-sink"), Config: config, Unstartable: unstartable,
						Message: func(i int) *oms.Message {
							return &oms.Message{Topic: "t", Offset: int64(i), Body: fmt.Append(nil, i)}
						},
						Stored: func() []int { return storedIn(t, path) },
						Refused: func(i int) *oms.Message {
							return &oms.Message{Topic: "t", Offset: int64(i), Body: fmt.Appendf(nil, "[%d,\n", i)}
						},
					}
				})
			})
		}
	}
}

// storedIn returns the numbers that a file has, a line each.
func storedIn(tb testing.TB, path string) []int {
	tb.Helper()
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	numbers := make([]int, len(rows))
	for i, r := range rows {
		if numbers[i], err = strconv.Atoi(r[0]); err != nil {
			tb.Fatal(err)
		}
	}
	return numbers
}
