package mirror

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/socrata"
)

// runsAtOnce is how many runs are looked at together for their pages of events.
const runsAtOnce = 100

// ChangesOf lists what happened to a row, oldest first: one range of _ids.
// What a crash left of a change that did not happen is left out.
func (m *Mirror) ChangesOf(ctx context.Context, key string) ([]Event, error) {
	events, err := m.events(ctx, eventsOf(key))
	if err != nil {
		return nil, fmt.Errorf("changes of %q: %w", key, err)
	}
	if events, err = m.happened(ctx, events); err != nil {
		return nil, fmt.Errorf("changes of %q: %w", key, err)
	}
	return events, nil
}

// EachChange calls f with the events of all runs that started at the time given
// or later: runs oldest first, then by pages, at most 500 events at a time,
// within a page by key and version. A run's pages follow its parts, which are
// ranges of keys. What a crash left of changes that did not happen is left out.
func (m *Mirror) EachChange(ctx context.Context, since time.Time, f func([]Event) error) error {
	for above := allRuns.entry(since, ""); ; {
		pages, last, err := m.changePages(ctx, above)
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		if last == "" {
			return nil
		}
		above = last
		for _, page := range pages {
			events, err := m.events(ctx, bson.D{{Key: "page", Value: page}})
			if err == nil {
				events, err = m.happened(ctx, events)
			}
			if err != nil {
				return fmt.Errorf("list changes of %s: %w", page, err)
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

// changePages names the pages of events of the next runs above an entry of
// allRuns, oldest first. last is the last entry, "" when there are no more.
func (m *Mirror) changePages(ctx context.Context, above string) (pages []string, last string, err error) {
	entries, err := m.entries(ctx, above, string(allRuns)+"0", 1, runsAtOnce)
	if err != nil || len(entries) == 0 {
		return nil, "", err
	}
	of, err := m.pagesOfRuns(ctx, entries)
	if err != nil {
		return nil, "", err
	}
	return slices.Concat(of...), entries[len(entries)-1].ID, nil
}

// pagesOfRuns names the pages of events of each entry of allRuns.
func (m *Mirror) pagesOfRuns(ctx context.Context, entries []listEntry) ([][]string, error) {
	runs, err := m.runsOf(ctx, entries, options.Find().SetProjection(bson.D{{Key: "started", Value: 1}, {Key: "change_pages", Value: 1}}))
	if err != nil {
		return nil, err
	}
	pages := make([][]string, len(entries))
	for i, e := range entries {
		run := runs[e.Run]
		if run == nil || allRuns.entry(run.Started, run.ID) != e.ID {
			continue
		}
		// Parts in the order of their numbers, then those with names.
		parts := slices.SortedFunc(maps.Keys(run.ChangePages), func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		for _, part := range parts {
			for n := range run.ChangePages[part] {
				pages[i] = append(pages[i], PageOfEvents(run.ID, part, n))
			}
		}
	}
	return pages, nil
}

// events reads events, by key and version.
func (m *Mirror) events(ctx context.Context, filter bson.D) ([]Event, error) {
	call, cancel := m.call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(Changes).Find(call, filter)
	if err != nil {
		return nil, err
	}
	events := []Event{}
	if err := cursor.All(call, &events); err != nil {
		return nil, err
	}
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Version, b.Version))
	})
	return events, nil
}

// happened leaves out the events above their rows' versions.
func (m *Mirror) happened(ctx context.Context, events []Event) ([]Event, error) {
	var keys []string
	for i := range events {
		if i == 0 || events[i-1].Key != events[i].Key {
			keys = append(keys, events[i].Key)
		}
	}
	versions := make(map[string]int32, len(keys))
	err := m.eachOfKeys(ctx, keys, bson.D{{Key: "lineage.version", Value: 1}}, func(key string, doc bson.Raw) {
		versions[key], _ = doc.Lookup("lineage", "version").Int32OK()
	})
	return slices.DeleteFunc(events, func(e Event) bool { return e.Version > versions[e.Key] }), err
}

// Documents reads the documents of keys: as they are in businesses, else as
// they were when removed. Keys that are in neither are left out.
func (m *Mirror) Documents(ctx context.Context, keys []string) (map[string]bson.Raw, error) {
	docs := make(map[string]bson.Raw, len(keys))
	err := m.eachOfKeys(ctx, keys, nil, func(key string, doc bson.Raw) { docs[key] = slices.Clone(doc) })
	if err != nil {
		return nil, fmt.Errorf("read %d documents: %w", len(keys), err)
	}
	return docs, nil
}

// eachOfKeys visits what businesses has of the keys, and then what removed has
// of the others. Of projection nil, whole documents.
func (m *Mirror) eachOfKeys(ctx context.Context, keys []string, projection bson.D, visit func(key string, doc bson.Raw)) error {
	for batch := range slices.Chunk(keys, keyBatch) {
		rest := make(map[string]bool, len(batch))
		for _, key := range batch {
			rest[key] = true
		}
		for _, collection := range []string{Businesses, Removed} {
			if len(rest) == 0 {
				break
			}
			opts := options.Find()
			if projection != nil {
				opts.SetProjection(projection)
			}
			err := m.eachDocument(ctx, collection, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: slices.Sorted(maps.Keys(rest))}}}}, opts,
				func(doc bson.Raw) error {
					key := text(doc, "_id")
					delete(rest, key)
					visit(key, doc)
					return nil
				})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// eventsOf matches the events of a key. Embedded documents are compared field by
// field in their order, so the key decides, and then the version: a range of
// _ids.
func eventsOf(key string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gt", Value: bson.D{{Key: "key", Value: key}, {Key: "version", Value: bson.MinKey{}}}},
		{Key: "$lt", Value: bson.D{{Key: "key", Value: key}, {Key: "version", Value: bson.MaxKey{}}}},
	}}}
}

// eventsWithin matches the events of the keys of a range.
func eventsWithin(r socrata.Range) bson.D {
	bounds := bson.D{{Key: "$gt", Value: bson.D{{Key: "key", Value: r.After}, {Key: "version", Value: bson.MaxKey{}}}}}
	if r.UpTo != "" {
		bounds = append(bounds, bson.E{Key: "$lt", Value: bson.D{{Key: "key", Value: r.UpTo}, {Key: "version", Value: bson.MaxKey{}}}})
	}
	return bson.D{{Key: "_id", Value: bounds}}
}
