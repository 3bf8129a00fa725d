package main

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
	"go.mongodb.org/mongo-driver/v2/mongo"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/internal/mirror"
	"padron/workflows"
)

func runCommand() *cobra.Command {
	var (
		mode         string
		wait, noWait bool
		deadline     time.Duration
		out          output
	)
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Start a run: make the mirror equal to the portal",
		Long: `Starts a run of the dataset. The run asks the portal whether there is anything
new and, if so, crawls it whole and writes what changed. Rows that the portal no
longer has are removed once it denies them; too many at once are held back (see
` + "`starter approve --help`" + `). In the end it proves what it did, or says what is wrong.
While another run of the same dataset is writing, it waits for its turn. One that
is not done by its deadline goes on, and is reported (` + "`starter alerts --help`" + `).

With --wait, exit code 3 when the outcome is not green; ` + "`starter verify --help`" + `
explains the outcomes.`,
		Example: `  starter run                        start a run and return
  starter run --wait                 show progress, then what came of it
  starter run --wait --mode full     crawl even if the portal has nothing new`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if m := activities.Mode(mode); m != activities.Auto && m != activities.Full {
				return usage(fmt.Errorf("--mode %q: use auto or full", mode))
			}
			given := cmd.Flags().Changed("deadline")
			if given && deadline != 0 && (deadline < dataset.MinDeadline || deadline > dataset.MaxDeadline) {
				return usage(fmt.Errorf("--deadline %s: use 1m to 24h, or 0 for none", deadline))
			}
			s, err := newStart(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			if err := checkPortal(cmd.Context(), s.config, s.spec); err != nil {
				return err
			}
			if !given {
				deadline = s.spec.Schedule.Deadline
			}
			return s.run(cmd, workflows.MirrorInput{Mode: activities.Mode(mode), NoWait: noWait, Deadline: deadline}, wait, out)
		},
	}
	cmd.Flags().StringVar(&mode, "mode", string(activities.Auto), "which `mode`: auto (skip when the portal has nothing new) or full")
	completeFlag(cmd, "mode", completeExplained(modeMeanings()))
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end, with a progress bar")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "fail if another run is writing, rather than wait for it")
	cmd.Flags().DurationVar(&deadline, "deadline", 0, "how long the run may take before it is reported as late, 0 for any (default: the spec's)")
	out.add(cmd)
	return cmd
}

// start is everything that starting a run needs, connected and checked.
type start struct {
	config     config.Config
	spec       *dataset.Spec
	temporal   client.Client
	namespace  string
	database   *mongo.Client
	mirror     *mirror.Mirror // nil until the database is there
	disconnect func()
}

// newStart connects to Temporal and MongoDB and makes sure that a run can be
// executed, so that what is wrong is said here and not by a hanging run. It
// writes nothing: the worker creates the database.
func newStart(cmd *cobra.Command) (*start, error) {
	s, err := connect(cmd)
	if err != nil {
		return nil, err
	}
	if err = checkSearchAttributes(cmd.Context(), s.temporal, s.namespace); err == nil {
		err = awaitWorker(cmd.Context(), s.temporal, s.namespace, s.config.TaskQueue)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// connect connects to Temporal and MongoDB, for a command about runs that are
// there already: it needs no worker.
func connect(cmd *cobra.Command) (*start, error) {
	c, err := settings(cmd)
	if err != nil {
		return nil, err
	}
	spec, err := openSpec(c)
	if err != nil {
		return nil, err
	}
	s := &start{config: c, spec: spec}
	if s.temporal, s.namespace, err = dialTemporal(cmd.Context(), c); err != nil {
		return nil, err
	}
	if s.database, s.disconnect, err = connectMongo(cmd.Context(), c); err != nil {
		s.temporal.Close()
		return nil, err
	}
	if err := s.openMirror(cmd.Context()); err != nil && !errors.Is(err, mirror.ErrNoMirror) {
		s.close()
		return nil, err
	}
	return s, nil
}

// openMirror opens the dataset's database for reading; mirror.ErrNoMirror until
// the worker has created it.
func (s *start) openMirror(ctx context.Context) (err error) {
	if s.mirror == nil {
		s.mirror, err = mirror.Open(ctx, s.database, s.config.MongoDatabase, s.spec.Name, mirror.ReadOnly())
	}
	return err
}

// record reads a run's record; mirror.ErrNoRun or mirror.ErrNoMirror before it
// begins.
func (s *start) record(ctx context.Context, id string) (mirror.Run, error) {
	if err := s.openMirror(ctx); err != nil {
		return mirror.Run{}, err
	}
	return s.mirror.Run(ctx, id)
}

func (s *start) close() {
	s.disconnect()
	s.temporal.Close()
}

// run starts a run, of whatever job, and follows it when it is to be waited for.
func (s *start) run(cmd *cobra.Command, in workflows.MirrorInput, wait bool, out output) error {
	in.Dataset = s.spec.Name
	id := cmp.Or(string(in.Job), mirror.TriggerManual) + "-" + time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	started, err := s.temporal.ExecuteWorkflow(cmd.Context(), client.StartWorkflowOptions{
		ID:                       workflows.MirrorID(s.spec.Name, id),
		TaskQueue:                s.config.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		StaticSummary:            fmt.Sprintf("%s: %s, started by hand", s.spec.Name, cmp.Or(jobTitle(in.Job, in.Of, in.From), "mirror, "+string(in.Mode))),
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(s.spec.Name)),
	}, workflows.Mirror, in)
	if err != nil {
		return fmt.Errorf("start run %s: %w", id, err)
	}
	if !wait {
		return out.show(cmd.OutOrStdout(), map[string]string{"run": id, "workflow_id": started.GetID()}, func(w io.Writer) {
			fmt.Fprintf(w, "started run %s; `starter watch %s` follows it\n", id, id)
		})
	}
	result, err := s.follow(cmd, started, id)
	if err != nil {
		return err
	}
	return s.report(cmd, result, out)
}

// follow waits for the run, showing its progress.
func (s *start) follow(cmd *cobra.Command, started client.WorkflowRun, id string) (*workflows.MirrorResult, error) {
	return s.await(cmd, started, id, func(ctx context.Context) { s.showProgress(ctx, cmd.ErrOrStderr(), id) })
}

// await waits for the run's end while show, which returns when its context
// ends, shows what it does. The error of a run without a result says what
// became of it; that of a wait that was cut short, that the run goes on.
func (s *start) await(cmd *cobra.Command, started client.WorkflowRun, id string, show func(context.Context)) (*workflows.MirrorResult, error) {
	ctx, stop := context.WithCancel(cmd.Context())
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		show(ctx)
	}()
	var result workflows.MirrorResult
	err := started.Get(ctx, &result)
	stop()
	<-shown
	switch {
	case err == nil:
		return &result, nil
	case cmd.Context().Err() != nil:
		return nil, fmt.Errorf("no longer waiting; run %s goes on, `starter status %s` shows it", id, id)
	case temporal.IsCanceledError(err):
		return nil, fmt.Errorf("run %s %w", id, errCancelled)
	}
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		err = fmt.Errorf("%s (%s)", app.Message(), app.Type())
	}
	return nil, fmt.Errorf("run %s failed: %w", id, err)
}

// errCancelled says that a run was cancelled before its end.
var errCancelled = errors.New("was cancelled; the next run ends what it left")

// summary is what `run --wait` says at the end.
type summary struct {
	*workflows.MirrorResult
	Record        mirror.Run `json:"record"`
	HistoryEvents int64      `json:"history_events"` // Temporal's, of the run and its writing
}

func (s *start) report(cmd *cobra.Command, result *workflows.MirrorResult, out output) error {
	ctx := cmd.Context()
	record, err := s.record(ctx, result.Run)
	if err != nil {
		return err
	}
	sum := summary{MirrorResult: result, Record: record}
	if sum.HistoryEvents, err = s.historyEvents(ctx, result); err != nil {
		return err
	}
	if err := out.show(cmd.OutOrStdout(), sum, func(w io.Writer) { sum.print(w) }); err != nil {
		return err
	}
	return notGreen(result.Run, result.Outcome, result.Why)
}

// notGreen is the error of a run that came to its end and did not prove the
// mirror equal to the portal; nil for one that did, or that found nothing new.
func notGreen(run, outcome, why string) error {
	switch outcome {
	case string(mirror.OutcomeGreen), workflows.OutcomeSkipped:
		return nil
	}
	return &codedError{fmt.Errorf("run %s is %s: %s", run, outcome, why), exitNotGreen}
}

func (s *start) historyEvents(ctx context.Context, result *workflows.MirrorResult) (int64, error) {
	executions := [][2]string{{workflows.MirrorID(s.spec.Name, result.Run), ""}}
	if result.Write != nil {
		executions = append(executions, [2]string{workflows.WriteID(s.spec.Name), result.Write.TemporalID})
	}
	var events int64
	for _, e := range executions {
		d, err := s.temporal.DescribeWorkflowExecution(ctx, e[0], e[1])
		if err != nil {
			return 0, fmt.Errorf("describe workflow %s: %w", e[0], err)
		}
		events += d.WorkflowExecutionInfo.HistoryLength
	}
	return events, nil
}

// warnings are what a run remarked on, and the steps that it left out.
func warnings(r *mirror.Run) []string {
	all := slices.Clone(r.Warnings)
	for _, step := range r.Steps {
		if step.Why != "" && r.Status == mirror.StatusDone {
			all = append(all, step.Name+" was left out: "+step.Why)
		}
	}
	return all
}

// stepTimes is how long each step took. Steps that follow each other item by
// item overlap.
func stepTimes(steps []mirror.Step) string {
	var all []string
	for _, s := range steps {
		all = append(all, s.Name+" "+took(time.Duration(s.TookMS)*time.Millisecond))
	}
	return strings.Join(all, ", ")
}

func (s summary) print(w io.Writer) {
	r := s.Record
	rows := [][2]string{{"run", r.ID}, {"job", jobTitle(activities.Job(r.Job), r.Of, r.From)}, {"outcome", s.Outcome + ": " + s.Why}}
	if s.Write != nil {
		rows = append(rows, counted(r)...)
		if s.Outcome != string(mirror.OutcomeGreen) || r.Job == string(workflows.JobVerify) {
			rows = append(rows, checks("certificate", r.Certificate)...)
		}
		rows = append(rows, [][2]string{
			{"snapshot", r.Snapshot},
			{"took", took(time.Duration(r.Stats.TookMS)*time.Millisecond) + unless0(int64(r.Stats.RowsPerSecond), ", %s rows/s")},
			{"steps", stepTimes(r.Steps)},
		}...)
		if r.Stats.PortalBytes > 0 {
			rows = append(rows, [2]string{"fetched", size(r.Stats.PortalBytes) + " from the portal"})
		}
	}
	rows = append(rows, [][2]string{
		{"memory", size(r.Stats.PeakMemoryBytes) + " at most in the worker"},
		{"history", fmt.Sprintf("%d Temporal events", s.HistoryEvents)},
	}...)
	for _, warning := range warnings(&r) {
		rows = append(rows, [2]string{"warning", warning})
	}
	facts(w, rows)
}
