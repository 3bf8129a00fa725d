package cli

import (
	"maps"

	"github.com/spf13/cobra"

	"padron/internal/config"
	"padron/internal/dataset"
)

// Flags are the settings that override the environment, by variable.
var Flags = []struct{ Flag, Variable, Help string }{
	{"dataset", "PADRON_DATASET", "name, id or page of a dataset, or path of a spec"},
	{"mongodb-uri", "MONGODB_URI", "where MongoDB is"},
	{"mongodb-database", "MONGODB_DATABASE", "prefix of the databases"},
	{"temporal-address", "TEMPORAL_ADDRESS", "where Temporal is"},
	{"namespace", "TEMPORAL_NAMESPACE", "Temporal namespace"},
	{"portal-url", "PADRON_PORTAL_URL", "replaces the portal's host that the spec names"},
	{"task-queue", "PADRON_TASK_QUEUE", "task queue of the workers"},
}

// Settings reads the configuration with the command's flags on top.
func Settings(cmd *cobra.Command) (config.Config, error) { return SettingsWith(cmd, nil) }

// SettingsWith is settings with more overrides, by variable.
func SettingsWith(cmd *cobra.Command, more map[string]string) (config.Config, error) {
	overrides := map[string]string{}
	maps.Copy(overrides, more)
	for _, f := range Flags {
		if given := cmd.Flags().Lookup(f.Flag); given != nil && given.Changed {
			overrides[f.Variable] = given.Value.String()
		}
	}
	c, err := config.Load(overrides)
	return c, Usage(err)
}

// OpenSpec opens the configured dataset's spec.
func OpenSpec(c config.Config) (*dataset.Spec, error) {
	spec, err := c.Spec()
	return spec, Usage(err)
}

// SpecArgument opens the spec named on the command line, or the configured one.
func SpecArgument(cmd *cobra.Command, args []string) (*dataset.Spec, error) {
	c, err := Settings(cmd)
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		c.Dataset = args[0]
	}
	return OpenSpec(c)
}
