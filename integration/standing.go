package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/omconnect/omconnect/integration/servers"
)

// A Variable is an environment variable by which tests find a standing server.
type Variable struct{ Name, Value string }

// brokers are the servers that can stand, in the order in which they start.
var brokers = []struct {
	name, variable string
	start          func(context.Context, string, ...servers.Option) (*servers.Server, error)
	value          func(addr string) string
}{
	{"redis", RedisEnv, servers.StartRedis, redisURL},
	{"rabbitmq", servers.RabbitMQEnv, servers.StartRabbitMQ, strings.Clone},
	{"kafka", servers.KafkaEnv, servers.StartKafka, strings.Clone},
	{"rocketmq", servers.RocketMQEnv, servers.StartRocketMQ, strings.Clone},
}

// standing remembers, in a file of the folder, which servers Up has started, by
// their names.
type standing map[string]servers.Mark

func standingFile(dir string) string { return filepath.Join(dir, "brokers.json") }

// Up makes servers stand, with their data below dir, and returns how tests find
// them: those that are named, of redis, rabbitmq, kafka and rocketmq, or else
// all. One that stands already is left as it is.
func Up(ctx context.Context, dir string, names ...string) ([]Variable, error) {
	for _, name := range names {
		if !slices.Contains(known(), name) {
			return nil, fmt.Errorf("no server is called %q: name some of %s, or none for all", name, strings.Join(known(), ", "))
		}
	}
	stands, err := readStanding(dir)
	if err != nil {
		return nil, err
	}
	var found []Variable
	for _, b := range brokers {
		if len(names) > 0 && !slices.Contains(names, b.name) {
			continue
		}
		up, err := stands[b.name].Stands(ctx)
		if err != nil {
			return nil, err
		}
		if !up {
			folder := filepath.Join(dir, b.name)
			if err := renew(ctx, stands[b.name], folder); err != nil {
				return nil, err
			}
			s, err := b.start(ctx, folder, servers.Standing())
			if err != nil {
				return nil, err
			}
			stands[b.name] = s.Mark()
			if err := stands.write(dir); err != nil {
				s.Kill() // nobody could find it again
				return nil, err
			}
		}
		found = append(found, Variable{b.variable, b.value(stands[b.name].Addr)})
	}
	return found, nil
}

func known() (names []string) {
	for _, b := range brokers {
		names = append(names, b.name)
	}
	return names
}

// renew ends what is left of a server that died, and makes an empty folder in
// place of its own.
func renew(ctx context.Context, m servers.Mark, folder string) error {
	if err := m.End(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return os.MkdirAll(folder, 0o750)
}

// Down ends what Up has started, and removes its data. It is no error if
// nothing stands.
func Down(ctx context.Context, dir string) error {
	stands, err := readStanding(dir)
	if err != nil {
		return err
	}
	for _, b := range brokers {
		m, remembered := stands[b.name]
		if !remembered {
			continue
		}
		if err := m.End(ctx); err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(dir, b.name)); err != nil {
			return err
		}
		delete(stands, b.name)
		if err := stands.write(dir); err != nil {
			return err
		}
	}
	return os.RemoveAll(standingFile(dir))
}

func readStanding(dir string) (standing, error) {
	data, err := os.ReadFile(standingFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return standing{}, nil
	}
	if err != nil {
		return nil, err
	}
	s := standing{}
	if err = json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged: end the servers that it names, then remove it: %w", standingFile(dir), err)
	}
	return s, nil
}

func (s standing) write(dir string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(standingFile(dir), data, 0o600)
}
