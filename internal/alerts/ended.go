package alerts

import (
	"context"
	"slices"

	"padron/internal/runs"
)

// RunEnded brings the conditions up to date at the end of a run, and reports
// whether a message is due. It costs two reads when nothing is wrong.
func (s *Store) RunEnded(ctx context.Context, records *runs.Reader, e Ending) (due bool, err error) {
	if e.Record, err = runs.OrNone(records.Run(ctx, e.Run)); err != nil {
		return false, err
	}
	known, err := s.All(ctx)
	if err != nil {
		return false, err
	}
	e.open = map[Condition]bool{}
	for _, a := range known {
		e.open[a.ID] = a.Open
	}
	if e.skipped() && e.open[ConditionSchema] {
		// Nothing has changed since the last green run: its warnings still hold.
		green, err := runs.OrNone(records.LastGreen(ctx))
		if err != nil {
			return false, err
		}
		e.Record.Warnings = green.Warnings
	}
	e.judge()
	for _, found := range e.found {
		if _, err := s.Raise(ctx, found); err != nil {
			return false, err
		}
	}
	for condition, quiet := range e.past {
		if !e.open[condition] {
			continue
		}
		past := e.about(condition)
		past.Reason = e.says()
		if _, err := s.Clear(ctx, past, quiet); err != nil {
			return false, err
		}
	}
	if len(e.found) == 0 && !slices.ContainsFunc(known, func(a Alert) bool { return a.Open || a.Due() }) {
		return false, nil
	}
	return s.Due(ctx)
}

// Unrecorded is the alert of a failed run whose end could not be recorded.
func (e Ending) Unrecorded() Alert {
	e.Status = runs.StatusFailed
	e.judge()
	return e.found[0]
}

// Due reports whether a message is due.
func (r *Reader) Due(ctx context.Context) (bool, error) {
	known, err := r.All(ctx)
	return slices.ContainsFunc(known, func(a Alert) bool { return a.Due() }), err
}
