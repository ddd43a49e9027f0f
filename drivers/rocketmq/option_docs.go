package rocketmq

import (
	"strconv"
	"time"

	"github.com/omconnect/omconnect/oms"
)

var _ oms.Described = Driver{}

// Options documents the options of access points.
func (Driver) Options() []oms.OptionDoc {
	return []oms.OptionDoc{
		{Name: "delay", Default: "none", Values: []string{"none", "timer"}, Doc: "Whether messages may be delayed: timer for brokers from 5.0 on. Older ones would deliver them at once."},
		{Name: "durability", Default: "confirmed", Values: []string{"confirmed", "strict"}, Doc: "What a message counts as that was stored and not flushed or replicated in time: confirmed with a warning, or failed, and sent again after at least 5 s."},
		{Name: "max.message.bytes", Type: oms.OptionNumber, Default: strconv.Itoa(defaultMaxMessage), Doc: "The largest body; maxMessageSize of the brokers without some 64 KiB."},
		{Name: "send.timeout.ms", Type: oms.OptionMillis, Default: millis(defaultTimeout), Doc: "When a message or a question without an answer is given up; at least 100."},
		{Name: "sync.interval.ms", Type: oms.OptionMillis, Default: millis(defaultSync), Doc: "How long a confirmed message may be lost to a power cut: the brokers' flushCommitLogThoroughInterval and flushIntervalCommitLog. 0 for brokers with SYNC_FLUSH."},
		{Name: "tag.header", Doc: "The header whose value is the tag of a message, by which RocketMQ's consumers filter; tags of other programs arrive as this header. Without it messages have no tag, and tags of others are the header TAGS."},
		{Name: "tls", Type: oms.OptionSwitch, Default: "false", Doc: "Whether to use TLS. Certificates are not verified, so tls.insecure has to say yes to that."},
		{Name: "tls.insecure", Type: oms.OptionSwitch, Default: "false", Doc: "Accepts that with tls=true nobody checks who the broker is."},
		{Name: "topic.partitions", Type: oms.OptionNumber, Default: strconv.Itoa(defaultPartitions), Doc: "How many queues a topic gets that is made without a number; 1 to 1024."},
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
