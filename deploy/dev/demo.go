package main

import (
	"github.com/spf13/cobra"

	"padron/deploy/dev/product"
)

func demoCommand(data *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start everything, load the register once, and stay up",
		Args:  cobra.NoArgs,
	}
	portal := portalFlags(cmd)
	exit := cmd.Flags().Bool("exit", false, "stop after the load")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return product.Demo(cmd.Context(), *data, *portal, *exit)
	}
	return cmd
}

func upCommand(data *string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start everything and stay up, without loading anything",
		Args:  cobra.NoArgs,
	}
	portal := portalFlags(cmd)
	noWorker := cmd.Flags().Bool("no-worker", false, "start the servers only")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return product.Up(cmd.Context(), *data, *portal, !*noWorker)
	}
	return cmd
}
