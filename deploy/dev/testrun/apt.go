package testrun

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// mayInstall reports whether this process may install Debian packages.
func mayInstall() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && os.Geteuid() == 0
}

// aptInstall installs Debian packages. See mayInstall.
func aptInstall(ctx context.Context, packages ...string) error {
	// A machine that never ran `apt-get update` knows no packages, and one that
	// ran it long ago knows old ones.
	for _, args := range [][]string{{"update"}, append([]string{"install", "--yes", "--no-install-recommends"}, packages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
