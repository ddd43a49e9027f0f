// Package scaffold writes the beginnings of connectors: a module of its own
// with a source, a sink or both that really do something small, their tests
// and a main that makes a whole gateway of them. What it writes builds and
// passes package connecttest as it is; its author replaces what is read and
// written.
//
// The folder appears whole or not at all. Nothing is downloaded.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// Gateway is the module that the written ones build on.
const Gateway = "github.com/omconnect/omconnect"

// goVersion is the language version of what is written: that of Gateway.
const goVersion = "1.26.0"

// A Connector says what to write.
type Connector struct {
	// Name is the name of the folder, and of the classes: NAME-source and
	// NAME-sink.
	Name string
	// Dir is the folder to write the new one into; it must be there.
	Dir string
	// Source and Sink say which of the two to write, at least one.
	Source, Sink bool
	// Module is the path of the new module; example.org/NAME if empty.
	Module string
	// Version is the released version of Gateway to require; "" leaves that to
	// go mod tidy.
	Version string
	// Replace is the folder of a clone of Gateway to build with; "" for none.
	// A relative one is seen from the working folder.
	Replace string
}

//go:embed templates
var templates embed.FS

// files are what may be written, and the condition under which it is.
var files = []struct {
	name   string
	wanted func(Connector) bool
}{
	{"go.mod", always},
	{"main.go", always},
	{"source.go", func(c Connector) bool { return c.Source }},
	{"sink.go", func(c Connector) bool { return c.Sink }},
	{"connector_test.go", always},
	{"README.md", always},
}

func always(Connector) bool { return true }

// Write writes the module and returns its folder. A name, module or clone that
// is no good, and a folder that has something in it, is an error before
// anything is written.
func Write(c Connector) (folder string, err error) {
	folder = filepath.Join(c.Dir, c.Name)
	if c.Module == "" {
		c.Module = "example.org/" + c.Name
	}
	if err := errors.Join(c.valid(), vacant(folder)); err != nil {
		return "", err
	}
	if c.Replace, err = replacement(folder, c.Replace); err != nil {
		return "", err
	}
	hidden, err := os.MkdirTemp(c.Dir, "."+c.Name+"-")
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no folder %s to write into: make it, or name another", c.Dir)
	}
	if err != nil {
		return "", err
	}
	err = c.fill(hidden)
	if err == nil {
		err = publish(hidden, folder)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(hidden))
	}
	return folder, nil
}

// fill writes the files.
func (c Connector) fill(folder string) error {
	for _, f := range files {
		if !f.wanted(c) {
			continue
		}
		text, err := c.render(f.name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, f.name), text, 0o644); err != nil { //nolint:gosec // code is for everybody to read
			return err
		}
	}
	return os.Chmod(folder, 0o755) //nolint:gosec // as above
}

// render returns the text of a file.
func (c Connector) render(name string) ([]byte, error) {
	t, err := template.New(name+".tmpl").Funcs(template.FuncMap{"quoted": quoted}).ParseFS(templates, "templates/"+name+".tmpl")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = t.Execute(&text, struct {
		Connector
		Gateway, Go string
	}{c, Gateway, goVersion})
	return text.Bytes(), err
}

// quoted is a path as go.mod has it.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'`()[]{},;") || strings.Contains(path, "//") {
		return strconv.Quote(path)
	}
	return path
}

// vacant returns nil where a folder can be put: where there is none, or an
// empty one.
func vacant(folder string) error {
	info, err := os.Lstat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is there, and is no folder: choose another name or --dir", folder)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s is not empty: choose another name or --dir", folder)
	}
	return nil
}

// publish gives the hidden folder its name. Whoever has put something there
// meanwhile keeps it.
func publish(hidden, folder string) error {
	if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(hidden, folder)
}
