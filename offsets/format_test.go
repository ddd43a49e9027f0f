package offsets_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/omconnect/omconnect/offsets"
	"github.com/omconnect/omconnect/oms"
)

func TestPositionRecordsKeepEveryByte(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	const p = offsets.Position(`{"z":9007199254740993,"a":"<&>","e":1.50}`)
	record := string(offsets.MarshalPosition(p, at))
	if want := `{"v":1,"at":"2026-01-02T02:04:05.000000006Z","position":` + string(p) + `}`; record != want {
		t.Errorf("the record is %s, want %s", record, want)
	}
	if got, err := offsets.UnmarshalPosition([]byte(record)); err != nil || got != p {
		t.Errorf("it is read as %s, %v", got, err)
	}
}

func TestRecordsThatAreRefused(t *testing.T) {
	for record, says := range map[string]string{
		``: "damaged", `nonsense`: "damaged", `{"v":1`: "damaged", `[]`: "damaged", `{"v":"1"}`: "damaged", `{"v":1.5}`: "damaged",
		`{}`: "no version", `null`: "no version", `{"v":0}`: "no version", `{"v":-1}`: "no version",
		`{"v":2}`: "newer omconnect", `{"v":2,"position":5,"name":{}}`: "newer omconnect",
	} {
		_, asPosition := offsets.UnmarshalPosition([]byte(record))
		_, asDefinition := offsets.UnmarshalDefinition("c", []byte(record))
		_, asBroker := offsets.UnmarshalBroker([]byte(record))
		for _, err := range []error{asPosition, asDefinition, asBroker} {
			if !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want ErrFormat and %q", record, err, says)
			}
		}
	}
}

func TestDamagedRecordsAreNotQuoted(t *testing.T) {
	_, err := offsets.UnmarshalDefinition("c", []byte(`{"v":1,"config":{"password":"geheim"}`))
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error is %v", err)
	}
}

func TestDefinitionRecordsComeBack(t *testing.T) {
	d := offsets.Definition{
		Name: "c", Target: offsets.TargetPaused, Restarts: 2, Deleted: true, Origin: "f:1", Revision: 7,
		Config: map[string]string{"a": "<&>\u2028", "": ""},
	}
	record, err := offsets.MarshalDefinition(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := offsets.UnmarshalDefinition("c", record)
	if diff := cmp.Diff(d, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := offsets.UnmarshalDefinition("other", record); !errors.Is(err, oms.ErrFormat) {
		t.Errorf("under another name it is read: %v", err)
	}
}

func TestBrokerRecordsComeBack(t *testing.T) {
	for id, want := range map[string]string{"b": `{"v":1,"id":"b"}`, "<&>\u2028 é\x00\"": `{"v":1,"id":"\u003c\u0026\u003e\u2028 é\u0000\""}`} {
		record, err := offsets.MarshalBroker(id)
		if err != nil || string(record) != want {
			t.Errorf("the record of %q is %s, %v, want %s", id, record, err, want)
		}
		if got, err := offsets.UnmarshalBroker(record); err != nil || got != id {
			t.Errorf("%s is read as %q, %v", record, got, err)
		}
	}
	for record, says := range map[string]string{`{"v":1}`: "no broker", `{"v":1,"id":""}`: "no broker", `{"v":1,"id":5}`: "damaged"} {
		if id, err := offsets.UnmarshalBroker([]byte(record)); !errors.Is(err, oms.ErrFormat) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s is read as %q, %v, want ErrFormat and %q", record, id, err, says)
		}
	}
}

func FuzzPositionRecord(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1e400}`, `{"a":{"b":[1,2]}}`, ` {"a":1} `, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := offsets.Position(text)
		if p.Valid() != nil {
			return
		}
		got, err := offsets.UnmarshalPosition(offsets.MarshalPosition(p, time.Now()))
		if err != nil || strings.TrimSpace(string(got)) != strings.TrimSpace(text) {
			t.Errorf("%q comes back as %q, %v", text, got, err)
		}
	})
}
