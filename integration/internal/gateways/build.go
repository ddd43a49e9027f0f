package gateways

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// Build makes a program of the module, named by its folder there, and returns
// its path in dir. It is made as users build it: without the race detector,
// which would slow volumes down.
func Build(dir, pkg string) (string, error) {
	bin := filepath.Join(dir, path.Base(pkg))
	cmd := exec.Command("go", "build", "-o", bin, "github.com/omconnect/omconnect/"+pkg) //nolint:gosec,noctx // a program of this module; a build ends
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return bin, nil
}
