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
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			drawn, err := workflows.Mermaid()
			if err == nil {
				fmt.Fprint(cmd.OutOrStdout(), drawn)
			}
			return err
		},
	}
}
