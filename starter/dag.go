package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"padron/activities"
	"padron/workflows"
)

// jobs are all that a run can do.
func jobs() []activities.Job {
	return []activities.Job{workflows.JobMirror, workflows.JobRerun, workflows.JobApprove, workflows.JobReplay, workflows.JobVerify, workflows.JobBackfill, workflows.JobReload, workflows.JobReconstruct}
}

// rerunSteps are the steps that a rerun can start from.
func rerunSteps() []string {
	return []string{activities.FromClean, activities.FromGate, activities.FromSnapshot}
}

func dagCommand() *cobra.Command {
	var (
		job, from string
		out       output
	)
	cmd := &cobra.Command{
		Use:   "dag",
		Short: "Draw the graph of a run's tasks, as a Mermaid flowchart or as JSON",
		Long: `Prints the tasks of a job, which comes after which, and how many items of each are
done at once, from the graphs that the workers run. Mermaid is a language that
GitHub and many editors draw; -o json lists the tasks with their edges.

Jobs: mirror (what ` + "`starter run`" + ` does), rerun, approve, replay (of the quarantine),
verify, backfill, and of its runs reload (windows) and reconstruct (snapshots). It
needs no server.`,
		Example: `  starter dag > run.mmd
  starter dag --job rerun --from gate
  starter dag -o json | jq -r '.[] | select(.mapped).name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			of := activities.Task{Job: activities.Job(job), From: from}
			switch {
			case !slices.Contains(jobs(), of.Job):
				return usage(fmt.Errorf("--job %q: use %s", job, oneOf(jobs())))
			case of.Job != workflows.JobRerun && cmd.Flags().Changed("from"):
				return usage(errors.New("--from is for --job rerun: other jobs begin at their beginning"))
			case of.Job == workflows.JobRerun && !slices.Contains(rerunSteps(), from):
				return usage(fmt.Errorf("--from %q: use %s", from, oneOf(rerunSteps())))
			}
			if out.format == "json" {
				tasks, err := workflows.Declared(of)
				if err != nil {
					return err
				}
				return out.show(cmd.OutOrStdout(), tasks, nil)
			}
			drawn, err := workflows.MermaidOf(of)
			if err == nil {
				fmt.Fprint(cmd.OutOrStdout(), drawn)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&job, "job", string(workflows.JobMirror), "the `job` to draw: "+oneOf(jobs()))
	cmd.Flags().StringVar(&from, "from", activities.FromClean, "of a rerun, the `step` that it starts from: "+oneOf(rerunSteps()))
	completeFlag(cmd, "job", completeWords(jobs()...))
	completeFlag(cmd, "from", completeWords(rerunSteps()...))
	out.addFormats(cmd, "mermaid", "json")
	return cmd
}
