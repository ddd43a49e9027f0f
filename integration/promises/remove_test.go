package promises

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/omconnect/omconnect/integration/servers"
)

// gapPoint returns an access point of a cluster whose messages may be removed.
// RocketMQ removes whole files of its log, with the messages of all topics, so
// it is a cluster of its own.
func (b *broker) gapPoint(t *testing.T) string {
	t.Helper()
	if b.name != "rocketmq" {
		return b.point(t)
	}
	return b.at("", b.forgetful(t).Addr())
}

// forgetful returns a RocketMQ with small files, which is about to remove those
// that are older than three days.
func (b *broker) forgetful(t *testing.T) *servers.Server {
	t.Helper()
	var hours []string
	for h := range 24 {
		hours = append(hours, time.Date(0, 1, 1, h, 0, 0, 0, time.UTC).Format("15"))
	}
	return shared.Server(t, b.name+"-forgetful", b.start, append(slices.Clone(b.server),
		servers.Config("mappedFileSizeCommitLog", "1048576"), servers.Config("fileReservedTime", "72"),
		servers.Config("deleteWhen", strings.Join(hours, ";")), servers.Config("cleanResourceInterval", "200"),
		servers.Config("deleteCommitLogFilesInterval", "10"), servers.Config("destroyMapedFileIntervalForcibly", "1000"),
		servers.Config("redeleteHangedFileInterval", "1000"),
	)...)
}

// same is the broker of a gateway, as a connector of it names it.
func (b *broker) same(t *testing.T) string {
	t.Helper()
	if b.start == nil {
		return b.name
	}
	return b.gapPoint(t)
}

// roll has what is sent from now on stand in another file, where that matters.
func (b *broker) roll(t *testing.T, c *caller) {
	t.Helper()
	if b.name != "rocketmq" {
		return
	}
	filler := fresh("filler")
	c.makes(filler, 1)
	for range 3 {
		c.sends(filler, strings.Repeat("x", 600<<10))
	}
}

// remove removes the messages of a topic's only partition that are before an
// offset, as retention does.
func (b *broker) remove(t *testing.T, g *gateway, topic string, before int64) {
	t.Helper()
	var err error
	switch b.name {
	case "embedded":
		err = deleteMessages(g, topic, before)
	case "kafka":
		err = deleteRecords(b.first(t).Addr(), topic, before)
	case "rocketmq":
		err = age(filepath.Join(b.forgetful(t).Dir(), "data", "commitlog"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// deleteMessages removes one after the other: a purge would take the positions
// of all groups along.
func deleteMessages(g *gateway, topic string, before int64) error {
	nc, err := natsOf(g)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		return err
	}
	for seq := int64(1); seq < before; seq++ {
		if err := js.DeleteMsg(topic+"-0", uint64(seq)); err != nil {
			return err
		}
	}
	return nil
}

func deleteRecords(addr, topic string, before int64) error {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	admin, err := sarama.NewClusterAdmin([]string{addr}, config)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.DeleteRecords(topic, map[int32]int64{0: before})
}

// age makes the files of a log, but for the one that is written to, older than
// they may become.
func age(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	old := time.Now().Add(-100 * time.Hour)
	for _, file := range files[:max(0, len(files)-1)] {
		if err := os.Chtimes(file, old, old); err != nil {
			return err
		}
	}
	return nil
}
