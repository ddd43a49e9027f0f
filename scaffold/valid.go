package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	goodName   = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	goodModule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)
	moduleLine = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)"?\s*$`)
)

// longestName leaves room for what connectors and groups are named after it.
const longestName = 50

// valid returns everything that is wrong with what was asked for.
func (c Connector) valid() error {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	switch {
	case c.Name == "":
		problem("the connector needs a name")
	case len(c.Name) > longestName:
		problem("the name %.60q has %d characters, at most %d are allowed", c.Name, len(c.Name), longestName)
	case !goodName.MatchString(c.Name):
		problem("the name %q is no good: write lower-case letters, digits and single hyphens, a letter first", c.Name)
	case strings.HasSuffix(c.Name, "-source"), strings.HasSuffix(c.Name, "-sink"), c.Name == "source", c.Name == "sink":
		problem("the name %q is no good: the classes are called NAME-source and NAME-sink, so leave that out", c.Name)
	}
	if !c.Source && !c.Sink {
		problem("there is neither a source nor a sink to write")
	}
	switch {
	case !goodModule.MatchString(c.Module):
		problem("the module %q is no path of a module: write one such as example.org/orders", c.Module)
	case c.Module == Gateway || strings.HasPrefix(c.Module, Gateway+"/"):
		problem("the module %q belongs to the gateway: write one of your own, such as example.org/orders", c.Module)
	}
	return errors.Join(problems...)
}

// replacement returns the path of a clone as the go.mod in folder has it, or
// why it is no clone of the gateway.
func replacement(folder, clone string) (string, error) {
	if clone == "" {
		return "", nil
	}
	text, err := os.ReadFile(filepath.Join(clone, "go.mod")) //nolint:gosec // whoever calls the program names it
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("--replace %s: there is no go.mod, so this is no clone of %s", clone, Gateway)
	}
	if err != nil {
		return "", fmt.Errorf("--replace: %w", err)
	}
	if m := moduleLine.FindSubmatch(text); len(m) != 2 || string(m[1]) != Gateway {
		return "", fmt.Errorf("--replace %s: its go.mod is not that of %s", clone, Gateway)
	}
	if filepath.IsAbs(clone) {
		return filepath.ToSlash(filepath.Clean(clone)), nil
	}
	from, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(clone)
	if err != nil {
		return "", err
	}
	path, err := filepath.Rel(from, to)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(path, "..") {
		path = "./" + path // a path, not a module
	}
	return filepath.ToSlash(path), nil
}
