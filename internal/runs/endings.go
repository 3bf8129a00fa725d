package runs

import (
	"context"
	"fmt"
	"time"

	"padron/internal/certificate"
)

// Ending is how a run ended: the outcome of one that is done, the status of any
// other.
type Ending string

// Endings lists all of them, outcomes first.
func Endings() []Ending {
	return []Ending{
		Ending(certificate.Green), Ending(certificate.Red), Ending(certificate.Unproven), Ending(certificate.Behind),
		Ending(StatusSkipped), Ending(StatusFailed), Ending(StatusCancelled),
	}
}

// Ending says how the run ended; empty while it runs.
func (r *Run) Ending() Ending {
	switch r.Status {
	case StatusDone:
		return Ending(r.Outcome)
	case StatusRunning:
		return ""
	default:
		return Ending(r.Status)
	}
}

// RunsSince lists the runs, of any job, that started at the time given or later
// (zero: all) and ended so (empty: all, running ones included), newest first,
// at most limit. It reads no more runs than it returns, save those whose record
// was written halfway when something crashed.
func (r *Reader) RunsSince(ctx context.Context, ending Ending, since time.Time, limit int) ([]Run, error) {
	list := allRuns
	if ending != "" {
		list = endedSo(ending)
	}
	above, below := string(list)+"/", string(list)+"0"
	if !since.IsZero() {
		above = list.entry(since, "")
	}
	runs := []Run{}
	for len(runs) < limit {
		listed, last, err := r.listedWithin(ctx, list, above, below, limit-len(runs))
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		if last == "" {
			break
		}
		runs, below = append(runs, listed...), last
	}
	return runs, nil
}

// endedSo is the list of the runs that ended so.
func endedSo(ending Ending) list { return endedRuns + list(ending) }
