package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/mongodb"
	"padron/internal/runs"
)

// runsAtOnce is how many runs are looked at together for their pages of events.
const runsAtOnce = 100

// ChangesOf lists what happened to a row, oldest first: one range of _ids.
// Events of changes that a crash prevented are left out.
func (r *Reader) ChangesOf(ctx context.Context, key string) ([]changes.Event, error) {
	events, err := r.events(ctx, eventsOf(key))
	if err != nil {
		return nil, fmt.Errorf("changes of %q: %w", key, err)
	}
	if events, err = r.happened(ctx, events); err != nil {
		return nil, fmt.Errorf("changes of %q: %w", key, err)
	}
	return events, nil
}

// EachChange calls f with the events of all runs that started at the time given
// or later, at most 500 at a time: runs oldest first, the pages of a run in the
// order of its parts (ranges of keys), the events of a page by key and version.
// Events of changes that a crash prevented are left out.
func (r *Reader) EachChange(ctx context.Context, since time.Time, f func([]changes.Event) error) error {
	for after := runs.PlaceAt(since); ; {
		entries, err := r.Runs.ChangePagesBetween(ctx, after, "", false, runsAtOnce)
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		if len(entries) == 0 {
			return nil
		}
		for _, e := range entries {
			after = e.Place
			for _, page := range e.Pages {
				events, err := r.page(ctx, page)
				if err != nil {
					return err
				}
				if len(events) == 0 {
					continue
				}
				if err := f(events); err != nil {
					return err
				}
			}
		}
	}
}

// page reads the events of a page that happened, by key and version.
func (r *Reader) page(ctx context.Context, page string) ([]changes.Event, error) {
	events, err := r.events(ctx, bson.D{{Key: "page", Value: page}})
	if err == nil {
		events, err = r.happened(ctx, events)
	}
	if err != nil {
		return nil, fmt.Errorf("list changes of %s: %w", page, err)
	}
	return events, nil
}

// events reads events, by key and version.
func (r *Reader) events(ctx context.Context, filter bson.D) ([]changes.Event, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Changes).Find(call, filter)
	if err != nil {
		return nil, err
	}
	events := []changes.Event{}
	if err := cursor.All(call, &events); err != nil {
		return nil, err
	}
	slices.SortFunc(events, func(a, b changes.Event) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Version, b.Version))
	})
	return events, nil
}

// happened leaves out the events above their rows' versions.
func (r *Reader) happened(ctx context.Context, events []changes.Event) ([]changes.Event, error) {
	var keys []string
	for i := range events {
		if i == 0 || events[i-1].Key != events[i].Key {
			keys = append(keys, events[i].Key)
		}
	}
	versions := make(map[string]int32, len(keys))
	err := r.eachOfKeys(ctx, keys, bson.D{{Key: "lineage.version", Value: 1}}, func(key string, doc bson.Raw) {
		versions[key], _ = doc.Lookup("lineage", "version").Int32OK()
	})
	return slices.DeleteFunc(events, func(e changes.Event) bool { return e.Version > versions[e.Key] }), err
}

// eventsOf matches the events of a key. Embedded documents are compared field
// by field in their order, so the key decides, and then the version: a range of
// _ids.
func eventsOf(key string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gt", Value: bson.D{{Key: "key", Value: key}, {Key: "version", Value: bson.MinKey{}}}},
		{Key: "$lt", Value: bson.D{{Key: "key", Value: key}, {Key: "version", Value: bson.MaxKey{}}}},
	}}}
}

// Place is a place in the list of all changes, newest run first. The zero Place
// is the beginning.
type Place struct {
	entry string // of the run, see runs.ChangePages; empty: the newest
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
func (r *Reader) ChangesBack(ctx context.Context, since time.Time, from Place, pages int, f func(*changes.Event) (enough bool)) (next *Place, err error) {
	after, before := "", ""
	if !since.IsZero() {
		after = runs.PlaceAt(since)
	}
	if from.entry != "" {
		before = from.entry + "!" // the place's own run is the first below this
	}
	for {
		entries, err := r.Runs.ChangePagesBetween(ctx, after, before, true, runsAtOnce)
		if err != nil {
			return nil, fmt.Errorf("list changes: %w", err)
		}
		if len(entries) == 0 {
			return nil, nil
		}
		for _, e := range entries {
			before = e.Place
			at := Place{entry: e.Place}
			if at.entry == from.entry {
				at = from
			}
			for ; at.page < len(e.Pages); at.page, at.event = at.page+1, 0 {
				if pages == 0 {
					return &at, nil
				}
				pages--
				events, err := r.page(ctx, e.Pages[at.page])
				if err != nil {
					return nil, err
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
