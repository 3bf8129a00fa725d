package opscmd

import (
	"cmp"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/spf13/cobra"

	"padron/dashboard"
	"padron/internal/config"
	"padron/starter/cli"
)

// dashboardAddr is where `dashboard` serves unless told otherwise.
const dashboardAddr = "127.0.0.1:8080"

func dashboardCommand() *cobra.Command {
	var (
		addr, token       string
		public, sensitive bool
	)
	cmd := &cobra.Command{
		Use:   "dashboard",
		Short: "Serve the dashboard: statistics, businesses, changes, runs",
		Long: `Serves web pages over what the mirror holds, until Ctrl-C. It only reads, and needs
MongoDB alone. A worker serves the same pages where PADRON_DASHBOARD_ADDR is set.

Without --addr it is reached from this machine only. At another address it asks every
reader for a token, or must be said to be public. Fields that may concern private
persons are shown with --sensitive only, and never publicly.`,
		Example: `  starter dashboard
  PADRON_DASHBOARD_TOKEN=$(openssl rand -hex 16) starter dashboard --addr :8080
  starter dashboard --addr :8080 --public`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			overrides := map[string]string{}
			for flag, given := range map[string]struct{ variable, value string }{
				"addr":      {"PADRON_DASHBOARD_ADDR", addr},
				"token":     {"PADRON_DASHBOARD_TOKEN", token},
				"public":    {"PADRON_DASHBOARD_PUBLIC", strconv.FormatBool(public)},
				"sensitive": {"PADRON_DASHBOARD_SENSITIVE", strconv.FormatBool(sensitive)},
			} {
				if cmd.Flags().Changed(flag) {
					overrides[given.variable] = given.value
				}
			}
			c, err := cli.SettingsWith(cmd, overrides)
			if err != nil {
				return err
			}
			c.Dashboard.Addr = cmp.Or(c.Dashboard.Addr, dashboardAddr)
			return serveDashboard(cmd, c)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "", "`HOST:PORT` to serve at (PADRON_DASHBOARD_ADDR; default "+dashboardAddr+")")
	cmd.Flags().StringVar(&token, "token", "", "`token` that every reader must give (PADRON_DASHBOARD_TOKEN, which others on this machine do not see)")
	cmd.Flags().BoolVar(&public, "public", false, "everybody who reaches the address may read (PADRON_DASHBOARD_PUBLIC)")
	cmd.Flags().BoolVar(&sensitive, "sensitive", false, "show fields that may concern private persons (PADRON_DASHBOARD_SENSITIVE)")
	return cmd
}

func serveDashboard(cmd *cobra.Command, c config.Config) error {
	spec, err := cli.OpenSpec(c)
	if err != nil {
		return err
	}
	database, disconnect, err := cli.ConnectMongo(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer disconnect()
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: c.LogLevel}))
	l, err := dashboard.Serve(c, spec, database, log)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), l.URL)
	select {
	case err := <-l.Done():
		return fmt.Errorf("serve the dashboard: %w", err)
	case <-cmd.Context().Done():
		return l.Stop(cmd.Context())
	}
}
