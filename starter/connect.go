package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/mongo"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mirror"
	"padron/internal/socrata"
	"padron/workflows"
)

// settings reads the configuration with the command's flags on top.
func settings(cmd *cobra.Command) (config.Config, error) { return settingsWith(cmd, nil) }

// settingsWith is settings with more overrides, by variable.
func settingsWith(cmd *cobra.Command, more map[string]string) (config.Config, error) {
	overrides := map[string]string{}
	maps.Copy(overrides, more)
	for _, f := range flags {
		if given := cmd.Flags().Lookup(f.flag); given != nil && given.Changed {
			overrides[f.variable] = given.Value.String()
		}
	}
	c, err := config.Load(overrides)
	return c, usage(err)
}

// openSpec opens the configured dataset's spec.
func openSpec(c config.Config) (*dataset.Spec, error) {
	spec, err := c.Spec()
	return spec, usage(err)
}

// dialTemporal connects to Temporal. The SDK's own log goes nowhere: what the
// user must know is in the errors.
func dialTemporal(ctx context.Context, c config.Config) (client.Client, string, error) {
	t, o, err := c.DialTemporal(ctx, slog.New(slog.DiscardHandler))
	return t, o.Namespace, err
}

// openMirror connects to MongoDB and opens the dataset's database, creating it
// when it is not there, save with mirror.ReadOnly; disconnect ends the
// connection.
func openMirror(ctx context.Context, c config.Config, spec *dataset.Spec, options ...mirror.Option) (m *mirror.Mirror, disconnect func(), err error) {
	db, disconnect, err := connectMongo(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if m, err = mirror.Open(ctx, db, c.MongoDatabase, spec.Name, options...); err != nil {
		disconnect()
		return nil, nil, err
	}
	return m, disconnect, nil
}

// connectMongo connects to MongoDB; disconnect ends the connection.
func connectMongo(ctx context.Context, c config.Config) (db *mongo.Client, disconnect func(), err error) {
	if db, err = mirror.Connect(ctx, c.MongoURI); err != nil {
		return nil, nil, err
	}
	return db, func() { _ = db.Disconnect(context.WithoutCancel(ctx)) }, nil // on the way out
}

// openPortal makes a client for the spec's portal.
func openPortal(c config.Config, spec *dataset.Spec) (*socrata.Client, error) {
	return socrata.New(socrata.Options{BaseURL: spec.Portal.BaseURL(c.PortalURL), ID: spec.Portal.ID, AppToken: c.AppToken, UserAgent: "padron"})
}

// metadata asks the portal what the dataset looks like. Where the portal did not
// answer as one, the error says which setting to look at.
func metadata(ctx context.Context, portal *socrata.Client) (*socrata.Metadata, socrata.Version, error) {
	live, version, err := portal.Metadata(ctx)
	if soda, ok := errors.AsType[*socrata.Error](err); ok && (soda.Kind == socrata.Network || soda.Kind == socrata.Garbage) {
		err = fmt.Errorf("%w; check the network and PADRON_PORTAL_URL", err)
	}
	return live, version, err
}

// checkPortal makes sure before a run that the portal is one and has the
// dataset. A portal that is only busy or in trouble is no reason to start
// nothing: the run outlasts that.
func checkPortal(ctx context.Context, c config.Config, spec *dataset.Spec) error {
	portal, err := openPortal(c, spec)
	if err != nil {
		return err
	}
	_, _, err = metadata(ctx, portal)
	if soda, ok := errors.AsType[*socrata.Error](err); ok {
		switch soda.Kind {
		case socrata.Computing, socrata.Timeout, socrata.Throttled, socrata.Unavailable:
			return nil
		default:
		}
	}
	return err
}

// checkSearchAttributes is an error naming `starter setup` when one is missing.
func checkSearchAttributes(ctx context.Context, t client.Client, namespace string) error {
	return config.CheckSearchAttributes(ctx, t, namespace, workflows.SearchAttributes())
}

// errNoWorker says that nobody would execute what is started.
var errNoWorker = errors.New("no worker polls the task queue")

// workerWithin is how long a worker that just started may take until Temporal
// sees its pollers.
const workerWithin = 10 * time.Second

// awaitWorker is errNoWorker, wrapped, when no worker comes to poll the queues.
func awaitWorker(ctx context.Context, t client.Client, namespace, queue string) error {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxElapsedTime(workerWithin))
	return backoff.Retry(func() error {
		err := checkWorker(ctx, t, namespace, queue)
		if err != nil && !errors.Is(err, errNoWorker) {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(wait, ctx))
}

// checkWorker is errNoWorker, wrapped, when no worker polls one of the queues.
func checkWorker(ctx context.Context, t client.Client, namespace, queue string) error {
	for name, kind := range map[string]enumspb.TaskQueueType{
		queue:                        enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		workflows.PortalQueue(queue): enumspb.TASK_QUEUE_TYPE_ACTIVITY,
	} {
		d, err := describeQueue(ctx, t, namespace, name, kind)
		if err != nil {
			return err
		}
		if len(d.Pollers) == 0 {
			return fmt.Errorf("%w %s: start one with `worker`, or set PADRON_TASK_QUEUE to the queue of yours", errNoWorker, name)
		}
		if d.VersioningInfo.GetCurrentDeploymentVersion() == nil && !slices.ContainsFunc(d.Pollers, func(p *taskqueuepb.PollerInfo) bool { return !versioned(p) }) {
			return fmt.Errorf("%w %s that new runs go to: the workers are of builds, and none is current; `starter workers promote` makes one", errNoWorker, name)
		}
	}
	return nil
}
