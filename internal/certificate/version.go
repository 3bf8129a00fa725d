package certificate

import (
	"fmt"
	"slices"
	"time"

	"padron/internal/socrata"
)

// VersionProof is what shows that answers are of one version of the portal, the
// master's. Portals say more or less of it.
type VersionProof string

// The kinds of proof, the strongest first.
const (
	ByTruth     VersionProof = "truth"       // every answer states the master's version, and is of it
	ByStatement VersionProof = "out_of_date" // every answer is of one version, and states that it is not out of date
	ByMetadata  VersionProof = "metadata"    // the metadata say the same time of the last update before and after
)

// String says it in words.
func (p VersionProof) String() string {
	switch p {
	case ByTruth:
		return "every answer states the master's version, and has it"
	case ByStatement:
		return "every answer is of one version, and states that it is not out of date"
	case ByMetadata:
		return "the metadata say the same time of the last update before and after"
	}
	return "nothing shows it"
}

// copyLags is how much older than the update that the metadata tell of a copy may
// say that it is: the two are not of one clock.
const copyLags = time.Minute

// Versions are those of the answers that are to be of one version.
type Versions struct {
	First  socrata.Version   // with the metadata's time before, as far as it was asked for
	Others []socrata.Version // of answers after it
	After  time.Time         // the metadata's time after them; zero: not asked for
}

// Stated reports whether the answers themselves say enough, so that the metadata
// need not be asked.
func (v *Versions) Stated() bool {
	for _, a := range v.all() {
		if a.Served.IsZero() || a.Truth.IsZero() && !a.UpToDate && !a.OutOfDate {
			return false
		}
	}
	return true
}

func (v *Versions) all() []socrata.Version {
	return slices.Concat([]socrata.Version{v.First}, v.Others)
}

// Proof says what shows that the answers are of one version, the master's. When
// nothing does it is empty and why is the reason; again says that other answers
// may show it, which they cannot where the portal says nothing at all.
func (v *Versions) Proof() (proof VersionProof, why string, again bool) {
	truths, statements := true, true
	for _, a := range v.all() {
		switch {
		case !a.Served.Equal(v.First.Served):
			return "", fmt.Sprintf("the portal moved from %s to %s during the crawl", stamp(v.First.Served), stamp(a.Served)), true
		case !a.Truth.IsZero() && !a.Truth.Equal(a.Served):
			return "", fmt.Sprintf("the portal lags: it served its copy of %s while its master was at %s", stamp(a.Served), stamp(a.Truth)), true
		case a.OutOfDate:
			return "", fmt.Sprintf("the portal lags: it served its copy of %s and says that this is out of date", stamp(a.Served)), true
		}
		truths = truths && !a.Truth.IsZero()
		statements = statements && a.UpToDate
	}
	before, served := v.First.Updated, v.First.Served
	switch {
	case truths:
		return ByTruth, "", false
	case statements && !served.IsZero():
		return ByStatement, "", false
	case before.IsZero() || v.After.IsZero():
		return "", "the portal does not say which version it serves, nor when its rows were last updated", false
	case !before.Equal(v.After):
		return "", fmt.Sprintf("the portal was updated at %s, during the crawl", stamp(v.After)), true
	case !served.IsZero() && served.Before(before.Add(-copyLags)):
		return "", fmt.Sprintf("the portal lags: it served its copy of %s while its rows were updated at %s", stamp(served), stamp(before)), true
	}
	return ByMetadata, "", false
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "a time that it does not tell"
	}
	return t.UTC().Format(time.RFC3339)
}

// Lags reports whether an answer may be older than answers of another version: it
// says that it is out of date, or is of an earlier one, or no longer says what
// those said.
func Lags(v, than socrata.Version) bool {
	switch {
	case v.OutOfDate, !v.Truth.IsZero() && !v.Truth.Equal(v.Served):
		return true
	case v.Truth.IsZero() && !than.Truth.IsZero(), v.Served.IsZero() && !than.Served.IsZero():
		return true
	}
	return v.Served.Before(than.Served)
}

// Moved says when the portal was updated after a version; zero: it was not, as far
// as the answer says.
func Moved(now, since socrata.Version) time.Time {
	var newest time.Time
	for _, t := range []time.Time{now.Truth, now.Served} {
		if t.After(since.Served) && t.After(newest) && !since.Served.IsZero() {
			newest = t
		}
	}
	if now.Updated.After(since.Updated) && now.Updated.After(newest) && !since.Updated.IsZero() {
		newest = now.Updated
	}
	return newest
}
