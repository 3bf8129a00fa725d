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

// stopTimeout is how long a stopping worker lets activities finish what they
// are at, letGoAfter when it lets go of those that do not. The longest
// uninterruptible piece is one MongoDB call of 8 s.
const (
	stopTimeout = 20 * time.Second
	letGoAfter  = 10 * time.Second
)

// newWorkers makes the workers of this process's roles: one for workflows and
// the steps that work with the database, one for the steps that ask the portal,
// whose queue's rate of starts is the request limit of all workers together.
// build is the id of this process's build, where builds are told apart.
func newWorkers(t client.Client, c config.Config, build string, a *activities.Activities) []worker.Worker {
	of := c.Workers
	options := worker.Options{
		MaxConcurrentActivityExecutionSize:     of.ActivitySlots,
		MaxConcurrentWorkflowTaskExecutionSize: of.WorkflowSlots,
		MaxConcurrentActivityTaskPollers:       of.Pollers,
		MaxConcurrentWorkflowTaskPollers:       of.Pollers,
		WorkerStopTimeout:                      stopTimeout,
		Interceptors:                           []interceptor.WorkerInterceptor{activities.LetGo(letGoAfter)},
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
	if of.Has(config.RoleWorkflows) || of.Has(config.RoleSteps) {
		o := options
		o.DisableWorkflowWorker = !of.Has(config.RoleWorkflows)
		o.LocalActivityWorkerOnly = !of.Has(config.RoleSteps)
		w := worker.New(t, c.TaskQueue, o)
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
		w := worker.New(t, workflows.PortalQueue(c.TaskQueue), o)
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
	build, err := c.Workers.Build(program, specs[0])
	if err != nil {
		return "", fmt.Errorf("name this build: %w", err)
	}
	return build, nil
}
