package runcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/runs"
	"padron/starter/cli"
	"padron/workflows"
)

func runCommand() *cobra.Command {
	var (
		mode         string
		repair       bool
		wait, noWait bool
		deadline     time.Duration
		out          cli.Output
	)
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Start a run: make the mirror equal to the portal",
		Long: `Starts a run of the dataset. The run asks the portal whether there is anything
new and, if so, crawls it whole and writes what changed. Rows that the portal no
longer has are removed once it denies them; too many at once are held back (see
` + "`starter approve --help`" + `). In the end it proves what it did, or says what is wrong.
While another run of the same dataset is writing, it waits for its turn. A dataset
that no worker serves is refused, unless --without-worker lets the run wait. One that
is not done by its deadline goes on, and is reported (` + "`starter alerts --help`" + `).

With --repair it crawls whole and reads every stored document as well: one that
another hand has changed is written anew, as a change whose cause is "repair", and
the run ends with the checks of ` + "`starter verify --deep`" + `.

With --wait, exit code 3 when the outcome is not green; ` + "`starter verify --help`" + `
explains the outcomes.`,
		Example: `  starter run                        start a run and return
  starter run --wait                 show progress, then what came of it
  starter run --wait --mode full     crawl even if the portal has nothing new
  starter run --wait --repair        mend what ` + "`starter verify --deep`" + ` found`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if mode != runs.ModeAuto && mode != runs.ModeFull {
				return cli.Usage(fmt.Errorf("--mode %q: use auto or full", mode))
			}
			if repair {
				if cmd.Flags().Changed("mode") && mode != runs.ModeFull {
					return cli.Usage(errors.New("--repair crawls whole: leave out --mode, or use full"))
				}
				mode = runs.ModeFull
			}
			given := cmd.Flags().Changed("deadline")
			if given && deadline != 0 && (deadline < dataset.MinDeadline || deadline > dataset.MaxDeadline) {
				return cli.Usage(fmt.Errorf("--deadline %s: use 1m to 24h, or 0 for none", deadline))
			}
			s, err := connectToStart(cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := cli.CheckPortal(cmd.Context(), s.Config, s.Spec); err != nil {
				return err
			}
			if !given {
				deadline = s.Spec.Schedule.Deadline
			}
			return s.run(cmd, workflows.MirrorInput{Mode: mode, Deep: repair, NoWait: noWait, Deadline: deadline}, wait, out)
		},
	}
	cmd.Flags().StringVar(&mode, "mode", runs.ModeAuto, "which `mode`: auto (skip when the portal has nothing new) or full")
	cli.CompleteFlag(cmd, "mode", cli.CompleteExplained(modeMeanings()))
	cmd.Flags().BoolVar(&repair, "repair", false, "crawl whole, and write anew every document that another hand has changed")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end, with a progress bar")
	cli.AddWithoutWorker(cmd)
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "fail if another run is writing, rather than wait for it")
	cmd.Flags().DurationVar(&deadline, "deadline", 0, "how long the run may take before it is reported as late, 0 for any (default: the spec's)")
	out.Add(cmd)
	return cmd
}

// session is a connection with which runs are started and followed.
type session struct{ *cli.Connection }

// connect is cli.Connect.
func connect(cmd *cobra.Command) (*session, error) {
	c, err := cli.Connect(cmd)
	return &session{c}, err
}

// connectToStart is cli.ConnectToStart.
func connectToStart(cmd *cobra.Command) (*session, error) {
	c, err := cli.ConnectToStart(cmd)
	return &session{c}, err
}

// run starts a run, of whatever job, and follows it when it is to be waited for.
func (s *session) run(cmd *cobra.Command, in workflows.MirrorInput, wait bool, out cli.Output) error {
	in.Dataset = s.Spec.Name
	if in.NoWait {
		if err := s.writerIsFree(cmd.Context()); err != nil {
			return err
		}
	}
	id := cli.NewRunID(cmp.Or(string(in.Job), runs.TriggerManual))
	started, err := s.Temporal.ExecuteWorkflow(cmd.Context(), client.StartWorkflowOptions{
		ID:                       workflows.MirrorID(s.Spec.Name, id),
		TaskQueue:                s.Queue(),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		StaticSummary:            fmt.Sprintf("%s: %s, started by hand", s.Spec.Name, cmp.Or(jobTitle(in.Job, in.Of, in.From), "mirror, "+string(in.Mode))),
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(s.Spec.Name)),
	}, workflows.Mirror, in)
	if err != nil {
		return fmt.Errorf("start run %s: %w", id, err)
	}
	if !wait {
		return out.Show(cmd.OutOrStdout(), map[string]string{"run": id, "workflow_id": started.GetID()}, func(w io.Writer) {
			fmt.Fprintf(w, "started run %s; `starter watch %s` follows it\n", id, id)
		})
	}
	result, err := s.follow(cmd, started, id)
	if err != nil {
		return err
	}
	return s.report(cmd, result, out)
}

// writerIsFree is an error while a run of the dataset is writing, for one that is
// not to wait. One that begins meanwhile is the worker's to find.
func (s *session) writerIsFree(ctx context.Context) error {
	d, err := s.Temporal.DescribeWorkflowExecution(ctx, workflows.WriteID(s.Spec.Name), "")
	switch {
	case cli.NotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("describe workflow %s: %w", workflows.WriteID(s.Spec.Name), err)
	case d.WorkflowExecutionInfo.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return fmt.Errorf("run %s is writing %s; leave out --no-wait to wait for it",
			workflows.RunID(d.WorkflowExecutionInfo.GetParentExecution().GetWorkflowId()), s.Spec.Name)
	}
	return nil
}

// follow waits for the run, showing its progress.
func (s *session) follow(cmd *cobra.Command, started client.WorkflowRun, id string) (*workflows.MirrorResult, error) {
	return s.await(cmd, started, id, func(ctx context.Context) { s.showProgress(ctx, cmd.ErrOrStderr(), id) })
}

// await waits for the run's end while show shows what it does.
func (s *session) await(cmd *cobra.Command, started client.WorkflowRun, id string, show func(context.Context)) (*workflows.MirrorResult, error) {
	var result workflows.MirrorResult
	if err := cli.Await(cmd.Context(), started, &result, "run "+id, "starter status "+id, show); err != nil {
		return nil, err
	}
	return &result, nil
}

// summary is what `run --wait` says at the end.
type summary struct {
	*workflows.MirrorResult
	Record        runs.Run `json:"record"`
	HistoryEvents int64    `json:"history_events"` // Temporal's, of the run and its writing
}

func (s *session) report(cmd *cobra.Command, result *workflows.MirrorResult, out cli.Output) error {
	ctx := cmd.Context()
	record, err := s.Record(ctx, result.Run)
	if err != nil {
		return err
	}
	sum := summary{MirrorResult: result, Record: record}
	if sum.HistoryEvents, err = s.historyEvents(ctx, result); err != nil {
		return err
	}
	if err := out.Show(cmd.OutOrStdout(), sum, func(w io.Writer) { sum.print(w) }); err != nil {
		return err
	}
	return notGreen(result.Run, result.Outcome, result.Why)
}

// notGreen is the error of a run that came to its end and did not prove the
// mirror equal to the portal; nil for one that did, or that found nothing new.
func notGreen(run, outcome, why string) error {
	switch outcome {
	case string(certificate.Green), workflows.OutcomeSkipped:
		return nil
	}
	return cli.NotGreen(fmt.Errorf("run %s is %s: %s", run, outcome, why))
}

func (s *session) historyEvents(ctx context.Context, result *workflows.MirrorResult) (int64, error) {
	executions := [][2]string{{workflows.MirrorID(s.Spec.Name, result.Run), ""}}
	if result.Write != nil {
		executions = append(executions, [2]string{workflows.WriteID(s.Spec.Name), result.Write.TemporalID})
	}
	var events int64
	for _, e := range executions {
		d, err := s.Temporal.DescribeWorkflowExecution(ctx, e[0], e[1])
		if err != nil {
			return 0, fmt.Errorf("describe workflow %s: %w", e[0], err)
		}
		events += d.WorkflowExecutionInfo.HistoryLength
	}
	return events, nil
}

// warnings are what a run remarked on, and the steps that it left out.
func warnings(r *runs.Run) []string {
	all := slices.Clone(r.Warnings)
	for _, step := range r.Steps {
		if step.Why != "" && r.Status == runs.StatusDone {
			all = append(all, step.Name+" was left out: "+step.Why)
		}
	}
	return all
}

// stepTimes is how long each step took. Steps that follow each other item by
// item overlap.
func stepTimes(steps []runs.Step) string {
	var all []string
	for _, s := range steps {
		all = append(all, s.Name+" "+cli.Took(time.Duration(s.TookMS)*time.Millisecond))
	}
	return strings.Join(all, ", ")
}

func (s summary) print(w io.Writer) {
	r := s.Record
	rows := [][2]string{{"run", r.ID}, {"job", jobTitle(runs.Job(r.Job), r.Of, r.From)}, {"outcome", s.Outcome + ": " + s.Why}}
	if s.Write != nil {
		rows = append(rows, counted(r)...)
		if s.Outcome != string(certificate.Green) || r.Job == runs.JobVerify {
			rows = append(rows, checks("certificate", r.Certificate)...)
		}
		rows = append(rows, [][2]string{
			{"snapshot", r.Snapshot},
			{"took", cli.Took(time.Duration(r.Stats.TookMS)*time.Millisecond) + cli.Unless0(int64(r.Stats.RowsPerSecond), ", %s rows/s")},
			{"steps", stepTimes(r.Steps)},
		}...)
		if r.Stats.PortalBytes > 0 {
			rows = append(rows, [2]string{"fetched", cli.Size(r.Stats.PortalBytes) + " from the portal"})
		}
	}
	if s.History != "" {
		rows = append(rows, [2]string{"the past", "run " + s.History + " reconstructs it, as the spec asks; `starter watch " + s.History + "` follows it"})
	}
	rows = append(rows, [][2]string{
		{"memory", cli.Size(r.Stats.PeakMemoryBytes) + " at most in the worker"},
		{"history", fmt.Sprintf("%d Temporal events", s.HistoryEvents)},
	}...)
	for _, warning := range warnings(&r) {
		rows = append(rows, [2]string{"warning", warning})
	}
	cli.Facts(w, rows)
}

func modeMeanings() map[string]string {
	return map[string]string{
		runs.ModeAuto: "skip when the portal has nothing new",
		runs.ModeFull: "crawl even if the portal has nothing new",
	}
}
