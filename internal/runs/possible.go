package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"padron/internal/certificate"
)

// ErrImpossible says that a job cannot be done, or not now; the text says why and
// what to do.
var ErrImpossible = errors.New("it cannot be done")

// impossible is an ErrImpossible whose text is the reason alone.
type impossible string

func (i impossible) Error() string        { return string(i) }
func (i impossible) Is(target error) bool { return target == ErrImpossible }

// Possible returns ErrImpossible when a job cannot be done, or not now, as far as
// the records tell. Who starts a run asks it, and the run itself before it has a
// record: so what makes no sense leaves nothing behind.
func (r *Reader) Possible(ctx context.Context, job Job, of, from string) error {
	switch job.OrMirror() {
	case JobMirror:
		return nil
	case JobRerun:
		_, err := r.Repeatable(ctx, of, from)
		return err
	default:
	}
	last, err := OrNone(r.LastCrawl(ctx))
	switch {
	case err != nil:
		return err
	case last.ID == "":
		return impossible("nothing was mirrored yet: `starter run` does that")
	case job == JobApprove:
		return r.Approvable(ctx, of)
	}
	return nil
}

// Reloadable returns ErrImpossible when windows must not be reloaded beside the
// newest crawl, as it was made with other rules than those of this digest.
func (r *Reader) Reloadable(ctx context.Context, digest string) error {
	if err := r.Possible(ctx, JobReload, "", ""); err != nil {
		return err
	}
	last, err := r.LastCrawl(ctx)
	if err == nil && last.Spec != digest {
		return impossible(fmt.Sprintf("the spec changed since run %s: let `starter run` go over all rows first", last.ID))
	}
	return err
}

// Approvable returns ErrImpossible when a run holds no removals that can be
// approved: only those of the newest crawl can.
func (r *Reader) Approvable(ctx context.Context, id string) error {
	asked, err := r.Run(ctx, id)
	if errors.Is(err, ErrNoRun) {
		return impossible(fmt.Sprintf("there is no run %q; `starter status` lists them", id))
	}
	if err != nil {
		return err
	}
	last, err := OrNone(r.LastCrawl(ctx))
	switch {
	case err != nil:
		return err
	case asked.Held.Rows == 0:
		return impossible(fmt.Sprintf("run %s holds no removals", id))
	case asked.ID != last.ID && last.Held.Rows > 0:
		return impossible(fmt.Sprintf("run %s came after %s and holds %d removals: approve that one", last.ID, id, last.Held.Rows))
	case asked.ID != last.ID:
		return impossible(fmt.Sprintf("run %s came after %s and holds no removals", last.ID, id))
	}
	return nil
}

// Repeatable reads the record of a run whose steps are to be repeated from one on.
// ErrImpossible when that would undo what was written since, or when the step
// cannot be the first.
func (r *Reader) Repeatable(ctx context.Context, id, from string) (Run, error) {
	of, err := r.Run(ctx, id)
	if errors.Is(err, ErrNoRun) {
		return Run{}, impossible(fmt.Sprintf("there is no run %q; `starter status` lists them", id))
	}
	if err != nil {
		return Run{}, err
	}
	if of.Job.OrMirror() != JobMirror || len(of.Ranges) == 0 {
		return Run{}, impossible(fmt.Sprintf("run %s crawled nothing that could be repeated; `starter status` lists those that did", id))
	}
	after, err := r.wroteAfter(ctx, of)
	switch {
	case err != nil:
		return Run{}, err
	case after != "":
		return Run{}, impossible(fmt.Sprintf("run %s came after %s and wrote the mirror: an older crawl would undo that", after, id))
	case from != FromClean && from != FromGate && from != FromSnapshot:
		return Run{}, impossible(fmt.Sprintf("a rerun starts from %s, %s or %s, not from %q", FromClean, FromGate, FromSnapshot, from))
	case from == FromGate && of.Status == StatusDone: // its end took the cleaned pages away
		return Run{}, impossible(fmt.Sprintf("the cleaned pages of run %s are no longer there; use --from %s", id, FromClean))
	case from == FromSnapshot && of.Status != StatusDone:
		return Run{}, impossible(fmt.Sprintf("run %s did not come to its end: use --from %s", id, FromGate))
	}
	return of, nil
}

// rerunsBack is how many runs back a rerun may go.
const rerunsBack = 100

// wroteAfter is the newest run after another one that wrote rows from the
// portal into the mirror, or may have; empty when there is none. A crawl that
// failed or that the gate refused wrote nothing.
func (r *Reader) wroteAfter(ctx context.Context, of Run) (string, error) {
	last, err := OrNone(r.LastCrawl(ctx))
	if err != nil {
		return "", err
	}
	repeats := last.Job == JobRerun && last.Of == of.ID
	if last.Started.After(of.Started) && !repeats {
		return last.ID, nil
	}
	newest, err := r.Runs(ctx, rerunsBack, time.Time{})
	if err != nil {
		return "", err
	}
	for _, run := range newest {
		if run.ID == of.ID {
			return "", nil
		}
		if (run.Job == JobRetry || run.Job == JobReload) && run.Status != StatusSkipped && (run.Certificate.Outcome == "" || run.Counts.Altered) {
			return run.ID, nil
		}
	}
	return "", impossible(fmt.Sprintf("run %s is more than %d runs old: start a new one", of.ID, rerunsBack))
}

// Proof is the run as a proof that the mirror equals the portal; of the zero Run
// none.
func (r *Run) Proof() certificate.Proof {
	return certificate.Proof{Run: r.ID, Spec: r.Spec, Started: r.Started, Finished: r.Finished, Version: r.Version, Shown: r.Crawl.Proof, PortalRows: r.Counts.PortalRows}
}

// Question is what the records say of the mirror, to be completed with the spec
// and with where the portal is. A backfill that is at work counts for nothing: it
// reloads what is proven.
func (r *Reader) Question(ctx context.Context) (certificate.Question, error) {
	green, err := OrNone(r.LastGreen(ctx))
	if err != nil {
		return certificate.Question{}, err
	}
	done, err := OrNone(r.LastDone(ctx))
	if err != nil {
		return certificate.Question{}, err
	}
	writers, err := r.Writers(ctx)
	if err != nil {
		return certificate.Question{}, err
	}
	proven, err := OrNone(r.NewestCertificate(ctx))
	if err != nil {
		return certificate.Question{}, err
	}
	q := certificate.Question{Green: green.Proof(), Mirrored: done.ID, Certified: proven.Spec}
	for _, run := range writers {
		if q.Writer == "" && (run.Job != JobReload || run.Status != StatusRunning) {
			q.Writer = run.ID
		}
	}
	if proven.Certificate.Outcome == certificate.Red {
		q.Red = fmt.Sprintf("%s (%s)", proven.ID, proven.Job.OrMirror())
	}
	return q, nil
}

// Decision is how a probe's decision is recorded.
func Decision(skip bool) string {
	if skip {
		return ProbeSkip
	}
	return "full"
}
