package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"padron/workflows"
)

func dagCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dag",
		Short: "Draw what a run does, as a Mermaid flowchart",
		Long: `Prints the graph of a run as the program runs it, in the language that Mermaid,
GitHub and many editors draw.`,
		Example: `  starter dag > run.mmd`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			drawn, err := workflows.Mermaid()
			if err == nil {
				fmt.Fprint(cmd.OutOrStdout(), drawn)
			}
			return err
		},
	}
}
