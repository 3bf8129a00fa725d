package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/workflows"
)

// visibleWithin is how long Temporal may take until new search attributes can
// be used: its caches refresh within about a minute.
const visibleWithin = 2 * time.Minute

func setupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "setup",
		Short: "Prepare Temporal and MongoDB, once",
		Long: `Registers Padron's search attributes in the Temporal namespace and creates the
dataset's database with its mark of ownership. Doing it again changes nothing.`,
		Example: `  starter setup
  starter setup --temporal-address temporal:7233 --mongodb-uri mongodb://db:27017`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTemporal(cmd, func(c config.Config, spec *dataset.Spec, t client.Client, namespace string) error {
				m, disconnect, err := openMirror(cmd.Context(), c, spec)
				if err != nil {
					return err
				}
				disconnect()
				fmt.Fprintf(cmd.OutOrStdout(), "database %s is ready\n", m.Database().Name())
				added, err := setupSearchAttributes(cmd.Context(), t, namespace)
				if err != nil {
					return err
				}
				what := "were there already"
				if len(added) > 0 {
					what = "registered: " + strings.Join(added, ", ")
				}
				fmt.Fprintf(cmd.OutOrStdout(), "search attributes of namespace %s %s\n", namespace, what)
				return nil
			})
		},
	}
}

// setupSearchAttributes adds the missing ones and waits until they are seen.
func setupSearchAttributes(ctx context.Context, t client.Client, namespace string) ([]string, error) {
	want := workflows.SearchAttributes()
	missing, err := config.MissingSearchAttributes(ctx, t, namespace, want)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	add := map[string]enumspb.IndexedValueType{}
	for _, name := range missing {
		add[name] = want[name]
	}
	if err := config.AddSearchAttributes(ctx, t, namespace, add); err != nil {
		return nil, err
	}
	wait := backoff.NewExponentialBackOff(backoff.WithMaxElapsedTime(visibleWithin))
	err = backoff.Retry(func() error { return checkSearchAttributes(ctx, t, namespace) }, backoff.WithContext(wait, ctx))
	if err != nil {
		return nil, fmt.Errorf("search attributes were added and are not visible after %s: %w", visibleWithin, err)
	}
	return missing, nil
}
