package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/query"
	"padron/internal/runs"
)

// OpenReader connects to MongoDB and opens the dataset's database for reading;
// mongodb.ErrNoMirror when it is not there yet. disconnect ends the connection.
func OpenReader(ctx context.Context, c config.Config, spec *dataset.Spec) (reader *query.Reader, disconnect func(), err error) {
	client, disconnect, err := ConnectMongo(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if reader, err = query.Open(ctx, client, c.MongoDatabase, spec.Name); err != nil {
		disconnect()
		return nil, nil, err
	}
	return reader, disconnect, nil
}

// ConnectMongo connects to MongoDB; disconnect ends the connection.
func ConnectMongo(ctx context.Context, c config.Config) (db *mongo.Client, disconnect func(), err error) {
	if db, err = mongodb.Connect(ctx, c.MongoURI); err != nil {
		return nil, nil, err
	}
	return db, func() { _ = db.Disconnect(context.WithoutCancel(ctx)) }, nil // on the way out
}

// WithMirror opens the configured dataset's mirror for a reading command.
func WithMirror(cmd *cobra.Command, read func(reader *query.Reader) error) error {
	c, err := Settings(cmd)
	if err != nil {
		return err
	}
	spec, err := OpenSpec(c)
	if err != nil {
		return err
	}
	reader, disconnect, err := OpenReader(cmd.Context(), c, spec)
	if errors.Is(err, mongodb.ErrNoMirror) {
		return fmt.Errorf("there is no mirror of %s yet (database %s_%s): `starter run --wait` makes it", spec.Name, c.MongoDatabase, spec.Name)
	}
	if err != nil {
		return err
	}
	defer disconnect()
	return read(reader)
}

// ReadRun reads a run's record; the error of an unknown one says where to look.
func ReadRun(ctx context.Context, reader *query.Reader, id string) (runs.Run, error) {
	run, err := reader.Runs.Run(ctx, id)
	if errors.Is(err, runs.ErrNoRun) {
		err = fmt.Errorf("there is no run %q; `starter status` lists them", id)
	}
	return run, err
}
