package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mongodb"
	"padron/internal/query"
	"padron/internal/runs"
	"padron/workflows"
)

// Connection is the configured dataset with Temporal and MongoDB connected.
type Connection struct {
	Config    config.Config
	Spec      *dataset.Spec
	Temporal  client.Client
	Namespace string
	Reader    *query.Reader // nil until the worker has created the database

	database   *mongo.Client
	disconnect func()
}

// Connect connects to Temporal and MongoDB, for a command about runs that are
// there already: it needs no worker.
func Connect(cmd *cobra.Command) (*Connection, error) {
	c, err := Settings(cmd)
	if err != nil {
		return nil, err
	}
	spec, err := OpenSpec(c)
	if err != nil {
		return nil, err
	}
	s := &Connection{Config: c, Spec: spec}
	if s.Temporal, s.Namespace, err = DialTemporal(cmd.Context(), c); err != nil {
		return nil, err
	}
	if s.database, s.disconnect, err = ConnectMongo(cmd.Context(), c); err != nil {
		s.Temporal.Close()
		return nil, err
	}
	if err := s.OpenMirror(cmd.Context()); err != nil && !errors.Is(err, mongodb.ErrNoMirror) {
		s.Close()
		return nil, err
	}
	return s, nil
}

// ConnectToStart is Connect for a command that starts something. It makes sure
// that a run can be executed, so that what is wrong is said here and not by a
// hanging run. It writes nothing: the worker creates the database.
func ConnectToStart(cmd *cobra.Command) (*Connection, error) {
	s, err := Connect(cmd)
	if err != nil {
		return nil, err
	}
	if err = CheckSearchAttributes(cmd.Context(), s.Temporal, s.Namespace); err == nil {
		err = CheckServed(cmd, s.Temporal, s.Namespace, s.Config, s.Spec)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// withoutWorker is the flag of commands that may start what nobody serves yet.
const withoutWorker = "without-worker"

// AddWithoutWorker adds the flag that has CheckServed let a dataset pass which
// nobody serves.
func AddWithoutWorker(cmd *cobra.Command) {
	cmd.Flags().Bool(withoutWorker, false, "even if no worker serves the dataset: what is started waits until one does")
}

// CheckServed is an error when no worker serves a dataset, unless the command was
// told that it does not matter.
func CheckServed(cmd *cobra.Command, t client.Client, namespace string, c config.Config, spec *dataset.Spec) error {
	f := cmd.Flags().Lookup(withoutWorker)
	if f != nil && f.Value.String() == "true" {
		return nil
	}
	err := AwaitWorker(cmd.Context(), t, namespace, c.TaskQueue, spec.Name)
	if errors.Is(err, errNoWorker) && f != nil {
		err = fmt.Errorf("%w; --%s does it all the same", err, withoutWorker)
	}
	return err
}

// Queue is the dataset's task queue.
func (s *Connection) Queue() string { return workflows.Queue(s.Config.TaskQueue, s.Spec.Name) }

// OpenMirror opens the dataset's database for reading; mongodb.ErrNoMirror until
// the worker has created it.
func (s *Connection) OpenMirror(ctx context.Context) (err error) {
	if s.Reader == nil {
		s.Reader, err = query.Open(ctx, s.database, s.Config.MongoDatabase, s.Spec.Name)
	}
	return err
}

// Record reads a run's record; runs.ErrNoRun or mongodb.ErrNoMirror before it
// begins.
func (s *Connection) Record(ctx context.Context, id string) (runs.Run, error) {
	if err := s.OpenMirror(ctx); err != nil {
		return runs.Run{}, err
	}
	return s.Reader.Runs.Run(ctx, id)
}

// Close ends both connections.
func (s *Connection) Close() {
	s.disconnect()
	s.Temporal.Close()
}
