package opscmd

import "github.com/spf13/cobra"

// Commands are the commands of this package, made anew.
func Commands() []*cobra.Command {
	return []*cobra.Command{
		setupCommand(),
		doctorCommand(),
		workersCommand(),
		alertsCommand(),
		dashboardCommand(),
		shareCommand(),
	}
}
