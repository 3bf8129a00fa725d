package opscmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"padron/internal/config"
	"padron/internal/dataset"
	"padron/starter/cli"
	"padron/starter/schedulecmd"
)

func workersCommand() *cobra.Command {
	var out cli.Output
	cmd := &cobra.Command{
		Use:   "workers",
		Short: "List the workers and the builds that they are of",
		Long: `Lists the worker processes that poll the task queues, with their roles and the
datasets that they serve, as far as PADRON_DATASET names them or they have a
schedule; those of the release before share one queue, and tell no datasets. Where
workers have PADRON_DEPLOYMENT set, the builds of the deployment follow:

  current    new runs start on it
  ramping    some of the new runs start on it
  draining   runs that began with it are still going: keep its workers
  drained    nothing runs on it any more: its workers can be stopped
  inactive   it never was current

To roll out a build, start its workers beside the old ones, promote it, and stop
the old ones when they are drained. Temporal looks whether they are every few
minutes.`,
		Example: `  starter workers                    who polls, and which build is current
  starter workers promote            new runs start on this starter's build
  starter workers promote BUILD      or on another one, for instance the last`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cli.WithTemporalOfAll(cmd, func(c config.Config, specs []*dataset.Spec, t client.Client, namespace string) error {
				all, err := listWorkers(cmd.Context(), t, namespace, c, specs)
				if err != nil {
					return err
				}
				return out.Show(cmd.OutOrStdout(), all, func(w io.Writer) { printWorkers(w, all) })
			})
		},
	}
	out.Add(cmd)
	cmd.AddCommand(workersPromoteCommand())
	return cmd
}

// workersView is what `starter workers` prints.
type workersView struct {
	TaskQueue   string           `json:"task_queue"`
	Datasets    []servedView     `json:"datasets"`
	Workers     []workerView     `json:"workers"`
	Deployments []deploymentView `json:"deployments"`
}

// servedView is a dataset with those who serve it.
type servedView struct {
	Dataset string   `json:"dataset"`
	Workers []string `json:"workers"`           // identities
	Lacking []string `json:"lacking,omitempty"` // roles that no worker has
}

// workerView is a process that polls.
type workerView struct {
	Identity          string    `json:"identity"` // process@host
	Datasets          []string  `json:"datasets"` // that it serves; none of a worker of the release before
	Roles             []string  `json:"roles"`
	RequestsPerSecond float64   `json:"requests_per_second,omitempty"` // the limit that it asks for
	Deployment        string    `json:"deployment,omitempty"`
	Build             string    `json:"build,omitempty"`
	Seen              time.Time `json:"seen"` // polled last; a poll lasts up to a minute
}

// deploymentView is a deployment with its builds, the newest first.
type deploymentView struct {
	Name    string      `json:"name"`
	Current string      `json:"current,omitempty"` // build; empty when new runs go to workers without a build
	Builds  []buildView `json:"builds"`
}

type buildView struct {
	Build   string    `json:"build"`
	Status  string    `json:"status"` // current, ramping, draining, drained or inactive
	Workers int       `json:"workers"`
	Created time.Time `json:"created"`
}

func listWorkers(
	ctx context.Context, t client.Client, namespace string, c config.Config, specs []*dataset.Spec,
) (workersView, error) {
	known, err := schedulecmd.ActiveDatasets(ctx, t, c)
	if err != nil {
		return workersView{}, err
	}
	for _, spec := range specs {
		known = append(known, spec.Name)
	}
	slices.Sort(known)
	found := map[string]*workerView{}
	all := workersView{TaskQueue: c.TaskQueue, Datasets: []servedView{}, Workers: []workerView{}, Deployments: []deploymentView{}}
	for _, name := range slices.Compact(known) {
		served := servedView{Dataset: name, Workers: []string{}}
		for _, q := range cli.Queues(c.TaskQueue, name) {
			polling, err := pollers(ctx, t, namespace, q, found)
			if err != nil {
				return workersView{}, err
			}
			if len(polling) == 0 {
				served.Lacking = append(served.Lacking, q.Role)
			}
			for _, w := range polling {
				if !slices.Contains(w.Datasets, name) {
					w.Datasets = append(w.Datasets, name)
				}
				if !slices.Contains(served.Workers, w.Identity) {
					served.Workers = append(served.Workers, w.Identity)
				}
			}
		}
		slices.Sort(served.Workers)
		all.Datasets = append(all.Datasets, served)
	}
	for _, q := range cli.SharedQueues(c.TaskQueue) {
		if _, err := pollers(ctx, t, namespace, q, found); err != nil {
			return workersView{}, err
		}
	}
	deployments := map[string]bool{}
	if c.Workers.Deployment != "" {
		deployments[c.Workers.Deployment] = true
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		all.Workers = append(all.Workers, *found[key])
		if d := found[key].Deployment; d != "" {
			deployments[d] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(deployments)) {
		d, err := describeDeployment(ctx, t, name, all.Workers)
		if err != nil {
			return workersView{}, err
		}
		all.Deployments = append(all.Deployments, d)
	}
	return all, nil
}

// pollers finds the workers that poll a queue, among those found before or new.
func pollers(
	ctx context.Context, t client.Client, namespace string, q cli.Queue, found map[string]*workerView,
) ([]*workerView, error) {
	d, err := cli.DescribeQueue(ctx, t, namespace, q.Name, q.Kind)
	if err != nil {
		return nil, err
	}
	var all []*workerView
	for _, p := range d.Pollers {
		of := p.GetDeploymentOptions()
		// One process name may live twice, as process 1 of containers does.
		key := p.Identity + " " + of.GetBuildId()
		w := found[key]
		if w == nil {
			w = &workerView{Identity: p.Identity, Datasets: []string{}}
			found[key] = w
		}
		if cli.Versioned(p) {
			w.Deployment, w.Build = of.GetDeploymentName(), of.GetBuildId()
		}
		if !slices.Contains(w.Roles, q.Role) {
			w.Roles = append(w.Roles, q.Role)
		}
		if q.Role == config.RolePortal {
			w.RequestsPerSecond = p.RatePerSecond
		}
		if seen := p.LastAccessTime.AsTime(); seen.After(w.Seen) {
			w.Seen = seen
		}
		all = append(all, w)
	}
	return all, nil
}

// describeDeployment is an empty deployment when Temporal has not heard of it.
func describeDeployment(ctx context.Context, t client.Client, name string, workers []workerView) (deploymentView, error) {
	d, err := t.WorkerDeploymentClient().GetHandle(name).Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if cli.NotFound(err) {
		return deploymentView{Name: name, Builds: []buildView{}}, nil
	}
	if err != nil {
		return deploymentView{}, fmt.Errorf("describe deployment %s: %w", name, err)
	}
	view := deploymentView{Name: name, Builds: []buildView{}}
	routing := d.Info.RoutingConfig
	if routing.CurrentVersion != nil {
		view.Current = routing.CurrentVersion.BuildID
	}
	for _, v := range d.Info.VersionSummaries {
		b := buildView{Build: v.Version.BuildID, Created: v.CreateTime, Status: "inactive"}
		switch {
		case b.Build == view.Current:
			b.Status = "current"
		case routing.RampingVersion != nil && b.Build == routing.RampingVersion.BuildID:
			b.Status = "ramping"
		case v.DrainageStatus == client.WorkerDeploymentVersionDrainageStatusDraining:
			b.Status = "draining"
		case v.DrainageStatus == client.WorkerDeploymentVersionDrainageStatusDrained:
			b.Status = "drained"
		}
		for _, w := range workers {
			if w.Deployment == name && w.Build == b.Build {
				b.Workers++
			}
		}
		view.Builds = append(view.Builds, b)
	}
	slices.SortStableFunc(view.Builds, func(a, b buildView) int { return b.Created.Compare(a.Created) })
	return view, nil
}

func printWorkers(w io.Writer, all workersView) {
	if len(all.Workers) == 0 {
		fmt.Fprintf(w, "no worker polls the task queues of %s: start one with `worker`\n", all.TaskQueue)
	} else {
		var rows []table.Row
		for _, p := range all.Workers {
			rate := ""
			if p.RequestsPerSecond > 0 {
				rate = humanize.Ftoa(p.RequestsPerSecond)
			}
			rows = append(rows, table.Row{p.Identity, strings.Join(p.Datasets, " "), strings.Join(p.Roles, " "), p.Build, rate, cli.Moment(p.Seen)})
		}
		cli.Grid(w, table.Row{"worker", "serves", "roles", "build", "requests/s", "polled"}, rows, 5)
	}
	for _, d := range all.Datasets {
		if len(d.Lacking) > 0 {
			fmt.Fprintf(w, "\nno worker serves %s with the role %s: start one with `worker`, its PADRON_DATASET naming %s\n",
				d.Dataset, strings.Join(d.Lacking, ", "), d.Dataset)
		}
	}
	for _, d := range all.Deployments {
		fmt.Fprintf(w, "\ndeployment %s: new runs start on %s\n", d.Name, cmp.Or(d.Current, "workers without a build"))
		var rows []table.Row
		for _, b := range d.Builds {
			rows = append(rows, table.Row{b.Build, b.Status, b.Workers, cli.Moment(b.Created)})
		}
		if rows != nil {
			cli.Grid(w, table.Row{"build", "status", "workers", "since"}, rows, 3)
		}
	}
}

func workersPromoteCommand() *cobra.Command {
	var (
		out         cli.Output
		unversioned bool
	)
	cmd := &cobra.Command{
		Use:   "promote [BUILD]",
		Short: "Let new runs start on a build",
		Example: `  starter workers promote
  starter workers promote BUILD`,
		Long: `Makes a build of the deployment PADRON_DEPLOYMENT the current one: runs that start
from now on are made by its workers, those that are going end where they began.
BUILD is this starter's own unless it is given: PADRON_BUILD_ID, or the revision
that it was built from with the start of the spec's digest, as for the worker.

A build must have a worker, for every queue that the current build's workers
poll.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if unversioned && len(args) > 0 {
				return cli.Usage(fmt.Errorf("--unversioned names no build: leave out %q", args[0]))
			}
			return cli.WithTemporalOfAll(cmd, func(c config.Config, specs []*dataset.Spec, t client.Client, _ string) error {
				done := promotion{Deployment: c.Workers.Deployment}
				if done.Deployment == "" {
					return cli.Usage(errors.New("PADRON_DEPLOYMENT: is not set: it names the deployment whose builds follow each other, for workers and starter alike"))
				}
				var err error
				switch {
				case unversioned:
				case len(args) == 1:
					if done.Build, err = args[0], config.CheckBuild(args[0]); err != nil {
						return cli.Usage(err)
					}
				default:
					program, _ := debug.ReadBuildInfo() // nil where there is none, which Build refuses
					if done.Build, err = c.Workers.Build(program, specs...); err != nil {
						return cli.Usage(err)
					}
				}
				if err := promote(cmd.Context(), t, &done); err != nil {
					return err
				}
				return out.Show(cmd.OutOrStdout(), done, func(w io.Writer) {
					fmt.Fprintf(w, "new runs start on %s, before: %s\n", cmp.Or(done.Build, "workers without a build"), cmp.Or(done.Before, "workers without a build"))
				})
			})
		},
	}
	cmd.Flags().BoolVar(&unversioned, "unversioned", false, "let new runs start on workers without PADRON_DEPLOYMENT")
	out.Add(cmd)
	return cmd
}

// promotion is what `starter workers promote` did.
type promotion struct {
	Deployment string `json:"deployment"`
	Build      string `json:"build"`  // empty: workers without a build
	Before     string `json:"before"` // the same
}

// promote makes the build current, unless somebody else changes the deployment
// at the same moment.
func promote(ctx context.Context, t client.Client, p *promotion) error {
	h := t.WorkerDeploymentClient().GetHandle(p.Deployment)
	d, err := h.Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if cli.NotFound(err) {
		return fmt.Errorf("Temporal knows no deployment %s: start a worker with PADRON_DEPLOYMENT=%s first", p.Deployment, p.Deployment) //nolint:staticcheck // Temporal is a name
	}
	if err != nil {
		return fmt.Errorf("describe deployment %s: %w", p.Deployment, err)
	}
	if current := d.Info.RoutingConfig.CurrentVersion; current != nil {
		p.Before = current.BuildID
	}
	if p.Build != "" && !slices.ContainsFunc(d.Info.VersionSummaries, func(v client.WorkerDeploymentVersionSummary) bool { return v.Version.BuildID == p.Build }) {
		return fmt.Errorf("deployment %s has no build %s: start a worker of it first; `starter workers` lists the builds", p.Deployment, p.Build)
	}
	_, err = h.SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{BuildID: p.Build, ConflictToken: d.ConflictToken})
	if _, refused := errors.AsType[*serviceerror.FailedPrecondition](err); refused {
		return fmt.Errorf("build %s cannot be made current yet: its workers must poll every queue that the current build's do (%w)", p.Build, err)
	}
	if err != nil {
		return fmt.Errorf("make build %s of deployment %s current: %w", p.Build, p.Deployment, err)
	}
	return nil
}
