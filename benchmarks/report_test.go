package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestTheReportHasRatiosPairByPair(t *testing.T) {
	t.Parallel()
	second := func(records int) sample {
		return sample{Records: records, Took: time.Second, CPU: time.Duration(10*records) * time.Microsecond, Peak: 50 << 20}
	}
	// The median of the ratios is 0.9; the ratio of the medians would be 1.
	c := &comparison{
		name: "publish", target: 0.85,
		ours:   []sample{second(900), second(1000), second(3000)},
		theirs: []sample{second(1000), second(4000), second(1000)},
	}
	r := &result{comparisons: []*comparison{c}}
	var out bytes.Buffer
	r.write(&out, &bench{pairs: 3, records: 1_500_000})
	for _, want := range []string{
		"| publish | 0.90 | 0.25–3.00 | ≥ 0.85 | 1000 | 1000 | 10.0 | 10.0 | 50 | 50 |\n",
		"in 3 alternating pairs of 1,500,000 records of 1 KiB",
		"two of the 3 values themselves",
		"75.0 %",
		`Written by "make bench"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	for _, not := range []string{"## Start", "## Idle", "NaN", "%!"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q stands in\n%s", not, out.String())
		}
	}
}

func TestTheReportHasWhatWasMeasured(t *testing.T) {
	t.Parallel()
	r := &result{
		starts: []startSample{{100 * time.Millisecond, 200 * time.Millisecond}, {150 * time.Millisecond, 250 * time.Millisecond}, {140 * time.Millisecond, 190 * time.Millisecond}},
		idle:   &idleSample{connectors: 1000, memory: memory{now: 120 << 20, peak: 130 << 20}, cpu: 3 * time.Second, watched: 30 * time.Second},
	}
	var out bytes.Buffer
	r.write(&out, &bench{pairs: 3, records: 1})
	for _, want := range []string{
		"| empty | 140 | 100–150 | < 300 |\n", "| of an earlier run | 200 | 190–250 | < 300 |\n", "in 3 starts.",
		"1,000 connectors that run", "| 120 | 130 | 100 | 10.0 % |\n", "pairs of 1 record of 1 KiB",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "client library") {
		t.Error("there is a section for what was not measured")
	}
}

func TestDriversAndKafkaConnectHaveSectionsOfTheirOwn(t *testing.T) {
	t.Parallel()
	of := func(name string, target float64) *comparison {
		return &comparison{
			name: name, target: target,
			ours:   []sample{{Records: 900, Took: time.Second, CPU: 4500 * time.Microsecond, Peak: 30 << 20}},
			theirs: []sample{{Records: 1000, Took: time.Second, CPU: 4 * time.Millisecond, Peak: 20 << 20}},
		}
	}
	b := &bench{pairs: 1, records: 500_000}
	drivers := &result{drivers: []*comparison{of("RabbitMQ, send", driverTarget)}}
	both := &result{drivers: drivers.drivers, connect: []*comparison{of("file to Kafka", 0)}}
	var first, second bytes.Buffer
	drivers.write(&first, b)
	both.write(&second, b)
	const connect, how = "## Beside Kafka Connect", "The interval is made of two of the 1 values themselves"
	for _, want := range []string{
		"| RabbitMQ, send | 0.90 | 0.90–0.90 | ≥ 0.90 | 900 | 1000 | 5.0 | 4.0 | 30 | 20 |\n",
		"Kafka with 4 partitions and 500,000 records at a time", "RabbitMQ with one quorum queue and 50,000 records", "RocketMQ with 4 queues and 100,000 records",
		"up to 4,096 messages without a confirmation", "batches of 64 messages, sent and waited for by 16 goroutines", how,
	} {
		if !strings.Contains(first.String(), want) {
			t.Errorf("%q is missing in\n%s", want, first.String())
		}
	}
	for _, not := range []string{connect, "## Beside the client library", "NaN", "%!"} {
		if strings.Contains(first.String(), not) {
			t.Errorf("%q stands in\n%s", not, first.String())
		}
	}
	for _, want := range []string{connect, "| file to Kafka | 0.90 | 0.90–0.90 | – | 900 | 1000 | 5.0 | 4.0 | 30 | 20 |\n", "max.poll.records of 5000"} {
		if !strings.Contains(second.String(), want) {
			t.Errorf("%q is missing in\n%s", want, second.String())
		}
	}
	if n := strings.Count(second.String(), how); n != 1 {
		t.Errorf("what all tables have in common is said %d times in\n%s", n, second.String())
	}
}

func TestPairsAlternate(t *testing.T) {
	t.Parallel()
	var order strings.Builder
	side := func(name string) func() error {
		return func() error {
			order.WriteString(name)
			return nil
		}
	}
	b := &bench{pairs: 4, log: new(bytes.Buffer)}
	if err := b.inPairs("x", side("a"), side("b"), side("c")); err != nil {
		t.Fatal(err)
	}
	if want := "abc" + "cba" + "abc" + "cba"; order.String() != want {
		t.Errorf("the sides ran in the order %s, want %s", order.String(), want)
	}
}
