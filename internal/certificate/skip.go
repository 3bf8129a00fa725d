package certificate

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"padron/internal/socrata"
)

const (
	// fullCrawlAtLeast is how old the last full crawl may be for a run to be
	// skipped: a portal that lost a change of version is found within a week.
	fullCrawlAtLeast = 7 * 24 * time.Hour

	// settledAfter is how old a version must have been when its crawl began, both
	// times by the portal's clock: a worker's may be minutes off.
	// Versions have a resolution of one second, and an edit within the same second
	// leaves the version as it is; a portal's copies agree within a minute.
	settledAfter = time.Minute
)

// Proof is a run that proved that the mirror equals the portal; the zero Proof is
// none.
type Proof struct {
	Run        string
	Spec       string // digest of spec and rules
	Started    time.Time
	Finished   time.Time
	Version    socrata.Version
	Shown      VersionProof // what showed that its crawl was of that version; empty: its record does not say
	PortalRows int64
}

// read is when the version was read: by the clock that made it, or, where the
// portal did not tell its time, by ours.
func (p *Proof) read() time.Time {
	if at := p.Version.Answered; !at.IsZero() {
		return at
	}
	return p.Started
}

// Question is what a probe found out before it decides whether to crawl.
type Question struct {
	Full    bool            // a full crawl was asked for
	Started time.Time       // of the run that asks
	Spec    string          // digest of its spec and rules
	Version socrata.Version // with the metadata's time, where the answer itself says too little (Versions.Stated)
	Rows    int64           // of the portal
	Green   Proof           // the last green run that mirrored
	// Mirrored is the newest run that mirrored to its end, Certified the spec of
	// the newest run with a certificate; empty: there is none.
	Mirrored  string
	Certified string
	// Writer names a run that wrote rows and did not come to its end.
	Writer string
	// Red names the newest run with a certificate, and its job, when that is red.
	Red string
}

// Stands decides whether the mirror is as the last green run proved it, wherever
// the portal is by now, and why not: under the same spec, and no run has written
// since that proved nothing or did not come to its end.
func (q *Question) Stands() (stands bool, why string) {
	green := q.Green
	switch {
	case green.Run == "":
		return false, "there is no green run yet"
	case q.Red != "":
		return false, fmt.Sprintf("run %s found that the mirror is not right", q.Red)
	case q.Writer != "":
		return false, fmt.Sprintf("run %s wrote and did not finish: the mirror may be written by half", q.Writer)
	case q.Mirrored != green.Run:
		return false, fmt.Sprintf("run %s wrote since and proved nothing", q.Mirrored)
	case green.Spec != q.Spec:
		return false, "the spec changed since run " + green.Run
	case q.Certified != "" && q.Certified != q.Spec:
		return false, "rows were written by another spec since run " + green.Run
	}
	return true, ""
}

// Skip decides whether a run has nothing to do, and why or why not. Skipping
// needs proof: the mirror stands as the last green run left it (Stands), the
// portal is at the very version of that run, with as many rows, and the last full
// crawl is at most a week old.
func (q *Question) Skip() (skip bool, why string) {
	green, now := q.Green, q.Version
	proof, unproven, _ := (&Versions{First: now, After: now.Updated}).Proof()
	stands, why := q.Stands()
	switch {
	case q.Full:
		return false, "a full crawl was asked for"
	case !stands:
		return false, why
	case q.Started.Sub(green.Finished) > fullCrawlAtLeast:
		return false, fmt.Sprintf("the last full crawl, %s, is more than 7 days old", green.Run)
	case green.Shown == "":
		return false, "the record of run " + green.Run + " does not say what shows that its crawl was of one version"
	case proof == "":
		return false, unproven
	case !now.Time().Equal(green.Version.Time()) || proof == ByMetadata && !now.Updated.Equal(green.Version.Updated):
		return false, fmt.Sprintf("the portal was updated at %s, after run %s", stamp(now.Time()), green.Run)
	case green.read().Sub(green.Version.Time()) < settledAfter:
		return false, fmt.Sprintf("run %s read a version that was less than a minute old and may have changed since", green.Run)
	case q.Rows != green.PortalRows:
		return false, fmt.Sprintf("the portal has %s rows, run %s saw %s", humanize.Comma(q.Rows), green.Run, humanize.Comma(green.PortalRows))
	}
	return true, fmt.Sprintf("nothing new: the portal is at the version of %s that run %s mirrored", stamp(green.Version.Time()), green.Run)
}
