package omconnect

import (
	"fmt"
	"regexp"
	"runtime/debug"

	"github.com/omconnect/omconnect/scaffold"
)

// newCommand is omconnect new.
type newCommand struct {
	Connector newConnectorCommand `cmd:"" help:"Write a module with a connector of one's own, its tests and a main, to begin with."`
}

// newConnectorCommand is omconnect new connector.
type newConnectorCommand struct {
	Name    string `arg:"" help:"Name of the folder and of the classes, such as orders for orders-source and orders-sink."`
	Dir     string `default:"." placeholder:"DIR" help:"Folder to write the new one into; the working folder by default."`
	Kind    string `enum:"source,sink,both" default:"both" help:"What to write: source, sink or both."`
	Module  string `placeholder:"PATH" help:"Path of the new module; example.org/NAME by default."`
	Replace string `placeholder:"PATH" help:"Folder of a clone of omconnect to build with, instead of a released version."`
}

// Run writes the module, and says what to do with it.
func (c *newConnectorCommand) Run(s *streams) error {
	version := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = releasedVersion(info)
	}
	folder, err := scaffold.Write(scaffold.Connector{
		Name: c.Name, Dir: c.Dir, Source: c.Kind != "sink", Sink: c.Kind != "source",
		Module: c.Module, Version: version, Replace: c.Replace,
	})
	if err != nil {
		return usageError{err}
	}
	if version == "" && c.Replace == "" {
		if _, err := fmt.Fprintln(s.err, "omconnect: this build has no released version: go mod tidy takes the latest one; to build with a clone, add --replace PATH"); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(s.out, "wrote %s; go on there with\n  go mod tidy\n  go test ./...\n  go run . plugins\n", folder)
	return err
}

// released are versions that a go.mod can require from anywhere. One of a
// clone with changes ends in +dirty.
var released = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// releasedVersion returns the version of the gateway in a build, "" if it has
// none that others can get: the program may be the gateway itself, or a main
// of one's own that requires it.
func releasedVersion(info *debug.BuildInfo) string {
	modules := append([]*debug.Module{&info.Main}, info.Deps...)
	for _, m := range modules {
		if m.Path == scaffold.Gateway && m.Replace == nil && released.MatchString(m.Version) {
			return m.Version
		}
	}
	return ""
}
