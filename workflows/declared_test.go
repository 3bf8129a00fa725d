package workflows_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/activities"
	"padron/workflows"
)

// TestDeclared holds the list of each job's tasks against its drawing, which is
// made by the graph itself.
func TestDeclared(t *testing.T) {
	for _, of := range []activities.Task{
		{},
		{Job: workflows.JobMirror},
		{Job: workflows.JobApprove},
		{Job: workflows.JobReplay},
		{Job: workflows.JobVerify},
		{Job: workflows.JobReload},
		{Job: workflows.JobBackfill},
		{Job: workflows.JobReconstruct},
		{Job: workflows.JobRerun, From: activities.FromClean},
		{Job: workflows.JobRerun, From: activities.FromGate},
		{Job: workflows.JobRerun, From: activities.FromSnapshot},
	} {
		tasks, err := workflows.Declared(of)
		require.NoError(t, err)
		drawn, err := workflows.MermaidOf(of)
		require.NoError(t, err)
		var before []string
		for _, task := range tasks {
			require.Regexp(t, `(?m)^    `+task.Name+`[\[@]`, drawn)
			require.Equal(t, task.Mapped, task.AtOnce > 0, task.Name)
			for _, after := range append(slices.Clone(task.After), task.Per) {
				if after == "" {
					continue
				}
				require.Contains(t, before, task.Workflow+"/"+after, "%s comes after a task of its workflow", task.Name)
				require.Regexp(t, `(?m)^    `+after+` .*> `+task.Name+`$`, drawn)
			}
			before = append(before, task.Workflow+"/"+task.Name)
		}
		if of.Job == workflows.JobBackfill {
			require.Equal(t, []string{"backfill/plan", "backfill/reload", "backfill/aggregate_snapshots", "backfill/record"}, before[:4])
			before = before[4:]
		}
		require.Equal(t, []string{"mirror/probe", "mirror/write", "mirror/finish"}, before[:3])
	}
	plain, err := workflows.Mermaid()
	require.NoError(t, err)
	mirror, err := workflows.MermaidOf(activities.Task{Job: workflows.JobMirror})
	require.NoError(t, err)
	require.Equal(t, mirror, plain)

	for _, of := range []activities.Task{{Job: "sing"}, {Job: workflows.JobRerun}, {Job: workflows.JobRerun, From: "plan"}} {
		_, err = workflows.Declared(of)
		require.ErrorContains(t, err, "no such job")
		_, err = workflows.MermaidOf(of)
		require.ErrorContains(t, err, "no such job")
	}
}
