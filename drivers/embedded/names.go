package embedded

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/oms"
)

// longestName is what a stream's or consumer's name may have in bytes: the
// server makes folders of that name.
const longestName = 240

// reserved are the beginnings of names that mean something to NATS. They are
// refused although the encoding would make most of them harmless, so that a
// topic never looks like one of the server's own streams.
var reserved = []string{"$", "__", "_INBOX", "KV_", "OBJ_", "MQTT_"}

// checkTopic refuses names that this broker cannot or must not have.
func checkTopic(name string) error {
	if err := oms.ValidTopic(name); err != nil {
		return err
	}
	for _, prefix := range reserved {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("names that begin with %s are reserved by NATS; choose another name", prefix)
		}
	}
	if n := len(streamName(name, 0)); n > longestName {
		return fmt.Errorf("the topic's name takes %d bytes when encoded, at most %d are possible here", n, longestName)
	}
	return nil
}

// checkGroup does the same for groups.
func checkGroup(name string) error {
	if name == "" {
		return errors.New("a group needs a name")
	}
	if n := len(encode(name)); n > longestName {
		return fmt.Errorf("the group's name takes %d bytes when encoded, at most %d are possible here", n, longestName)
	}
	return nil
}

// streamName is the stream of one partition. The number stands behind the last
// dash, so that different topics and partitions never share a name.
func streamName(topic string, partition int) string {
	return encode(topic) + "-" + strconv.Itoa(partition)
}

// topicOf takes a stream's name apart; ok is false for streams of others.
func topicOf(stream string) (topic string, partition int, ok bool) {
	i := strings.LastIndexByte(stream, '-')
	if i <= 0 {
		return "", 0, false
	}
	partition, err := strconv.Atoi(stream[i+1:])
	if err != nil || partition < 0 {
		return "", 0, false
	}
	topic, ok = decode(stream[:i])
	return topic, partition, ok && streamName(topic, partition) == stream
}

// subjectOf is where the messages of one partition are published. Dots of the
// topic stay as they are where NATS allows them; the number is always the last
// token, so that partition 1 of T is T.1 and partition 0 of T.1 is T.1.0.
func subjectOf(topic string, partition int) string {
	var b strings.Builder
	for i := range len(topic) {
		inner := i > 0 && i < len(topic)-1 && topic[i-1] != '.' && topic[i+1] != '.'
		if topic[i] == '.' && inner {
			b.WriteByte('.')
			continue
		}
		encodeByte(&b, topic[i])
	}
	b.WriteByte('.')
	b.WriteString(strconv.Itoa(partition))
	return b.String()
}

// encode makes one token of any string: letters, digits, - and _ stay, every
// other byte becomes = and two hexadecimal digits.
func encode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		encodeByte(&b, s[i])
	}
	return b.String()
}

func encodeByte(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
		b.WriteByte(c)
		return
	}
	b.WriteByte('=')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// decode undoes encode.
func decode(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), encode(b.String()) == s
}
