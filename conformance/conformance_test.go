package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/oms"
	"github.com/omconnect/omconnect/oms/omstest"
)

// top reads a file from the top of the tree.
func top(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTablesAreThoseOfTheDrivers(t *testing.T) {
	t.Parallel()
	table, err := capabilities(&oms.Default)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(top(t, reportFile), table) {
		t.Errorf("%s has another table of capabilities than the drivers claim:\n%s\nrun make conformance", reportFile, table)
	}
	readme := top(t, readmeFile)
	want, err := replace([]byte(readme), table)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), readme); diff != "" {
		t.Errorf("%s differs from what the drivers claim (-want +got); run make conformance:\n%s", readmeFile, diff)
	}
}

func TestEveryRuleHasItsRowAndHolds(t *testing.T) {
	t.Parallel()
	text := top(t, reportFile)
	cells := regexp.MustCompile(`^(?: (?:holds|–) \|)+ $`)
	for _, r := range omstest.Rules() {
		_, row, ok := strings.Cut(text, "\n| "+r.ID+" |")
		row, _, _ = strings.Cut(row, "\n")
		marks, sentence := strings.TrimSuffix(row, r.Sentence+" |"), strings.HasSuffix(row, r.Sentence+" |")
		if !ok || !sentence || !cells.MatchString(marks) || strings.Count(marks, "|") != len(subjects) {
			t.Errorf("%s: the row of %s is %q, want marks for %d drivers and the sentence %q; run make conformance", reportFile, r.ID, row, len(subjects), r.Sentence)
		}
	}
}

// stream is what go test -json prints for rules of a driver.
func stream(lines ...string) *strings.Reader {
	return strings.NewReader(strings.Join(lines, "\n") + "\n")
}

func TestOutcomesAreReadFromTheTest(t *testing.T) {
	t.Parallel()
	c, other, err := read("kafka", stream(
		`{"Action":"start"}`,
		`{"Action":"output","Test":"TestConformance","Output":"=== RUN TestConformance\n"}`,
		`{"Action":"pass","Test":"TestConformance/together/S01"}`,
		`{"Action":"output","Test":"TestConformance/A02","Output":"    omstest.go:1: A02 a sentence: unsupported: nack is not claimed: a log\n"}`,
		`{"Action":"pass","Test":"TestConformance/A02"}`,
		`{"Action":"output","Test":"TestConformance/F01","Output":"    omstest.go:1: lost 3\n"}`,
		`{"Action":"fail","Test":"TestConformance/F01"}`,
		`{"Action":"skip","Test":"TestConformance/F02"}`,
		`{"Action":"fail","Test":"TestConformance"}`,
	))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]outcome{
		"S01": {held: true},
		"A02": {why: "nack is not claimed: a log"},
		"F01": {broken: true, log: "    omstest.go:1: lost 3\n"},
		"F02": {broken: true},
	}
	if diff := cmp.Diff(want, c.rules, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if want := "=== RUN TestConformance\n"; other != want {
		t.Errorf("other output = %q, want %q", other, want)
	}
	err = broken([]*column{c})
	for _, part := range []string{"kafka breaks F01", "lost 3", "kafka breaks F02"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("broken = %v, want it to say %q", err, part)
		}
	}
	if reasons, rules := c.silent(); !cmp.Equal(rules["nack is not claimed: a log"], []string{"A02"}) {
		t.Errorf("silent = %v %v, want A02 with its reason", reasons, rules)
	}
}

func TestARuleThatHoldsOnceHolds(t *testing.T) {
	t.Parallel()
	const (
		holds  = `{"Action":"pass","Test":"TestConformance/%/S01"}`
		silent = `{"Action":"output","Test":"TestConformance/%/S01","Output":"x: unsupported: no way\n"}` + "\n" + holds
		breaks = `{"Action":"fail","Test":"TestConformance/%/S01"}`
	)
	for name, tt := range map[string]struct {
		runs []string
		want outcome
	}{
		"held and silent":   {[]string{holds, silent}, outcome{held: true}},
		"silent and held":   {[]string{silent, holds}, outcome{held: true}},
		"held and broken":   {[]string{holds, breaks}, outcome{broken: true}},
		"broken and held":   {[]string{breaks, holds}, outcome{broken: true}},
		"silent, silent":    {[]string{silent, silent}, outcome{why: "no way"}},
		"broken, silent":    {[]string{breaks, silent}, outcome{broken: true}},
		"silent and broken": {[]string{silent, breaks}, outcome{broken: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines []string
			for i, r := range tt.runs {
				lines = append(lines, strings.ReplaceAll(r, "%", string(rune('a'+i))))
			}
			c, _, err := read("mem", stream(lines...))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.rules["S01"]; got != tt.want {
				t.Errorf("S01 = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestRulesArePrintedByDriver(t *testing.T) {
	t.Parallel()
	all := func(o outcome) map[string]outcome {
		m := make(map[string]outcome)
		for _, r := range omstest.Rules() {
			m[r.ID] = o
		}
		return m
	}
	a, b := &column{"one", all(outcome{held: true})}, &column{"two", all(outcome{why: "it is small"})}
	b.rules["S01"] = outcome{broken: true}
	text := rules([]*column{a, b})
	for _, want := range []string{`(?m)^rule +one +two$`, `(?m)^S01 +holds +BROKEN$`, `(?m)^A01 +holds +–$`, `two: 0 of \d+ rules hold`, `– C01 .*: it is small`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no match for %s in\n%s", want, text)
		}
	}
}

func TestTableStandsBetweenItsMarks(t *testing.T) {
	t.Parallel()
	got, err := replace([]byte("a\n"+tableBegins+"old\n"+tableEnds+"b\n"), "new\n")
	if want := "a\n" + tableBegins + "new\n" + tableEnds + "b\n"; err != nil || string(got) != want {
		t.Errorf("replace = %q, %v, want %q", got, err, want)
	}
	for _, text := range []string{"a\nb\n", tableBegins, tableEnds + tableBegins} {
		if got, err := replace([]byte(text), "new\n"); err == nil {
			t.Errorf("replace(%q) = %q, want an error about its marks", text, got)
		}
	}
}

func TestOnlyDriversThatAreThereAreAsked(t *testing.T) {
	t.Parallel()
	if all, err := choose(""); err != nil || len(all) != len(subjects) {
		t.Errorf("choose() = %v, %v, want all", all, err)
	}
	if some, err := choose("kafka,mem"); err != nil || len(some) != 2 || some[0].name != "kafka" {
		t.Errorf("choose(kafka,mem) = %v, %v, want these two", some, err)
	}
	if _, err := choose("kafka,pulsar"); err == nil || !strings.Contains(err.Error(), "pulsar") {
		t.Errorf("choose(kafka,pulsar) = %v, want an error that names pulsar", err)
	}
}

func TestASuiteThatDoesNotRunIsAnError(t *testing.T) {
	t.Parallel()
	_, err := subject{"mem", "../drivers/mem", "TestThatIsNotThere"}.ask(t.Context())
	if err == nil || !strings.Contains(err.Error(), "did not run") {
		t.Errorf("ask = %v, want an error that a rule did not run", err)
	}
}
