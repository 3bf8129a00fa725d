package main

import (
	"fmt"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/workflows"
)

// stopTimeout is how long a stopping worker waits for its activities. After
// drainAfter it cancels those that have not finished. The longest
// uninterruptible piece is one MongoDB call of 8 s.
const (
	stopTimeout = 20 * time.Second
	drainAfter  = 10 * time.Second
)

// newWorkers makes the workers of this process's roles for each dataset that it
// serves, and for the queue that all datasets shared before each had its own:
// runs and schedules of that version go on there. build is the id of this
// process's build, where builds are told apart.
func newWorkers(t client.Client, c config.Config, specs []*dataset.Spec, build string, a *activities.Activities) []worker.Worker {
	var workers []worker.Worker
	for _, spec := range specs {
		workers = append(workers, workersOn(t, workflows.Queue(c.TaskQueue, spec.Name), c, build, a)...)
	}
	return append(workers, workersOn(t, c.TaskQueue, c, build, a)...)
}

// workersOn makes the workers of a queue: one for workflows and the steps that
// work with the database, one for the steps that ask the portal, whose queue's
// rate of starts is the request limit of all workers together.
func workersOn(t client.Client, queue string, c config.Config, build string, a *activities.Activities) []worker.Worker {
	of := c.Workers
	options := worker.Options{
		MaxConcurrentActivityExecutionSize:     of.ActivitySlots,
		MaxConcurrentWorkflowTaskExecutionSize: of.WorkflowSlots,
		MaxConcurrentActivityTaskPollers:       of.Pollers,
		MaxConcurrentWorkflowTaskPollers:       of.Pollers,
		WorkerStopTimeout:                      stopTimeout,
		MaxHeartbeatThrottleInterval:           activities.HeartbeatEvery,
		Interceptors:                           []interceptor.WorkerInterceptor{activities.Drain(drainAfter)},
	}
	if of.Deployment != "" {
		options.DeploymentOptions = worker.DeploymentOptions{
			UseVersioning: true,
			Version:       worker.WorkerDeploymentVersion{DeploymentName: of.Deployment, BuildID: build},
			// Runs are short: each ends with the build that it began with. What
			// outlasts a build says so where it is registered.
			DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
		}
	}
	var workers []worker.Worker
	if of.Has(config.RoleWorkflows) || of.Has(config.RoleActivities) {
		o := options
		o.DisableWorkflowWorker = !of.Has(config.RoleWorkflows)
		o.LocalActivityWorkerOnly = !of.Has(config.RoleActivities)
		w := worker.New(t, queue, o)
		if of.Has(config.RoleWorkflows) {
			workflows.Register(w)
		}
		// Without the steps too: workflows call activities by the names that
		// they are registered with.
		activities.Register(w, a)
		workers = append(workers, w)
	}
	if of.Has(config.RolePortal) {
		o := options
		o.MaxConcurrentActivityExecutionSize = of.PortalSlots
		o.TaskQueueActivitiesPerSecond = c.RequestsPerSecond
		o.DisableWorkflowWorker = true
		w := worker.New(t, workflows.PortalQueue(queue), o)
		activities.Register(w, a)
		workers = append(workers, w)
	}
	return workers
}

// buildOf is the id of this process's build; empty when builds are not told
// apart.
func buildOf(c config.Config, specs []*dataset.Spec) (string, error) {
	if c.Workers.Deployment == "" {
		return "", nil
	}
	program, _ := debug.ReadBuildInfo() // nil where there is none, which Build refuses
	build, err := c.Workers.Build(program, specs...)
	if err != nil {
		return "", fmt.Errorf("name this build: %w", err)
	}
	return build, nil
}
