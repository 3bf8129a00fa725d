package opscmd

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"padron/dashboard"
	"padron/starter/cli"
)

func shareCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "share ADDRESS",
		Short: "Print the address that opens one chart, data or feed without the token",
		Long: `Prints an address of the dashboard with a key: one chart in a page of another site,
the data of a chart, a list of rows or changes, or the feed. The key opens that alone.
It is derived from PADRON_DASHBOARD_TOKEN, and is good until that is changed.

ADDRESS is as the browser shows it, with or without http://HOST. "Embed" under a chart
leads to the address of the chart alone.`,
		Example: `  starter share 'https://padron.example/en/?embed=1&chart=months'
  starter share /changes.rss
  starter share '/data/overview/neighborhoods.csv' -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := cli.Settings(cmd)
			if err != nil {
				return err
			}
			if c.Dashboard.Token == "" {
				return cli.Usage(errors.New("PADRON_DASHBOARD_TOKEN is not set: give the dashboard's, or nothing needs to be shared"))
			}
			address, err := dashboard.Share(c.Dashboard.Token, args[0])
			if err != nil {
				return cli.Usage(fmt.Errorf("%q: %w; the links Embed, CSV, JSON and RSS lead to such", args[0], err))
			}
			return out.Show(cmd.OutOrStdout(), map[string]string{"address": address}, func(w io.Writer) { fmt.Fprintln(w, address) })
		},
	}
	out.Add(cmd)
	return cmd
}
