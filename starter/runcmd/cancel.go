package runcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"

	"padron/internal/runs"
	"padron/starter/cli"
)

func cancelCommand() *cobra.Command {
	var (
		wait bool
		out  cli.Output
	)
	cmd := &cobra.Command{
		Use:   "cancel RUN",
		Short: "End a running run early, cleanly",
		Long: `Asks a running run to end. Its steps stop what they are doing, its record is
closed as cancelled, and the dataset is free for the next run. That takes a few
seconds.

Before the run's gate has opened nothing was written, and the mirror is as it was.
After it, every document is either as before or as the portal has it, with its
change event; the next run ends what is half done, and proves the result.`,
		Example: `  starter cancel manual-2026-11-23T16:11:58.123Z
  starter cancel manual-2026-11-23T16:11:58.123Z --wait && starter run --wait`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.CompleteFirst(completeRunning),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := connect(cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			return s.cancel(cmd, args[0], wait, out)
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the run has ended")
	out.Add(cmd)
	return cmd
}

// cancelled is what `cancel` prints.
type cancelled struct {
	Run        string      `json:"run"`
	WorkflowID string      `json:"workflow_id"`
	Status     runs.Status `json:"status"` // running until it has ended
	Doing      string      `json:"doing"`  // when it was cancelled
	Meaning    string      `json:"meaning"`
}

func (s *session) cancel(cmd *cobra.Command, id string, wait bool, out cli.Output) error {
	ctx := cmd.Context()
	record, err := s.recordOf(ctx, id)
	if err != nil {
		return err
	}
	workflow, err := s.workflowOf(ctx, record, id)
	if err != nil {
		return err
	}
	if workflow.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return notCancelled(id, record, workflow.GetStatus())
	}
	if err := s.Temporal.CancelWorkflow(ctx, workflow.GetExecution().GetWorkflowId(), workflow.GetExecution().GetRunId()); err != nil {
		return fmt.Errorf("cancel run %s: %w", id, err)
	}
	began := time.Now()
	c := cancelled{Run: id, WorkflowID: workflow.GetExecution().GetWorkflowId(), Status: runs.StatusRunning, Doing: doingText(record), Meaning: meaning(record)}
	if !wait {
		return out.Show(cmd.OutOrStdout(), c, func(w io.Writer) {
			fmt.Fprintf(w, "cancelling run %s (%s): %s\n`starter status %s` shows when it has ended\n", id, c.Doing, c.Meaning, id)
		})
	}
	if out.Format != "json" {
		fmt.Fprintf(cmd.ErrOrStderr(), "cancelling run %s (%s)\n", id, c.Doing)
	}
	_, err = s.await(cmd, s.Temporal.GetWorkflow(ctx, c.WorkflowID, workflow.GetExecution().GetRunId()), id, func(context.Context) {})
	if ctx.Err() != nil {
		return fmt.Errorf("no longer waiting; run %s is being cancelled, `starter status %s` shows when it has ended", id, id)
	}
	if record, errRecord := s.recordOf(ctx, id); errRecord != nil {
		return errRecord
	} else if !errors.Is(err, cli.ErrCancelled) {
		return notCancelled(id, record, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	} else if c.Status = runs.StatusCancelled; record.ID != "" {
		// The gate may have opened before the run was told.
		c.Meaning = meaning(record)
	}
	return out.Show(cmd.OutOrStdout(), c, func(w io.Writer) {
		fmt.Fprintf(w, "run %s was cancelled, %s after it was asked to end: %s\n", id, cli.Took(time.Since(began)), c.Meaning)
	})
}

// notCancelled says why a run that does not run cannot be cancelled.
func notCancelled(id string, record runs.Run, status enumspb.WorkflowExecutionStatus) error {
	switch {
	case record.ID == "" && status == enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED:
		return fmt.Errorf("there is no run %q; `starter status` lists them", id)
	case record.ID == "" || record.Status == runs.StatusRunning:
		return fmt.Errorf("run %s is not running any longer (%s, says Temporal): there is nothing to cancel; the next run mends what it left", id, status)
	default:
		return fmt.Errorf("run %s has ended already (%s): there is nothing to cancel; `starter status %s` shows what it came to", id,
			strings.TrimSpace(string(record.Status)+" "+string(record.Outcome)), id)
	}
}

// meaning says what a run that is cancelled now leaves.
func meaning(record runs.Run) string {
	job := runs.Job(record.Job)
	switch {
	case job == runs.JobBackfill, job == runs.JobReload:
		return "each row is as it was or as the portal has it, and windows that were done stay done; the same backfill started again takes up the rest"
	case job == runs.JobReconstruct:
		return "snapshots that were made stay; the same backfill started again makes the others"
	case job == runs.JobVerify:
		return "it only looks, so the mirror is as it was"
	case job == runs.JobApprove:
		return "what it has removed is kept in the collection removed; the rest is still held, `starter approve " + record.Of + "` goes on with it"
	case job == runs.JobRetry:
		return "rows that it has written are whole; the others are still in quarantine"
	case record.ID == "" || !record.Crawl.Gated() || !record.Gate.Holds():
		return "its gate has not opened, so nothing was written and the mirror is as it was"
	default:
		return "its gate had opened; what it wrote is whole and stays, and the next run ends what is half done"
	}
}

// completeRunning offers the runs that Temporal runs.
func completeRunning(cmd *cobra.Command, _ string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(cmd.Context(), cli.CompleteWithin)
	defer cancel()
	c, err := cli.Settings(cmd)
	if err != nil {
		return nil
	}
	spec, err := cli.OpenSpec(c)
	if err != nil {
		return nil
	}
	s := &session{&cli.Connection{Config: c, Spec: spec}}
	if s.Temporal, s.Namespace, err = cli.DialTemporal(ctx, c); err != nil {
		return nil
	}
	defer s.Temporal.Close()
	running, err := s.runningRuns(ctx)
	if err != nil {
		return nil
	}
	var list []cobra.Completion
	for _, id := range running {
		list = append(list, cobra.CompletionWithDesc(id, "running"))
	}
	return list
}
