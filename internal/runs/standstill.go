package runs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Publication is when the portal last published rows, as far as it says.
type Publication struct {
	At    time.Time     `json:"at,omitzero"` // zero: it does not say, or nobody has asked it
	Age   time.Duration `json:"age"`         // when looked at
	Limit time.Duration `json:"limit"`       // how old it may be (the spec's schedule.standstill)
}

// Published is a publication of that time, looked at now.
func Published(at time.Time, limit time.Duration) Publication {
	p := Publication{At: at, Limit: limit}
	if !at.IsZero() {
		p.Age = max(0, time.Since(at))
	}
	return p
}

// StandsStill says whether the portal has published nothing for too long. Its
// mirror is right all the same.
func (p Publication) StandsStill() bool { return p.Age > p.Limit }

// String is the publication in words.
func (p Publication) String() string {
	if p.At.IsZero() {
		return "the portal does not say when it last published rows"
	}
	text := "the portal last published rows at " + p.At.UTC().Format(time.RFC3339) + ", " + days(p.Age) + " ago"
	if p.StandsStill() {
		text += "; that may be " + days(p.Limit)
	}
	return text
}

// days shows a duration in whole days, a short one in hours.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 2*day {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d/day))
}

// LastPublication is the newest version of the portal that a run saw.
func (r *Reader) LastPublication(ctx context.Context, limit time.Duration) (Publication, error) {
	var newest time.Time
	for _, list := range []list{skippedRuns, doneRuns, crawledRuns} {
		run, err := r.newest(ctx, list)
		if err != nil && !errors.Is(err, ErrNoRun) {
			return Publication{}, err
		}
		for _, at := range []time.Time{run.Probe.Version.Time(), run.Crawl.Version.Time()} {
			if at.After(newest) {
				newest = at
			}
		}
	}
	return Published(newest, limit), nil
}
