package runcmd

import "github.com/spf13/cobra"

// Commands are the commands of this package, made anew.
func Commands() []*cobra.Command {
	return []*cobra.Command{
		runCommand(),
		watchCommand(),
		cancelCommand(),
		statusCommand(),
		verifyCommand(),
		approveCommand(),
		rerunCommand(),
		dagCommand(),
	}
}
