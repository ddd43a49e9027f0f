package embedded

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/omconnect/omconnect/drivers/internal/escape"
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
			return fmt.Errorf("topic %q is reserved: names that begin with %s are NATS's own; choose another name", name, prefix)
		}
	}
	if n := len(streamName(name, 0)); n > longestName {
		return fmt.Errorf("the name of topic %.60q takes %d bytes when encoded, at most %d are possible here; choose a shorter one", name, n, longestName)
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
	var b []byte
	for i := range len(topic) {
		inner := i > 0 && i < len(topic)-1 && topic[i-1] != '.' && topic[i+1] != '.'
		if topic[i] == '.' && inner {
			b = append(b, '.')
			continue
		}
		b = mark.Append(b, topic[i])
	}
	return string(strconv.AppendInt(append(b, '.'), int64(partition), 10))
}

// mark stands before what NATS does not take in one token of a name.
const mark escape.Mark = '='

func encode(s string) string { return mark.Encode(s) }

func decode(name string) (s string, ok bool) { return mark.Decode(name) }
