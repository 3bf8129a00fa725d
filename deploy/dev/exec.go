package main

import (
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"padron/deploy/dev/servers"
)

func execCommand(data *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT...]",
		Short: "Run a command in the repository's root with the servers' addresses set",
		Long: "Runs a command in the repository's root with MONGODB_URI, TEMPORAL_ADDRESS and PADRON_PORTAL_URL set.\n" +
			"Uses this checkout's running stack, or starts the servers for as long as the command runs.",
		Example: "  go run -C deploy/dev . exec -- go run ./starter status",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%w: exec needs a command: exec -- COMMAND", errUsage)
			}
			if _, err := exec.LookPath(args[0]); err != nil {
				return fmt.Errorf("%w: no program %q", errUsage, args[0])
			}
			return nil
		},
	}
	portal := portalFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return servers.Exec(cmd.Context(), *data, *portal, args)
	}
	return cmd
}
