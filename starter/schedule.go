package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"padron/activities"
	"padron/internal/config"
	"padron/internal/dataset"
	"padron/workflows"
)

// The schedules of a dataset: its runs, and the looks at its freshness.
const (
	mirrorSchedules    = "mirror/"
	freshnessSchedules = "freshness/"
)

// scheduleID is the id of the schedule of a dataset's runs, freshnessID that of
// the looks at its freshness.
func scheduleID(dataset string) string { return mirrorSchedules + dataset }

func freshnessID(dataset string) string { return freshnessSchedules + dataset }

const (
	// freshnessEvery is how often the freshness is looked at, and freshnessJitter
	// keeps the looks at many datasets apart.
	freshnessEvery  = time.Hour
	freshnessJitter = 5 * time.Minute
	// freshnessCatchUp is how late a look may be: the next one says the same.
	freshnessCatchUp = 10 * time.Minute
)

func scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Set, look at, pause and trigger the daily runs of a dataset",
		Long: `Keeps a dataset's schedules in Temporal: mirror/<dataset> makes its runs as the
spec says, freshness/<dataset> looks every hour whether a run has lately proved
that the mirror equals the portal (` + "`starter alerts --help`" + `).

A run that is due while the one before is still going is skipped. After an outage
one run is made for all that were missed within the spec's catch_up. A scheduled
run is named by the time it was due at; what it saw is dated by the version that
the portal served. On the days when clocks change, a time between 01:00 and 03:00
may come twice or not at all; any other comes once.`,
		Example: `  starter schedule apply --dry-run           what would change
  starter schedule apply                     make it what the spec says
  starter schedule list
  starter schedule pause --note "portal is moving"
  starter schedule trigger                   run now, as a scheduled run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(scheduleApplyCommand(), scheduleListCommand(), scheduleShowCommand(),
		schedulePauseCommand("pause", "Pause the schedule of the runs", func(ctx context.Context, h client.ScheduleHandle, note string) error {
			return h.Pause(ctx, client.SchedulePauseOptions{Note: note})
		}),
		schedulePauseCommand("resume", "Resume the schedule of the runs", func(ctx context.Context, h client.ScheduleHandle, note string) error {
			return h.Unpause(ctx, client.ScheduleUnpauseOptions{Note: note})
		}),
		scheduleTriggerCommand(), scheduleDeleteCommand())
	return cmd
}

// withTemporal connects to Temporal for a command about a dataset.
func withTemporal(cmd *cobra.Command, do func(c config.Config, spec *dataset.Spec, t client.Client, namespace string) error) error {
	c, err := settings(cmd)
	if err != nil {
		return err
	}
	spec, err := openSpec(c)
	if err != nil {
		return err
	}
	t, namespace, err := dialTemporal(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer t.Close()
	return do(c, spec, t, namespace)
}

// withSchedule does something to the dataset's existing schedule.
func withSchedule(cmd *cobra.Command, do func(h client.ScheduleHandle) error) error {
	return withTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
		err := do(t.ScheduleClient().GetHandle(cmd.Context(), scheduleID(spec.Name)))
		if notFound(err) {
			return noSchedule(spec)
		}
		return err
	})
}

func noSchedule(spec *dataset.Spec) error {
	return fmt.Errorf("%s has no schedule yet: run `starter schedule apply`", spec.Name)
}

func notFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// planned are the schedules that the spec asks for. A missed run is caught up
// only within the spec's window, and overlapping ones are skipped, so that an
// outage ends in one run and not in many.
func planned(c config.Config, spec *dataset.Spec) ([]client.ScheduleOptions, error) {
	times, err := calendar(spec.Schedule.Cron)
	if err != nil {
		return nil, err
	}
	attributes := temporal.NewSearchAttributes(workflows.SearchDataset.ValueSet(spec.Name))
	return []client.ScheduleOptions{{
		ID: scheduleID(spec.Name),
		Spec: client.ScheduleSpec{
			Calendars:    []client.ScheduleCalendarSpec{times},
			Jitter:       spec.Schedule.Jitter,
			TimeZoneName: spec.TimeZone,
		},
		Action: &client.ScheduleWorkflowAction{
			ID:                    workflows.MirrorID(spec.Name, "scheduled"), // Temporal appends the nominal time
			Workflow:              workflows.Mirror,
			Args:                  []any{workflows.MirrorInput{Dataset: spec.Name, Mode: activities.Auto, Deadline: spec.Schedule.Deadline}},
			TaskQueue:             c.TaskQueue,
			StaticSummary:         "Mirror " + spec.Name + ", by schedule",
			TypedSearchAttributes: attributes,
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: spec.Schedule.CatchUp,
	}, {
		ID: freshnessID(spec.Name),
		Spec: client.ScheduleSpec{
			Intervals:    []client.ScheduleIntervalSpec{{Every: freshnessEvery}},
			Jitter:       freshnessJitter,
			TimeZoneName: spec.TimeZone,
		},
		Action: &client.ScheduleWorkflowAction{
			ID:                    workflows.FreshnessID(spec.Name, "check"),
			Workflow:              workflows.Freshness,
			Args:                  []any{workflows.FreshnessInput{Dataset: spec.Name, Limit: spec.Schedule.Freshness}},
			TaskQueue:             c.TaskQueue,
			StaticSummary:         "Is the mirror of " + spec.Name + " fresh?",
			TypedSearchAttributes: attributes,
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: freshnessCatchUp,
	}}, nil
}

// calendar is a cron expression as Temporal keeps it: it drops the expression
// itself, so that this is left as the comment.
func calendar(cron string) (client.ScheduleCalendarSpec, error) {
	c, err := dataset.ParseCron(cron)
	if err != nil {
		return client.ScheduleCalendarSpec{}, err
	}
	return client.ScheduleCalendarSpec{
		Second: ranges([]int{0}), Minute: ranges(c.Minutes), Hour: ranges(c.Hours),
		DayOfMonth: ranges(c.Days), Month: ranges(c.Months), DayOfWeek: ranges(c.Weekdays),
		Comment: cron,
	}, nil
}

// ranges joins ascending numbers that follow each other.
func ranges(numbers []int) []client.ScheduleRange {
	var all []client.ScheduleRange
	for _, n := range numbers {
		if last := len(all) - 1; last >= 0 && all[last].End == n-1 {
			all[last].End = n
			continue
		}
		all = append(all, client.ScheduleRange{Start: n, End: n, Step: 1})
	}
	return all
}

// numbers is what ranges match, ascending.
func numbers(ranges []client.ScheduleRange) []int {
	var all []int
	for _, r := range ranges {
		for n := r.Start; n <= max(r.Start, r.End); n += max(r.Step, 1) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// cronOf is what a calendar matches as a cron expression: the one it was made
// of, or, if somebody changed it since, one that is made of it.
func cronOf(c client.ScheduleCalendarSpec) string {
	is := [][]int{numbers(c.Minute), numbers(c.Hour), numbers(c.DayOfMonth), numbers(c.Month), numbers(c.DayOfWeek)}
	plain := len(c.Year) == 0 && slices.Equal(numbers(c.Second), []int{0})
	if was, err := dataset.ParseCron(c.Comment); err == nil && plain &&
		slices.EqualFunc(is, [][]int{was.Minutes, was.Hours, was.Days, was.Months, was.Weekdays}, slices.Equal) {
		return c.Comment
	}
	all := []int{60, 24, 31, 12, 7}
	fields := make([]string, len(is))
	for i, values := range is {
		fields[i] = "*"
		if len(values) < all[i] {
			fields[i] = strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]")
		}
	}
	cron := strings.Join(fields, " ")
	if !plain {
		cron += fmt.Sprintf(" (seconds %v, years %v)", numbers(c.Second), numbers(c.Year))
	}
	return cron
}

// timesOf says when a schedule is due: by cron expressions, and otherwise.
func timesOf(s *client.ScheduleSpec) (cron, other string) {
	var crons, all []string
	for _, c := range s.Calendars {
		crons = append(crons, cronOf(c))
	}
	for _, i := range s.Intervals {
		every := "every " + i.Every.String()
		if i.Offset != 0 {
			every += " after " + i.Offset.String()
		}
		all = append(all, every)
	}
	if len(s.Skip) > 0 {
		all = append(all, fmt.Sprintf("with %d exceptions", len(s.Skip)))
	}
	if !s.StartAt.IsZero() {
		all = append(all, "from "+s.StartAt.UTC().Format(time.RFC3339))
	}
	if !s.EndAt.IsZero() {
		all = append(all, "until "+s.EndAt.UTC().Format(time.RFC3339))
	}
	return strings.Join(crons, "; "), strings.Join(all, ", ")
}

// change is a field of a schedule that is not as the spec says.
type change struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// fieldsOf lists what apply keeps of a schedule, by name.
func fieldsOf(s *client.Schedule) (map[string]string, error) {
	cron, other := timesOf(s.Spec)
	fields := map[string]string{
		"cron": cron, "times": other,
		"time zone": s.Spec.TimeZoneName,
		"jitter":    s.Spec.Jitter.String(),
	}
	if p := s.Policy; p != nil {
		fields["overlap"], fields["catch up"] = p.Overlap.String(), p.CatchupWindow.String()
		fields["pause on failure"] = fmt.Sprint(p.PauseOnFailure)
	}
	action, ok := s.Action.(*client.ScheduleWorkflowAction)
	if s.Action == nil {
		return fields, nil
	}
	if !ok {
		fields["action"] = "no workflow"
		return fields, nil
	}
	fields["task queue"], fields["workflow id"], fields["summary"] = action.TaskQueue, action.ID, action.StaticSummary
	fields["workflow"] = nameOf(action.Workflow)
	for _, arg := range action.Args {
		data, err := input(arg)
		if err != nil {
			return nil, err
		}
		var values map[string]any
		if err := json.Unmarshal(data, &values); err != nil {
			fields["input"] = string(data)
			continue
		}
		for name, value := range values {
			fields[name] = fmt.Sprint(value)
			if ns, ok := value.(float64); ok && (name == "deadline" || name == "limit") {
				fields[name] = time.Duration(ns).String()
			}
		}
	}
	return fields, nil
}

// nameOf is a workflow's name, given as the SDK takes it: by name or as the
// function.
func nameOf(workflow any) string {
	if name, ok := workflow.(string); ok {
		return name
	}
	full := runtime.FuncForPC(reflect.ValueOf(workflow).Pointer()).Name()
	return full[strings.LastIndexByte(full, '.')+1:]
}

// input is a workflow's input as JSON, given as the SDK takes it: as it is, or
// as Temporal keeps it.
func input(arg any) ([]byte, error) {
	if p, ok := arg.(*commonpb.Payload); ok {
		return p.GetData(), nil
	}
	p, err := converter.GetDefaultDataConverter().ToPayload(arg)
	return p.GetData(), err
}

// differences are the fields in which a schedule is not as it should be, by name.
func differences(is, should *client.Schedule) ([]change, error) {
	from, err := fieldsOf(is)
	if err != nil {
		return nil, err
	}
	to, err := fieldsOf(should)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(slices.Collect(maps.Keys(from)), slices.Collect(maps.Keys(to)))
	slices.Sort(names)
	var all []change
	for _, name := range slices.Compact(names) {
		if from[name] != to[name] {
			all = append(all, change{Field: name, From: orNothing(from[name]), To: orNothing(to[name])})
		}
	}
	return all, nil
}

func orNothing(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// applied is what apply did, or would do, to one schedule.
type applied struct {
	ID      string   `json:"id"`
	Did     string   `json:"did"` // created, updated, deleted or nothing
	Changes []change `json:"changes,omitempty"`
	Paused  bool     `json:"paused,omitempty"`
	Note    string   `json:"note,omitempty"` // of a paused one
}

func scheduleApplyCommand() *cobra.Command {
	var (
		all, dryRun, prune bool
		out                output
	)
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make Temporal's schedules what the spec says",
		Long: `Creates the dataset's schedules in Temporal, or changes them where they are not
what the spec says, and prints what it changed. A paused schedule stays paused,
with its note. Applying again changes nothing.

With --all it does so for every dataset that the worker knows: those that come
with Padron, and the one of PADRON_DATASET. --prune deletes the schedules of
datasets that are none of these; only those of this task queue, and only with
this flag.`,
		Example: `  starter schedule apply --dry-run
  starter schedule apply
  starter schedule apply --all --prune --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if prune && !all {
				return usage(errors.New("--prune goes with --all: schedules are deleted when no known dataset has their name"))
			}
			return withTemporal(cmd, func(c config.Config, spec *dataset.Spec, t client.Client, namespace string) error {
				if err := checkSearchAttributes(cmd.Context(), t, namespace); err != nil {
					return err
				}
				specs := []*dataset.Spec{spec}
				if all {
					var err error
					if specs, err = c.Specs(); err != nil {
						return err
					}
				}
				did, err := applySchedules(cmd.Context(), t, c, specs, dryRun)
				if err == nil && prune {
					var pruned []applied
					pruned, err = pruneSchedules(cmd.Context(), t, c, specs, dryRun)
					did = append(did, pruned...)
				}
				if err != nil {
					return fmt.Errorf("apply schedules: %w", err)
				}
				return out.show(cmd.OutOrStdout(), did, func(w io.Writer) { printApplied(w, did, dryRun) })
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all known datasets")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	cmd.Flags().BoolVar(&prune, "prune", false, "with --all: delete the schedules of datasets that are no longer known")
	out.add(cmd)
	return cmd
}

func applySchedules(ctx context.Context, t client.Client, c config.Config, specs []*dataset.Spec, dryRun bool) ([]applied, error) {
	did := []applied{}
	for _, spec := range specs {
		schedules, err := planned(c, spec)
		if err != nil {
			return nil, err
		}
		for _, o := range schedules {
			a, err := applySchedule(ctx, t, o, dryRun)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", o.ID, err)
			}
			did = append(did, a)
		}
	}
	return did, nil
}

// applySchedule creates a schedule or changes what is not as planned. Its state,
// paused or not, stays.
func applySchedule(ctx context.Context, t client.Client, o client.ScheduleOptions, dryRun bool) (applied, error) {
	did := applied{ID: o.ID, Did: "nothing"}
	should := &client.Schedule{
		Spec: &o.Spec, Action: o.Action,
		Policy: &client.SchedulePolicies{Overlap: o.Overlap, CatchupWindow: o.CatchupWindow, PauseOnFailure: o.PauseOnFailure},
	}
	compare := func(is *client.Schedule) (err error) {
		if did.Changes, err = differences(is, should); len(did.Changes) > 0 {
			did.Did = "updated"
		}
		if is.State != nil && is.State.Paused {
			did.Paused, did.Note = true, is.State.Note
		}
		return err
	}
	h := t.ScheduleClient().GetHandle(ctx, o.ID)
	d, err := h.Describe(ctx)
	switch {
	case notFound(err):
		did.Did = "created"
		if did.Changes, err = differences(&client.Schedule{Spec: &client.ScheduleSpec{}}, should); err != nil || dryRun {
			return did, err
		}
		_, err = t.ScheduleClient().Create(ctx, o)
		return did, err
	case err != nil:
		return did, err
	}
	if err := compare(&d.Schedule); err != nil || dryRun || did.Did == "nothing" {
		return did, err
	}
	err = h.Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			if err := compare(&s); err != nil { // it may be another one by now
				return nil, err
			}
			s.Spec, s.Action, s.Policy = should.Spec, should.Action, should.Policy
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	return did, err
}

// pruneSchedules deletes the schedules of this task queue whose dataset is not
// among the specs.
func pruneSchedules(ctx context.Context, t client.Client, c config.Config, specs []*dataset.Spec, dryRun bool) ([]applied, error) {
	all, err := listSchedules(ctx, t)
	if err != nil {
		return nil, err
	}
	var did []applied
	for _, s := range all {
		if s.TaskQueue != c.TaskQueue || slices.ContainsFunc(specs, func(spec *dataset.Spec) bool { return spec.Name == s.Dataset }) {
			continue
		}
		if !dryRun {
			if err := t.ScheduleClient().GetHandle(ctx, s.ID).Delete(ctx); err != nil && !notFound(err) {
				return nil, fmt.Errorf("%s: %w", s.ID, err)
			}
		}
		did = append(did, applied{ID: s.ID, Did: "deleted"})
	}
	return did, nil
}

func printApplied(w io.Writer, all []applied, dryRun bool) {
	for _, a := range all {
		did := a.Did
		if dryRun {
			did = "would be " + did
		}
		state := ""
		if a.Paused {
			state = strings.TrimSuffix(", which stays paused: "+a.Note, ": ")
		}
		if a.Did == "nothing" {
			fmt.Fprintf(w, "schedule %s: nothing to change%s\n", a.ID, state)
			continue
		}
		fmt.Fprintf(w, "schedule %s %s%s\n", a.ID, did, state)
		for _, c := range a.Changes {
			if a.Did == "created" {
				fmt.Fprintf(w, "  %s: %s\n", c.Field, c.To)
			} else {
				fmt.Fprintf(w, "  %s: %s → %s\n", c.Field, c.From, c.To)
			}
		}
	}
}

// scheduleView is what `schedule list` says of one.
type scheduleView struct {
	ID        string      `json:"id"`
	Dataset   string      `json:"dataset"`
	Times     string      `json:"times"`
	Zone      string      `json:"time_zone"`
	TaskQueue string      `json:"task_queue"`
	Paused    bool        `json:"paused"`
	Note      string      `json:"note,omitempty"`
	Next      []time.Time `json:"next"`
	Recent    []scheduled `json:"recent"` // newest first
	Runs      int         `json:"runs"`   // started since it was made
	Missed    int         `json:"missed"` // due, and not made up for: longer ago than the catch-up
	Overlaps  int         `json:"overlaps"`
	fields    []change    // as planned fields, for show
	zone      *time.Location
}

// scheduled is a workflow that a schedule started.
type scheduled struct {
	Run      string    `json:"run"`
	Workflow string    `json:"workflow_id"`
	Due      time.Time `json:"due"` // jitter included
	Started  time.Time `json:"started"`
	Outcome  string    `json:"outcome"` // of a run; else how the workflow ended
}

func scheduleListCommand() *cobra.Command {
	var (
		out  output
		next int
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the schedules with their next times and what came of the last",
		Long: `Lists the schedules of all datasets: when they are due next, in the dataset's time
zone and with their jitter, and what came of the last time.`,
		Example: `  starter schedule list
  starter schedule list -o json | jq -r '.[].next[0]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if next < 1 || next > 10 {
				return usage(fmt.Errorf("--next %d: use 1 to 10", next))
			}
			return withTemporal(cmd, func(_ config.Config, _ *dataset.Spec, t client.Client, _ string) error {
				all, err := listSchedules(cmd.Context(), t)
				if err == nil {
					err = outcomes(cmd.Context(), t, all, 1)
				}
				if err != nil {
					return fmt.Errorf("list schedules: %w", err)
				}
				return out.show(cmd.OutOrStdout(), all, func(w io.Writer) { printSchedules(w, all, next) })
			})
		},
	}
	cmd.Flags().IntVar(&next, "next", 2, "how many of the coming times, at most 10")
	out.add(cmd)
	return cmd
}

func listSchedules(ctx context.Context, t client.Client) ([]scheduleView, error) {
	list, err := t.ScheduleClient().List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return nil, err
	}
	all := []scheduleView{}
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(entry.ID, mirrorSchedules) && !strings.HasPrefix(entry.ID, freshnessSchedules) {
			continue // the namespace may have other users
		}
		v, err := viewSchedule(ctx, t, entry.ID)
		if notFound(err) {
			continue // deleted since it was listed
		}
		if err != nil {
			return nil, err
		}
		if v.Dataset != "" {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b scheduleView) int {
		if c := strings.Compare(a.Dataset, b.Dataset); c != 0 {
			return c
		}
		return -strings.Compare(a.ID, b.ID) // the runs before the looks
	})
	return all, nil
}

// viewSchedule reads a schedule; Dataset is empty of one that is none of
// Padron's.
func viewSchedule(ctx context.Context, t client.Client, id string) (scheduleView, error) {
	d, err := t.ScheduleClient().GetHandle(ctx, id).Describe(ctx)
	if err != nil {
		return scheduleView{}, err
	}
	cron, other := timesOf(d.Schedule.Spec)
	v := scheduleView{
		ID: id, Times: strings.Trim(cron+", "+other, ", "), Zone: d.Schedule.Spec.TimeZoneName, Next: d.Info.NextActionTimes, Recent: []scheduled{},
		Runs: d.Info.NumActions, Missed: d.Info.NumActionsMissedCatchupWindow, Overlaps: d.Info.NumActionsSkippedOverlap,
	}
	if v.zone, err = time.LoadLocation(v.Zone); err != nil {
		return scheduleView{}, err
	}
	if action, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction); ok {
		v.TaskQueue = action.TaskQueue
		switch prefix, name, _ := strings.Cut(id, "/"); {
		case prefix+"/" == mirrorSchedules && action.Workflow == nameOf(workflows.Mirror),
			prefix+"/" == freshnessSchedules && action.Workflow == nameOf(workflows.Freshness):
			v.Dataset = name
		}
	}
	if d.Schedule.State != nil {
		v.Paused, v.Note = d.Schedule.State.Paused, d.Schedule.State.Note
	}
	for _, a := range slices.Backward(d.Info.RecentActions) {
		if a.StartWorkflowResult != nil {
			id := a.StartWorkflowResult.WorkflowID
			v.Recent = append(v.Recent, scheduled{Run: workflows.RunID(id), Workflow: id, Due: a.ScheduleTime, Started: a.ActualTime})
		}
	}
	fields, err := fieldsOf(&d.Schedule)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v.fields = append(v.fields, change{Field: name, To: fields[name]})
	}
	return v, err
}

// outcomes finds out what came of the last n times of each schedule. Temporal
// keeps a workflow for its retention only.
func outcomes(ctx context.Context, t client.Client, all []scheduleView, n int) error {
	for i := range all {
		for j := range all[i].Recent[:min(n, len(all[i].Recent))] {
			last := &all[i].Recent[j]
			d, err := t.DescribeWorkflow(ctx, last.Workflow, "")
			switch {
			case notFound(err):
				last.Outcome = "no longer kept"
				continue
			case err != nil:
				return err
			}
			last.Outcome = strings.ToLower(d.Status.String())
			if outcome, ok := d.TypedSearchAttributes.GetKeyword(workflows.SearchOutcome); ok && outcome != "" {
				last.Outcome = outcome
			}
		}
	}
	return nil
}

// due shows a time in a schedule's zone.
const due = "Mon 2006-01-02 15:04 MST"

func (v *scheduleView) state() string {
	if v.Paused {
		return "paused"
	}
	return "active"
}

func printSchedules(w io.Writer, all []scheduleView, next int) {
	if len(all) == 0 {
		fmt.Fprintln(w, "no schedules yet; `starter schedule apply` makes them")
		return
	}
	var rows []table.Row
	for _, s := range all {
		var times []string
		for _, at := range s.Next[:min(next, len(s.Next))] {
			if !s.Paused {
				times = append(times, at.In(s.zone).Format(due))
			}
		}
		last, outcome := "", ""
		if len(s.Recent) > 0 {
			last, outcome = s.Recent[0].Started.In(s.zone).Format(due), s.Recent[0].Outcome
		}
		rows = append(rows, table.Row{s.ID, s.state(), strings.Join(times, ", "), last, outcome, s.Runs, s.Note})
	}
	grid(w, table.Row{"schedule", "state", "next", "last", "outcome", "runs", "note"}, rows, 6)
}

func scheduleShowCommand() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show all about the dataset's schedules",
		Example: `  starter schedule show
  starter schedule show -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
				var all []scheduleView
				for _, id := range []string{scheduleID(spec.Name), freshnessID(spec.Name)} {
					v, err := viewSchedule(cmd.Context(), t, id)
					if notFound(err) {
						continue
					}
					if err != nil {
						return fmt.Errorf("read schedule %s: %w", id, err)
					}
					all = append(all, v)
				}
				if len(all) == 0 {
					return noSchedule(spec)
				}
				if err := outcomes(cmd.Context(), t, all, 10); err != nil {
					return fmt.Errorf("read what the schedules started: %w", err)
				}
				return out.show(cmd.OutOrStdout(), all, func(w io.Writer) {
					for i := range all {
						if i > 0 {
							fmt.Fprintln(w)
						}
						all[i].print(w)
					}
				})
			})
		},
	}
	out.add(cmd)
	return cmd
}

func (v *scheduleView) print(w io.Writer) {
	rows := [][2]string{{"schedule", v.ID}, {"state", v.state()}, {"note", v.Note}}
	for _, f := range v.fields {
		rows = append(rows, [2]string{f.Field, f.To})
	}
	rows = append(rows, [2]string{"started", fmt.Sprintf("%s times", count(v.Runs))})
	rows = append(rows, [2]string{"not made up for", unless0(int64(v.Missed), "%s times: longer ago than the catch-up")})
	rows = append(rows, [2]string{"skipped", unless0(int64(v.Overlaps), "%s times: the one before was still going")})
	for _, at := range v.Next {
		rows = append(rows, [2]string{"next", at.In(v.zone).Format(due)})
	}
	for _, r := range v.Recent {
		rows = append(rows, [2]string{"before", fmt.Sprintf("%s  %s  %s", r.Started.In(v.zone).Format(due), r.Run, r.Outcome)})
	}
	facts(w, rows)
}

func schedulePauseCommand(use, short string, do func(context.Context, client.ScheduleHandle, string) error) *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:     use,
		Short:   short,
		Example: `  starter schedule ` + use + ` --note "portal is moving"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchedule(cmd, func(h client.ScheduleHandle) error {
				err := do(cmd.Context(), h, note)
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "%sd schedule %s\n", use, h.GetID())
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "why, for whoever looks later")
	return cmd
}

func scheduleTriggerCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "trigger",
		Short:   "Start a run now, as the schedule would",
		Example: `  starter schedule trigger`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchedule(cmd, func(h client.ScheduleHandle) error {
				err := h.Trigger(cmd.Context(), client.ScheduleTriggerOptions{})
				if err == nil {
					fmt.Fprintf(cmd.OutOrStdout(), "triggered schedule %s; `starter status` shows the run\n", h.GetID())
				}
				return err
			})
		},
	}
}

func scheduleDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete",
		Short:   "Delete the dataset's schedules; runs by hand work without",
		Example: `  starter schedule delete`,
		Long: `Deletes the dataset's schedules from Temporal, with their notes. A run that goes
on is not touched, nor is the mirror; ` + "`starter schedule apply`" + ` makes them anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTemporal(cmd, func(_ config.Config, spec *dataset.Spec, t client.Client, _ string) error {
				deleted := 0
				for _, id := range []string{scheduleID(spec.Name), freshnessID(spec.Name)} {
					err := t.ScheduleClient().GetHandle(cmd.Context(), id).Delete(cmd.Context())
					if notFound(err) {
						continue
					}
					if err != nil {
						return fmt.Errorf("delete schedule %s: %w", id, err)
					}
					deleted++
					fmt.Fprintf(cmd.OutOrStdout(), "deleted schedule %s\n", id)
				}
				if deleted == 0 {
					return fmt.Errorf("%s has no schedule", spec.Name)
				}
				return nil
			})
		},
	}
}
