package alerts

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"padron/internal/certificate"
	"padron/internal/runs"
)

// Ending is a run that has ended, and what follows from it.
type Ending struct {
	Run     string
	Job     runs.Job
	From    string // step that a rerun began with
	Status  runs.Status
	Outcome certificate.Outcome
	Why     string
	Kind    string   // of a failed run: the type of its error
	Refused bool     // it could not be done as asked: whoever asked was told
	Record  runs.Run // zero of a run that failed before it was begun

	open  map[Condition]bool
	found []Alert
	past  map[Condition]bool // true: quietly, as another condition says it
}

// skipped says that the run proved that there is nothing new.
func (e *Ending) skipped() bool {
	return e.Status == runs.StatusSkipped && e.Record.Probe.Decision == runs.ProbeSkip
}

// judge decides which conditions the run has found, and which are past:
//
//	failed           found by a failure; past when a run mirrors to its end
//	schema_changed   found by a failure of that kind, and by a run that went on
//	                 with warnings; past when a run has none
//	not_green        found by a certificate that is red or unproven; past with
//	                 one that is green
//	damaged          found by a deep check, verify --deep or run --repair; past
//	                 with a deep check that finds nothing, and with nothing less
//	held_removals    found by a run that holds removals; past when no document
//	                 is without a row
//	deadline_passed  found by Overdue; past when a run mirrors to its end
//	stale            found by CheckFreshness; past with a proof
//	standstill       found by a run, or CheckFreshness, that sees what the portal
//	                 published last; past when that is new enough
//	backfill_failed  found by a backfill that failed, or windows of which did;
//	                 past when one ends well
//
// A cancelled run, and one that was skipped because another one wrote, say
// nothing.
func (e *Ending) judge() {
	e.past = map[Condition]bool{}
	job := runs.Run{Job: e.Job, From: e.From}
	done := e.Status == runs.StatusDone
	if e.Job == runs.JobBackfill {
		e.backfilled()
		return
	}
	if e.Status == runs.StatusFailed && !e.Refused {
		e.failed()
	}
	if done && job.Mirrors() || e.skipped() {
		e.past[ConditionFailed], e.past[ConditionDeadline] = false, false
	}
	if done && e.Job.OrMirror() == runs.JobMirror || e.skipped() {
		if len(e.Record.Warnings) == 0 {
			e.past[ConditionSchema] = false
		} else {
			found := e.about(ConditionSchema)
			found.Reason = strings.Join(e.Record.Warnings, "; ")
			found.Cause = found.Reason
			found.Next = "the run went on; bring the spec in line with the portal, `starter dataset check` compares them"
			e.found = append(e.found, found)
		}
	}
	if done && e.Record.Certificate.Outcome != "" {
		e.certified()
	}
	if done && e.Outcome == certificate.Green && e.Record.Certificate.Outcome != "" || e.skipped() {
		e.past[ConditionNotGreen], e.past[ConditionStale] = false, false
	}
}

// backfilled looks at a backfill as a whole; its runs have been judged like any
// others.
func (e *Ending) backfilled() {
	switch {
	case e.Status == runs.StatusCancelled || e.Refused:
	case e.Status == runs.StatusFailed || e.Outcome == certificate.Red:
		found := e.about(ConditionBackfill)
		found.Cause, found.Reason = e.Kind+": "+shape(e.Why), e.Why
		found.Next = "`starter backfill status " + e.Run + "` shows how far it is; the same command given again reloads what is missing or failed"
		e.found = append(e.found, found)
	default:
		e.past[ConditionBackfill] = false
	}
}

func (e *Ending) failed() {
	if e.Kind == runs.SchemaChanged {
		found := e.about(ConditionSchema)
		found.Cause, found.Reason = e.Why, e.Why
		found.Next = "nothing was touched; correct the spec, `starter dataset check` compares it with the portal"
		e.found = append(e.found, found)
		e.past[ConditionFailed] = true
		return
	}
	found := e.about(ConditionFailed)
	found.Cause, found.Reason = e.Kind+": "+shape(e.Why), e.Why
	found.Next = nextAfter(e.Kind, e.Run)
	e.found = append(e.found, found)
}

// certified looks at the certificate. Removals that are held make a run red, and
// so does damage; when they alone do, that is what is told.
func (e *Ending) certified() {
	var wrong, damage []string
	for _, c := range e.Record.Certificate.Checks {
		switch {
		case c.OK:
		case certificate.OfDamage(c.Name):
			damage = append(damage, c.Name)
		default:
			wrong = append(wrong, c.Name)
		}
	}
	e.damaged(damage)
	held := e.Record.Counts.Held > 0
	told := len(wrong) == 0 && len(damage) > 0 || slices.Equal(wrong, []string{"removals"}) && (held || e.open[ConditionHeld])
	switch {
	case held:
		found := e.about(ConditionHeld)
		n := humanize.Comma(e.Record.Counts.Held)
		found.Cause = fmt.Sprintf("a number of %d digits", len(fmt.Sprint(e.Record.Counts.Held))) // ten times as many is news
		found.Reason = n + " rows are no longer on the portal, more than one run may remove; their documents are still in the mirror"
		found.Next = "if the publisher meant it, `starter approve " + e.Run + "` removes them"
		e.found = append(e.found, found)
	case e.Record.Counts.Missing == 0:
		e.past[ConditionHeld] = false
	}
	switch e.Outcome {
	case certificate.Red, certificate.Unproven:
		if e.Outcome == certificate.Red && told {
			e.past[ConditionNotGreen] = true
			return
		}
		found := e.about(ConditionNotGreen)
		found.Cause, found.Reason = string(e.Outcome)+": "+strings.Join(wrong, ", "), e.Why
		found.Next = "`starter status " + e.Run + "` shows the certificate; `starter run --mode full --wait` crawls anew"
		e.found = append(e.found, found)
	default:
	}
}

// damaged looks at what the certificate says of damage.
func (e *Ending) damaged(checks []string) {
	looked, sound := e.Record.Certificate.Deep()
	switch {
	case !looked: // it neither found nor ended anything
	case sound:
		e.past[ConditionDamaged] = false
	default:
		found := e.about(ConditionDamaged)
		found.Cause, found.Reason = strings.Join(checks, ", "), e.Why
		found.Next = "`starter run --repair --wait` writes anew what the portal has; `starter status " + e.Run + "` lists the keys"
		if e.Job.OrMirror() == runs.JobMirror {
			found.Next = "the repair could not make this good: `starter status " + e.Run + "` lists the keys; " +
				"what the portal does not have comes back from a backup of the database"
		}
		e.found = append(e.found, found)
	}
}

// about is a condition with what is known of the run.
func (e *Ending) about(condition Condition) Alert {
	return Alert{
		ID: condition, Run: e.Run, Job: string(e.Job.OrMirror()),
		Status: e.Status, Outcome: e.Outcome, Counts: e.Record.Counts,
	}
}

// says is the end of a condition in words.
func (e *Ending) says() string {
	what := string(e.Outcome)
	if what == "" {
		what = string(e.Status)
	}
	return strings.TrimSuffix(fmt.Sprintf("run %s is %s: %s", e.Run, what, e.Why), ": ")
}

// numbered is a word with a number in it: a count, a time, an id.
var numbered = regexp.MustCompile(`\S*[0-9]\S*|request \S+`)

// shape is a reason without what differs from one failure to the next of the
// same kind.
func shape(reason string) string { return numbered.ReplaceAllString(reason, "#") }

// nextAfter says what to do after a failure.
func nextAfter(kind, run string) string {
	switch kind {
	case runs.GateClosed:
		return "nothing was written; `starter status " + run + "` shows what is odd about the crawl: ask the publisher before a run may write it"
	case runs.PortalRefused:
		return "check PADRON_APP_TOKEN and the dataset's id; `starter dataset check` asks the portal"
	case runs.UnknownDataset:
		return "no worker serves the dataset: start one whose PADRON_DATASET names it; `starter workers` says who serves what"
	case runs.ForeignDatabase, runs.SpecUnusable:
		return "correct the setting; `starter doctor` checks them all"
	case runs.PortalUnavailable, runs.BotCheck, runs.DatabaseFailed, runs.WrongBuild:
		return "`starter doctor` looks at every connection; the next run begins anew, `starter run --wait` makes one"
	default:
		return "`starter status " + run + "` shows what it did; the next run begins anew, `starter run --wait` makes one"
	}
}
