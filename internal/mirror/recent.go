package mirror

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Place is a place in the list of all changes, newest run first. The zero Place
// is the beginning.
type Place struct {
	entry string // of allRuns, without the list's name; empty: the newest
	page  int    // of the run
	event int    // of the page
}

// String is what ParsePlace reads.
func (p Place) String() string {
	if p.entry == "" {
		return ""
	}
	return strconv.Itoa(p.page) + "." + strconv.Itoa(p.event) + "@" + p.entry
}

// ParsePlace reads a place; "" is the beginning.
func ParsePlace(s string) (Place, bool) {
	if s == "" {
		return Place{}, true
	}
	numbers, entry, ok := strings.Cut(s, "@")
	page, event, both := strings.Cut(numbers, ".")
	p := Place{entry: entry}
	var first, second error
	p.page, first = strconv.Atoi(page)
	p.event, second = strconv.Atoi(event)
	started, run, named := strings.Cut(entry, "/")
	if _, err := time.Parse("2006-01-02T15:04:05.000", started); err != nil || !named || run == "" {
		return Place{}, false
	}
	return p, ok && both && first == nil && second == nil && p.page >= 0 && p.event >= 0
}

// ChangesBack calls f with one change after another from a place on, newest run
// first, of the runs that started at the time given or later (zero: all), until
// f says that it has enough or some pages of events (at most 500 each) were
// read. Of one run, changes come as in EachChange: by part and key. next is the
// place to go on from; nil when there are no more.
func (m *Mirror) ChangesBack(ctx context.Context, since time.Time, from Place, pages int, f func(*Event) (enough bool)) (next *Place, err error) {
	above := string(allRuns) + "/"
	if !since.IsZero() {
		above = allRuns.entry(since, "")
	}
	below := string(allRuns) + "0"
	if from.entry != "" {
		// The place's own run is the first below this.
		below = string(allRuns) + "/" + from.entry + "!"
	}
	for {
		entries, err := m.entries(ctx, above, below, -1, runsAtOnce)
		if err != nil {
			return nil, fmt.Errorf("list changes: %w", err)
		}
		if len(entries) == 0 {
			return nil, nil
		}
		pagesOf, err := m.pagesOfRuns(ctx, entries)
		if err != nil {
			return nil, fmt.Errorf("list changes: %w", err)
		}
		for i, e := range entries {
			below = e.ID
			all := pagesOf[i]
			at := Place{entry: strings.TrimPrefix(e.ID, string(allRuns)+"/")}
			if at.entry == from.entry {
				at = from
			}
			for ; at.page < len(all); at.page, at.event = at.page+1, 0 {
				if pages == 0 {
					return &at, nil
				}
				pages--
				events, err := m.events(ctx, bson.D{{Key: "page", Value: all[at.page]}})
				if err == nil {
					events, err = m.happened(ctx, events)
				}
				if err != nil {
					return nil, fmt.Errorf("list changes of %s: %w", all[at.page], err)
				}
				for ; at.event < len(events); at.event++ {
					if f(&events[at.event]) {
						at.event++
						return &at, nil
					}
				}
			}
		}
	}
}
