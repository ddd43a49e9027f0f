package omconnect

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/omconnect/omconnect/connect"
	"github.com/omconnect/omconnect/oms"
)

// referenceCommand is omconnect reference: the pages of docs/reference, or of
// whatever a main of one's own has registered.
type referenceCommand struct {
	Dir string `arg:"" help:"Folder to write to."`
}

// Run writes the pages, and removes those that it has written once and that
// there are no more.
func (c *referenceCommand) Run(s *streams, plugins *connect.Plugins) error {
	pages, err := referencePages(plugins, &oms.Default)
	if err != nil {
		return err
	}
	var paths []string
	for _, p := range pages {
		path := filepath.Join(c.Dir, filepath.FromSlash(p.path))
		paths = append(paths, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // pages are for everybody to read
			return err
		}
		if err := os.WriteFile(path, []byte(p.text.String()), 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	written, err := generatedPages(c.Dir)
	if err != nil {
		return err
	}
	for _, path := range written {
		if !slices.Contains(paths, path) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "wrote %d pages to %s\n", len(pages), c.Dir)
	return err
}

// generatedPages returns the paths of the pages in a folder that were
// generated, sorted.
func generatedPages(dir string) (paths []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // it is in the folder that was named
		if bytes.Contains(text, []byte(pageMark)) {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}
