package runcmd

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"padron/activities"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
)

// jobs are all that a run can do.
func jobs() []runs.Job {
	return []runs.Job{runs.JobMirror, runs.JobRerun, runs.JobApprove, runs.JobRetry, runs.JobVerify, runs.JobBackfill, runs.JobReload, runs.JobReconstruct}
}

// rerunSteps are the steps that a rerun can start from.
func rerunSteps() []string {
	return []string{runs.FromClean, runs.FromGate, runs.FromSnapshot}
}

func dagCommand() *cobra.Command {
	var (
		job, from string
		out       cli.Output
	)
	cmd := &cobra.Command{
		Use:   "dag",
		Short: "Draw the graph of a run's tasks, as a Mermaid flowchart or as JSON",
		Long: `Prints the tasks of a job, which comes after which, how many items of each are
done at once, and which are run again in which case, from the graphs that the
workers run. Mermaid is a language that GitHub and many editors draw; -o json
lists the tasks with their edges.

Jobs: mirror (what ` + "`starter run`" + ` does), rerun, approve, retry (of the quarantine),
verify, backfill, and of its runs reload (windows) and reconstruct (snapshots). It
needs no server.`,
		Example: `  starter dag > run.mmd
  starter dag --job rerun --from gate
  starter dag -o json | jq -r '.[] | select(.mapped).name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			of := activities.JobSpec{Name: runs.Job(job), From: from}
			switch {
			case !slices.Contains(jobs(), of.Name):
				return cli.Usage(fmt.Errorf("--job %q: use %s", job, cli.OneOf(jobs())))
			case of.Name != runs.JobRerun && cmd.Flags().Changed("from"):
				return cli.Usage(errors.New("--from is for --job rerun: other jobs begin at their beginning"))
			case of.Name == runs.JobRerun && !slices.Contains(rerunSteps(), from):
				return cli.Usage(fmt.Errorf("--from %q: use %s", from, cli.OneOf(rerunSteps())))
			}
			if out.Format == "json" {
				tasks, err := workflows.Declared(of)
				if err != nil {
					return err
				}
				return out.Show(cmd.OutOrStdout(), tasks, nil)
			}
			drawn, err := workflows.Mermaid(of)
			if err == nil {
				fmt.Fprint(cmd.OutOrStdout(), drawn)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&job, "job", string(runs.JobMirror), "the `job` to draw: "+cli.OneOf(jobs()))
	cmd.Flags().StringVar(&from, "from", runs.FromClean, "of a rerun, the `step` that it starts from: "+cli.OneOf(rerunSteps()))
	cli.CompleteFlag(cmd, "job", cli.CompleteWords(jobs()...))
	cli.CompleteFlag(cmd, "from", cli.CompleteWords(rerunSteps()...))
	out.AddFormats(cmd, "mermaid", "json")
	return cmd
}
