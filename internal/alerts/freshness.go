package alerts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"padron/internal/runs"
)

// Freshness is how old the last proof that a mirror equals its portal is.
type Freshness struct {
	Run   string        `json:"run,omitempty"` // that proved it; empty: none has
	Since time.Time     `json:"since"`         // when that run began; without one, when the database was made
	Age   time.Duration `json:"age"`
	Limit time.Duration `json:"limit"`
}

// ReadFreshness reads a mirror's freshness. Without a proof it is as old as its
// database, which created tells.
func ReadFreshness(ctx context.Context, r *runs.Reader, created func(context.Context) (time.Time, error), limit time.Duration) (Freshness, error) {
	f := Freshness{Limit: limit}
	proof, err := runs.OrNone(r.LastProof(ctx))
	if err != nil {
		return f, err
	}
	f.Run, f.Since = proof.ID, proof.Started
	if f.Run == "" {
		if f.Since, err = created(ctx); err != nil {
			return f, err
		}
	}
	f.Age = time.Since(f.Since)
	return f, nil
}

// clocksDiffer is how far ahead of our clock a proof may be dated.
const clocksDiffer = 5 * time.Minute

// Future says that the proof is dated in the future: a clock was wrong, and how
// old it is, nobody knows.
func (f Freshness) Future() bool { return f.Age < -clocksDiffer }

// Stale says whether the proof is too old, or may be.
func (f Freshness) Stale() bool { return f.Age > f.Limit || f.Future() }

// String is the freshness in words.
func (f Freshness) String() string {
	if f.Run == "" {
		return fmt.Sprintf("no run has proved yet that the mirror equals the portal, %s after it was begun; that may take %s", Short(f.Age), Short(f.Limit))
	}
	if f.Future() {
		return fmt.Sprintf("run %s, which proved that the mirror equals the portal, is dated %s ahead of this machine's clock: "+
			"its age is not known; set the clocks right, the next run dates it anew", f.Run, Short(-f.Age))
	}
	return fmt.Sprintf("run %s proved %s ago that the mirror equals the portal; that may be %s old", f.Run, Short(f.Age), Short(f.Limit))
}

// Short shows a duration to the minute, below that to the second.
func Short(d time.Duration) string {
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

// Fresh records whether the mirror is stale, found so by a check of that name.
func (s *Store) Fresh(ctx context.Context, f Freshness, check string) error {
	about := Alert{ID: ConditionStale, Cause: "stale", Run: check, Reason: f.String()}
	if !f.Stale() {
		_, err := s.Clear(ctx, about, false)
		return err
	}
	about.Next = "`starter status` shows the runs, `starter schedule list` the schedule, `starter doctor` what is wrong; `starter run --wait` makes a run"
	_, err := s.Raise(ctx, about)
	return err
}

// Published records whether the portal stands still, found so by a run or a check
// of that name.
func (s *Store) Published(ctx context.Context, p runs.Publication, by string) error {
	about := Alert{ID: ConditionStandstill, Cause: "standstill", Run: by, Reason: p.String()}
	if !p.StandsStill() {
		_, err := s.Clear(ctx, about, false)
		return err
	}
	about.Next = "the mirror is what the portal has: ask the publisher; where this is its pace, raise schedule.standstill in the spec"
	_, err := s.Raise(ctx, about)
	return err
}
