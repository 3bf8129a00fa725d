package opscmd

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
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/starter/cli"
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
database of each dataset that PADRON_DATASET names, with its mark of ownership.
Doing it again changes nothing.`,
		Example: `  starter setup
  starter setup --temporal-address temporal:7233 --mongodb-uri mongodb://db:27017`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.WithTemporalOfAll(cmd, func(c config.Config, specs []*dataset.Spec, t client.Client, namespace string) error {
				for _, spec := range specs {
					database, err := setupDatabase(cmd.Context(), c, spec)
					if err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "database %s is ready\n", database)
				}
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
	err = backoff.Retry(func() error { return cli.CheckSearchAttributes(ctx, t, namespace) }, backoff.WithContext(wait, ctx))
	if err != nil {
		return nil, fmt.Errorf("search attributes were added and are not visible after %s: %w", visibleWithin, err)
	}
	return missing, nil
}

// setupDatabase creates the dataset's database, or converts one that an older
// version wrote, and returns its name.
func setupDatabase(ctx context.Context, c config.Config, spec *dataset.Spec) (string, error) {
	client, disconnect, err := cli.ConnectMongo(ctx, c)
	if err != nil {
		return "", err
	}
	defer disconnect()
	db, err := mongodb.Open(ctx, client, c.MongoDatabase, spec.Name)
	if err != nil {
		return "", err
	}
	return db.Name(), runs.NewStore(db).Convert(ctx)
}
