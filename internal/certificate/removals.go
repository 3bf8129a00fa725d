package certificate

import (
	"fmt"

	"github.com/dustin/go-humanize"
)

// Removals is what is known when a run decides what becomes of the documents that
// its crawl lacks.
type Removals struct {
	Run       string
	Missing   int   // documents that the crawl lacks
	Documents int64 // in the mirror
	// Percent and Rows are the spec's max_removals: one run may remove so many
	// percent of the documents or so many rows, whichever is more.
	Percent float64
	Rows    int

	Approved   bool // somebody approved them
	Rerun      bool // the crawl is an old one
	Consistent bool // the crawl is of one version of the portal
}

// Decide says whether the portal is to be asked for the missing documents, to
// remove those that it denies. When it is not, held says whether they wait for
// approval, and why is the reason.
func (r *Removals) Decide() (confirm, held bool, why string) {
	limit := max(int(float64(r.Documents)*r.Percent/100), r.Rows)
	switch {
	case r.Missing == 0:
		return false, false, ""
	case r.Approved:
		return true, false, ""
	case r.Rerun:
		return false, false, "a rerun removes nothing: the next run does"
	case !r.Consistent:
		return false, false, "nothing is removed after a crawl that is torn, or that nothing shows to be of one version"
	case r.Missing > limit:
		return false, true, fmt.Sprintf("more than the %s that one run may remove; `starter approve %s` removes them", humanize.Comma(int64(limit)), r.Run)
	}
	return true, false, ""
}
