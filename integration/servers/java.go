package servers

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// JarsEnv is the environment variable that names the folder for the jars of
// Kafka and RocketMQ. Without it that is omconnect/jars in the user's cache
// folder.
const JarsEnv = "OMCONNECT_JARS"

var (
	//go:embed pom-kafka.xml
	kafkaPOM []byte
	//go:embed pom-rocketmq.xml
	rocketmqPOM []byte
)

// java returns the program that runs jars.
func java() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if path, err := exec.LookPath(filepath.Join(home, "bin", "java")); err == nil {
			return path, nil
		}
	}
	return lookPath("java", "default-jre-headless")
}

// jars returns the folder of what a pom pins. setup.sh puts the pom beside the
// jars once all of them are there.
func jars(pom []byte) (string, error) {
	var project struct {
		Name    string `xml:"artifactId"`
		Version string `xml:"version"`
	}
	if err := xml.Unmarshal(pom, &project); err != nil {
		return "", fmt.Errorf("reading a pom: %w", err)
	}
	cache := os.Getenv(JarsEnv)
	if cache == "" {
		base := os.Getenv("XDG_CACHE_HOME")
		if base == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("finding the jars: %w; set %s", err, JarsEnv)
			}
			base = filepath.Join(home, ".cache")
		}
		cache = filepath.Join(base, "omconnect", "jars")
	}
	folder := filepath.Join(cache, project.Name+"-"+project.Version)
	has, err := os.ReadFile(filepath.Join(folder, "pom.xml")) //nolint:gosec // the folder is the user's own choice
	if err != nil || !bytes.Equal(has, pom) {
		return "", fmt.Errorf("the jars of %s %s are not in %s: run make setup, which fetches them, or set %s",
			project.Name, project.Version, folder, JarsEnv)
	}
	return folder, nil
}

// jvm returns the arguments of a small and quick Java.
func jvm(folder string) []string {
	return []string{
		"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-Djava.net.preferIPv4Stack=true", "-cp", filepath.Join(folder, "*"),
	}
}
