package workflows_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/activities"
	"padron/internal/runs"
	"padron/workflows"
)

// TestDeclared holds the list of each job's tasks against its drawing, which is
// made by the graph itself.
func TestDeclared(t *testing.T) {
	for _, of := range []activities.JobSpec{
		{},
		{Name: runs.JobMirror},
		{Name: runs.JobApprove},
		{Name: runs.JobRetry},
		{Name: runs.JobVerify},
		{Name: runs.JobReload},
		{Name: runs.JobBackfill},
		{Name: runs.JobReconstruct},
		{Name: runs.JobRerun, From: runs.FromClean},
		{Name: runs.JobRerun, From: runs.FromGate},
		{Name: runs.JobRerun, From: runs.FromSnapshot},
	} {
		tasks, err := workflows.Declared(of)
		require.NoError(t, err)
		drawn, err := workflows.Mermaid(of)
		require.NoError(t, err)
		var before []string
		for _, task := range tasks {
			shape := `\[`
			switch {
			case task.Mapped:
				shape = `@`
			case task.Branch:
				shape = `\{`
			}
			require.Regexp(t, `(?m)^    `+task.Workflow+`_`+task.Name+shape, drawn)
			require.Equal(t, task.Mapped, task.AtOnce > 0, task.Name)
			for _, after := range append(slices.Clone(task.After), task.Per) {
				if after == "" {
					continue
				}
				require.Contains(t, before, task.Workflow+"/"+after, "%s comes after a task of its workflow", task.Name)
				require.Regexp(t, `(?m)^    `+task.Workflow+`_`+after+` .*> `+task.Workflow+`_`+task.Name+`$`, drawn)
			}
			if task.Repeats != nil {
				require.Subset(t, before, []string{task.Workflow + "/" + task.Repeats[0]})
				require.Contains(t, drawn, "    "+task.Workflow+"_"+task.Name+` -. "again `+task.RepeatsWhen+`" .-> `+task.Workflow+"_"+task.Repeats[0]+"\n")
			}
			before = append(before, task.Workflow+"/"+task.Name)
		}
		if of.Name == runs.JobBackfill {
			require.Equal(t, []string{"backfill/plan", "backfill/reload", "backfill/aggregate_snapshots", "backfill/record", "backfill/notify"}, before[:5])
			before = before[5:]
		}
		require.Equal(t, []string{"mirror/probe", "mirror/write", "mirror/finish", "mirror/notify"}, before[:4])
	}

	for _, of := range []activities.JobSpec{{Name: "sing"}, {Name: runs.JobRerun}, {Name: runs.JobRerun, From: "plan"}} {
		_, err := workflows.Declared(of)
		require.ErrorContains(t, err, "no such job")
		_, err = workflows.Mermaid(of)
		require.ErrorContains(t, err, "no such job")
	}
}
