package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"padron/deploy/dev/servers"
	"padron/internal/portalsim"
)

// portalFlags adds the flags that say where the rows come from.
func portalFlags(cmd *cobra.Command) *servers.Portal {
	var headers string
	p := &servers.Portal{URL: os.Getenv("PADRON_PORTAL_URL")}
	cmd.Flags().BoolVar(&p.Live, "live", false, "use the real portal")
	cmd.Flags().IntVar(&p.Rows, "rows", servers.DefaultRows, "how many rows the simulated portal has")
	cmd.Flags().StringVar(&p.File, "portal-file", "", "serve the rows of this JSON or CSV file")
	cmd.Flags().StringVar(&p.Boundaries, "boundaries-file", "",
		"serve the neighborhoods' outlines of this GeoJSON file, named by its property "+portalsim.PropertyName)
	cmd.Flags().StringVar(&headers, "portal-headers", "",
		"what the simulated portal's answers tell of their version: no-truth, legacy or none (default: everything)")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if p.Says, err = portalsim.ParseSays(headers); err != nil {
			return fmt.Errorf("%w: --portal-headers: %w", errUsage, err)
		}
		return checkPortal(*p)
	}
	return p
}

// checkPortal refuses flags that exclude each other.
func checkPortal(p servers.Portal) error {
	switch {
	case p.Live && p.File != "":
		return fmt.Errorf("%w: --live and --portal-file exclude each other", errUsage)
	case p.Live && p.Rows != servers.DefaultRows:
		return fmt.Errorf("%w: --live and --rows exclude each other: the real portal has as many rows as it has", errUsage)
	case p.File != "" && p.Rows != servers.DefaultRows:
		return fmt.Errorf("%w: --portal-file and --rows exclude each other: the file has as many rows as it has", errUsage)
	case p.Live && p.Boundaries != "":
		return fmt.Errorf("%w: --live and --boundaries-file exclude each other", errUsage)
	case (p.Live || p.URL != "") && p.Says != portalsim.SaysAll:
		return fmt.Errorf("%w: --portal-headers is of the simulated portal", errUsage)
	case p.Rows < 1:
		return fmt.Errorf("%w: --rows %d: at least one row is needed", errUsage, p.Rows)
	}
	return nil
}
