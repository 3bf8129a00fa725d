package backfill

import "padron/internal/runs"

// Reload says which windows a backfill reloads. Unless it is ReloadAlways, those
// that the mirror proves are not reloaded: when it equals the portal, they cannot
// change anything.
type Reload string

// What a backfill reloads.
const (
	ReloadNew    Reload = "new"    // windows that none has tried
	ReloadNeeded Reload = "needed" // these, and windows that failed
	ReloadAlways Reload = "always" // every window, whatever is proven
)

// Reloads lists the choices.
func Reloads() []Reload { return []Reload{ReloadNew, ReloadNeeded, ReloadAlways} }

// ID is the _id of a window's record, of a backfill on the lifecycle or a column.
func (w Window) ID(on string) string { return runs.WindowID(on, string(w.Since), string(w.Until)) }

// Planned is a window of a backfill, and what became of it before.
type Planned struct {
	Window
	Before runs.Window // zero: none has tried it
	Reload bool        // it is to be reloaded
}

// Plan decides which windows are to be reloaded. Stored are the records of earlier
// backfills, by their _ids.
func Plan(windows []Window, on string, stored map[string]runs.Window, which Reload) []Planned {
	planned := make([]Planned, len(windows))
	for i, w := range windows {
		before, tried := stored[w.ID(on)]
		reload := !tried || which == ReloadAlways || which == ReloadNeeded && !before.Settled()
		planned[i] = Planned{Window: w, Before: before, Reload: reload}
	}
	return planned
}

// AsOf lists the days as of which snapshots are reconstructed: the ends of the
// windows that are first days of a month, as far as the mirror has seen them. A
// snapshot as of a later day would be a guess.
func AsOf(windows []Window, seen Day) []Day {
	var days []Day
	for _, w := range windows {
		if w.Until.Time().Day() == 1 && w.Until <= seen {
			days = append(days, w.Until)
		}
	}
	return days
}
