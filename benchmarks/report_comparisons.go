package main

import (
	"bytes"
	"fmt"
	"strings"
)

// writeMethod says what the tables of comparisons have in common.
func writeMethod(w *bytes.Buffer, pairs int) {
	fmt.Fprintf(w, `
Each side of each pair is a process of its own, and the order of the sides changes from pair to pair. A ratio is that of the rates, ours to theirs: the median of the pairs. %s The other figures are medians of one side each; memory and CPU time are those of the side's process, without a broker that is a server.
`, intervalSentence(pairs))
}

// writeTable writes a row for each comparison.
func writeTable(w *bytes.Buffer, cs []*comparison) {
	w.WriteString(`| | ratio | interval | target | records/s | theirs | CPU µs/record | theirs | peak MiB | theirs |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
	for _, c := range cs {
		ratio := summarize(c.ratios())
		target := "–"
		if c.target > 0 {
			target = fmt.Sprintf("≥ %.2f", c.target)
		}
		figures := make([]string, 0, 6)
		for _, f := range []struct {
			of     func(sample) float64
			format string
		}{{sample.rate, "%.0f"}, {sample.micros, "%.1f"}, {sample.peakMiB, "%.0f"}} {
			for _, side := range [][]sample{c.ours, c.theirs} {
				figures = append(figures, fmt.Sprintf(f.format, summarize(column(side, f.of)).median))
			}
		}
		fmt.Fprintf(w, "| %s | %.2f | %.2f–%.2f | %s | %s |\n", c.name, ratio.median, ratio.low, ratio.high, target, strings.Join(figures, " | "))
	}
}

func (r *result) writeDrivers(w *bytes.Buffer, b *bench) {
	fmt.Fprint(w, "\n## Drivers beside the brokers' own clients\n\n")
	writeTable(w, r.drivers)
	fmt.Fprintf(w, `
- The brokers are real ones, a server each on this machine, with a new topic for each run: Kafka with %s and %s at a time, RabbitMQ with one quorum queue and %s, RocketMQ with %s and %s.
- **Ours** is package oms over the driver, with the defaults of connectors: batches of 500 messages without a key, windows of 10,000; at the end of receiving, the acknowledgements are flushed. Sending is measured until everything is confirmed. Receiving is measured from the first message on, so that joining a group is left out, on both sides.
- **Theirs** for Kafka is sarama: its asynchronous producer, idempotent and with all acknowledgements, to each partition in turn, drained by goroutines; its consumer group, every message marked, committed each second and at the end.
- **Theirs** for RabbitMQ is amqp091-go on an exchange and a queue of the same kinds: persistent and mandatory messages, up to %s without a confirmation, which is as many as ours has; a prefetch of %s, one acknowledgement for %s, and at the end a question that is answered after the last of them.
- **Theirs** for RocketMQ is rocketmq-client-go: batches of %s, sent and waited for by %s, which is its fastest way; its push consumer, called with up to %s. It commits positions each five seconds and when it is shut down, which is left out.
`, count(kafkaRivals.partitions, "partition"), count(kafkaRivals.records(b), "record"), count(rabbitmqRivals.records(b), "record"),
		count(rocketmqRivals.partitions, "queue"), count(rocketmqRivals.records(b), "record"),
		count(amqpWindow, "message"), count(amqpPrefetch, "message"), count(amqpAck, "message"),
		count(rocketmqBatch, "message"), count(rocketmqSenders, "goroutine"), count(rocketmqPull, "message"))
}

func (r *result) writeConnect(w *bytes.Buffer) {
	fmt.Fprint(w, "\n## Beside Kafka Connect\n\n")
	writeTable(w, r.connect)
	fmt.Fprintf(w, `
- A file of lines goes into a topic of one partition, and the topic into another file, which is then compared: nothing is lost, repeated or swapped. Each step is a process of its own, measured from the last look at which nothing had arrived until everything has, so that starting is left out.
- **Ours** is the program with file-source or file-sink over Kafka, with the defaults.
- **Theirs** is a standalone worker of Kafka Connect with FileStreamSource or FileStreamSink, StringConverter, batch.size and max.poll.records of %d, and a heap of at most 1 GiB.
`, connectBatch)
}
