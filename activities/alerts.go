package activities

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/mirror"
)

// AlertResult says whether Notify has something to send.
type AlertResult struct {
	Due bool `json:"due,omitempty"`
}

// OverdueInput names a run whose deadline has passed.
type OverdueInput struct {
	Run      Run           `json:"run"`
	Task     Task          `json:"task"`
	Deadline time.Time     `json:"deadline"`
	Within   time.Duration `json:"within"` // what the run was given
}

// FreshnessInput asks how old the last proof of a mirror is.
type FreshnessInput struct {
	Dataset string        `json:"dataset"`
	Check   string        `json:"check"` // name of this look
	Limit   time.Duration `json:"limit"` // how old the proof may be
}

// Overdue records that a run was not done by its deadline. The run goes on.
func (a *Activities) Overdue(ctx context.Context, in OverdueInput) (AlertResult, error) {
	defer alive(ctx)()
	result, err := a.overdue(ctx, in)
	return result, classify(err)
}

func (a *Activities) overdue(ctx context.Context, in OverdueInput) (result AlertResult, err error) {
	in.Run.Spec = "" // whichever build began it
	o, err := a.dataset(ctx, in.Run)
	if err != nil {
		return AlertResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		err := o.mirror.SetRun(ctx, in.Run.ID, bson.D{{Key: "deadline", Value: in.Deadline}, {Key: "deadline_passed", Value: true}})
		if err != nil && !errors.Is(err, mirror.ErrNoRun) { // its first step may still be waiting
			return err
		}
		_, err = o.mirror.Raise(ctx, mirror.Alert{
			ID: mirror.ConditionDeadline, Cause: "late", Run: in.Run.ID, Job: string(in.Task.Job), Status: mirror.StatusRunning,
			Reason: fmt.Sprintf("run %s was to be done within %s of its start, by %s; it goes on", in.Run.ID, short(in.Within), stamp(in.Deadline)),
			Next:   "`starter status " + in.Run.ID + "` shows how far it is; the Temporal Web UI shows what it waits for",
		})
		if err == nil {
			result, err = a.dueNow(ctx, o)
		}
		return err
	})
	return result, err
}

// CheckFreshness looks how long ago a run last proved that the mirror equals
// the portal, and records when that is too long. A mirror without a proof is as
// old as its database.
func (a *Activities) CheckFreshness(ctx context.Context, in FreshnessInput) (AlertResult, error) {
	defer alive(ctx)()
	result, err := a.checkFreshness(ctx, in)
	return result, classify(err)
}

func (a *Activities) checkFreshness(ctx context.Context, in FreshnessInput) (result AlertResult, err error) {
	o, err := a.dataset(ctx, Run{ID: in.Check, Dataset: in.Dataset})
	if err != nil {
		return AlertResult{}, err
	}
	err = a.Database.Do(ctx, func(ctx context.Context) error {
		f, err := LookAtFreshness(ctx, o.mirror, in.Limit)
		if err != nil {
			return err
		}
		about := mirror.Alert{ID: mirror.ConditionStale, Cause: "stale", Run: in.Check, Reason: f.Says()}
		if f.Stale() {
			about.Next = "`starter status` shows the runs, `starter schedule list` the schedule, `starter doctor` what is wrong; `starter run --wait` makes a run"
			_, err = o.mirror.Raise(ctx, about)
		} else {
			_, err = o.mirror.Clear(ctx, about, false)
		}
		if err == nil {
			result, err = a.dueNow(ctx, o)
		}
		return err
	})
	return result, err
}

// Freshness is how old the last proof that a mirror equals its portal is.
type Freshness struct {
	Run   string        `json:"run,omitempty"` // that proved it; empty: none has
	Since time.Time     `json:"since"`         // when that run began; without one, when the database was made
	Age   time.Duration `json:"age"`
	Limit time.Duration `json:"limit"`
}

// LookAtFreshness reads a mirror's freshness.
func LookAtFreshness(ctx context.Context, m *mirror.Mirror, limit time.Duration) (Freshness, error) {
	f := Freshness{Limit: limit}
	proof, err := orNone(m.LastProof(ctx))
	if err != nil {
		return f, err
	}
	f.Run, f.Since = proof.ID, proof.Started
	if f.Run == "" {
		if f.Since, err = m.Created(ctx); err != nil {
			return f, err
		}
	}
	f.Age = time.Since(f.Since)
	return f, nil
}

// Stale says whether the proof is too old.
func (f Freshness) Stale() bool { return f.Age > f.Limit }

// Says is the freshness in words.
func (f Freshness) Says() string {
	if f.Run == "" {
		return fmt.Sprintf("no run has proved yet that the mirror equals the portal, %s after it was begun; that may take %s", short(f.Age), short(f.Limit))
	}
	return fmt.Sprintf("run %s proved %s ago that the mirror equals the portal; that may be %s old", f.Run, short(f.Age), short(f.Limit))
}

// short shows a duration to the minute, below that to the second.
func short(d time.Duration) string {
	unit := time.Second
	if d >= time.Minute {
		unit = time.Minute
	}
	s := d.Truncate(unit).String()
	if unit == time.Minute {
		s = strings.TrimSuffix(s, "0s")
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

// alert brings the conditions up to date at the end of a run, and says whether
// there is anything to send. It costs two reads when nothing is wrong.
func (a *Activities) alert(ctx context.Context, o *opened, in FinishInput) (AlertResult, error) {
	run, err := orNone(o.mirror.Run(ctx, in.Run.ID))
	if err != nil {
		return AlertResult{}, err
	}
	alerts, err := o.mirror.Alerts(ctx)
	if err != nil {
		return AlertResult{}, err
	}
	e := ending{in: in, run: run, open: map[mirror.Condition]bool{}}
	for _, known := range alerts {
		e.open[known.ID] = known.Open
	}
	if e.skipped() && e.open[mirror.ConditionSchema] {
		// Nothing has changed since the last green run: its warnings still hold.
		green, err := orNone(o.mirror.LastGreen(ctx))
		if err != nil {
			return AlertResult{}, err
		}
		e.run.Warnings = green.Warnings
	}
	e.judge()
	for _, found := range e.found {
		if _, err := o.mirror.Raise(ctx, found); err != nil {
			return AlertResult{}, err
		}
	}
	for condition, quiet := range e.past {
		if !e.open[condition] {
			continue
		}
		past := e.about(condition)
		past.Reason = e.says()
		if _, err := o.mirror.Clear(ctx, past, quiet); err != nil {
			return AlertResult{}, err
		}
	}
	if len(e.found) == 0 && !slices.ContainsFunc(alerts, func(a mirror.Alert) bool { return a.Open || a.Due() }) {
		return AlertResult{}, nil
	}
	return a.dueNow(ctx, o)
}

// dueNow says whether a message is due and somebody is there to get it.
func (a *Activities) dueNow(ctx context.Context, o *opened) (AlertResult, error) {
	if !a.Webhook.Configured() {
		return AlertResult{}, nil
	}
	alerts, err := o.mirror.Alerts(ctx)
	return AlertResult{Due: slices.ContainsFunc(alerts, func(a mirror.Alert) bool { return a.Due() })}, err
}

// ending is a run that has ended, and what follows from it.
type ending struct {
	in   FinishInput
	run  mirror.Run // empty of a run that failed before it was begun
	open map[mirror.Condition]bool

	found []mirror.Alert
	past  map[mirror.Condition]bool // true: quietly, as another condition says it
}

func (e *ending) crawls() bool { return e.in.Task.Job == JobMirror || e.in.Task.Job == "" }

// skipped says that the run proved that there is nothing new.
func (e *ending) skipped() bool {
	return e.in.Status == mirror.StatusSkipped && e.run.Probe.Decision == mirror.ProbeSkip
}

// judge decides which conditions the run has found, and which are past:
//
//	failed           found by a failure; past when a run mirrors to its end
//	schema_changed   found by a failure of that kind, and by a run that went on
//	                 with warnings; past when a run has none
//	not_green        found by a certificate that is red or unproven; past with
//	                 one that is green
//	held_removals    found by a run that holds removals; past when no document
//	                 is without a row
//	deadline_passed  found by Overdue; past when a run mirrors to its end
//	stale            found by CheckFreshness; past with a proof
//	backfill_failed  found by a backfill that failed, or windows of which did;
//	                 past when one ends well
//
// A cancelled run, and one that was skipped because another one wrote, say
// nothing.
func (e *ending) judge() {
	e.past = map[mirror.Condition]bool{}
	job := mirror.Run{Job: string(e.in.Task.Job), From: e.in.Task.From}
	done := e.in.Status == mirror.StatusDone
	if e.in.Task.Job == JobBackfill {
		e.backfilled()
		return
	}
	if e.in.Status == mirror.StatusFailed && !e.in.Refused {
		e.failed()
	}
	if done && job.Mirrors() || e.skipped() {
		e.past[mirror.ConditionFailed], e.past[mirror.ConditionDeadline] = false, false
	}
	if done && e.crawls() || e.skipped() {
		if len(e.run.Warnings) == 0 {
			e.past[mirror.ConditionSchema] = false
		} else {
			found := e.about(mirror.ConditionSchema)
			found.Reason = strings.Join(e.run.Warnings, "; ")
			found.Cause = found.Reason
			found.Next = "the run went on; bring the spec in line with the portal, `starter dataset check` compares them"
			e.found = append(e.found, found)
		}
	}
	if done && e.run.Certificate.Outcome != "" {
		e.certified()
	}
	if done && e.in.Outcome == mirror.OutcomeGreen && e.run.Certificate.Outcome != "" || e.skipped() {
		e.past[mirror.ConditionNotGreen], e.past[mirror.ConditionStale] = false, false
	}
}

// backfilled looks at a backfill as a whole; its runs have been judged like any
// others.
func (e *ending) backfilled() {
	switch {
	case e.in.Status == mirror.StatusCancelled || e.in.Refused:
	case e.in.Status == mirror.StatusFailed || e.in.Outcome == mirror.OutcomeRed:
		found := e.about(mirror.ConditionBackfill)
		found.Cause, found.Reason = e.in.Kind+": "+shape(e.in.Why), e.in.Why
		found.Next = "`starter backfill status " + e.in.Run.ID + "` shows how far it is; the same command given again reloads what is missing or failed"
		e.found = append(e.found, found)
	default:
		e.past[mirror.ConditionBackfill] = false
	}
}

func (e *ending) failed() {
	if e.in.Kind == SchemaChanged {
		found := e.about(mirror.ConditionSchema)
		found.Cause, found.Reason = e.in.Why, e.in.Why
		found.Next = "nothing was touched; correct the spec, `starter dataset check` compares it with the portal"
		e.found = append(e.found, found)
		e.past[mirror.ConditionFailed] = true
		return
	}
	found := e.about(mirror.ConditionFailed)
	found.Cause, found.Reason = e.in.Kind+": "+shape(e.in.Why), e.in.Why
	found.Next = nextAfter(e.in.Kind, e.in.Run.ID)
	e.found = append(e.found, found)
}

// certified looks at the certificate. Removals that are held make a run red;
// when they alone do, that is what is told.
func (e *ending) certified() {
	var wrong []string
	for _, c := range e.run.Certificate.Checks {
		if !c.OK {
			wrong = append(wrong, c.Name)
		}
	}
	held := e.run.Counts.Held > 0
	onlyHeld := e.in.Outcome == mirror.OutcomeRed && slices.Equal(wrong, []string{"removals"}) && (held || e.open[mirror.ConditionHeld])
	switch {
	case held:
		found := e.about(mirror.ConditionHeld)
		n := humanize.Comma(e.run.Counts.Held)
		found.Cause = fmt.Sprintf("a number of %d digits", len(fmt.Sprint(e.run.Counts.Held))) // ten times as many is news
		found.Reason = n + " rows are no longer on the portal, more than one run may remove; their documents are still in the mirror"
		found.Next = "if the publisher meant it, `starter approve " + e.in.Run.ID + "` removes them"
		e.found = append(e.found, found)
	case e.run.Counts.Missing == 0:
		e.past[mirror.ConditionHeld] = false
	}
	switch e.in.Outcome {
	case mirror.OutcomeRed, mirror.OutcomeUnproven:
		if onlyHeld {
			e.past[mirror.ConditionNotGreen] = true
			return
		}
		found := e.about(mirror.ConditionNotGreen)
		found.Cause, found.Reason = string(e.in.Outcome)+": "+strings.Join(wrong, ", "), e.in.Why
		found.Next = "`starter status " + e.in.Run.ID + "` shows the certificate; `starter run --mode full --wait` crawls anew"
		e.found = append(e.found, found)
	default:
	}
}

// about is a condition with what is known of the run.
func (e *ending) about(condition mirror.Condition) mirror.Alert {
	return mirror.Alert{
		ID: condition, Run: e.in.Run.ID, Job: orElse(string(e.in.Task.Job), mirror.JobMirror),
		Status: e.in.Status, Outcome: e.in.Outcome, Counts: e.run.Counts,
	}
}

// says is the end of a condition in words.
func (e *ending) says() string {
	what := string(e.in.Outcome)
	if what == "" {
		what = string(e.in.Status)
	}
	return strings.TrimSuffix(fmt.Sprintf("run %s is %s: %s", e.in.Run.ID, what, e.in.Why), ": ")
}

// numbered is a word with a number in it: a count, a time, an id.
var numbered = regexp.MustCompile(`\S*[0-9]\S*|request \S+`)

// shape is a reason without what differs from one failure to the next of the
// same kind.
func shape(reason string) string { return numbered.ReplaceAllString(reason, "#") }

// nextAfter says what to do after a failure.
func nextAfter(kind, run string) string {
	switch kind {
	case GateClosed:
		return "nothing was written; `starter status " + run + "` shows what is odd about the crawl: ask the publisher before a run may write it"
	case PortalRefused:
		return "check PADRON_APP_TOKEN and the dataset's id; `starter dataset check` asks the portal"
	case ForeignDatabase, UnknownDataset:
		return "correct the setting; `starter doctor` checks them all"
	case PortalUnavailable, DatabaseFailed, WrongBuild:
		return "`starter doctor` looks at every connection; the next run begins anew, `starter run --wait` makes one"
	default:
		return "`starter status " + run + "` shows what it did; the next run begins anew, `starter run --wait` makes one"
	}
}
