package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/changes"
	"padron/internal/mongodb"
)

// ChangePages names the pages of change events of one run.
type ChangePages struct {
	Place string   // the run's place among all runs by time: <started>/<run>
	Pages []string // in the order of the run's parts
}

// PlaceAt is below the places of all runs that started at a time or later.
func PlaceAt(t time.Time) string {
	return strings.TrimPrefix(allRuns.entry(t, ""), string(allRuns)+"/")
}

// ChangePagesBetween lists the pages of change events of the runs whose places
// lie between two others, both exclusive (empty: no bound), oldest or newest
// first, of at most limit runs. A run without pages is listed too, so that the
// next call can go on from its place; an empty list says that there are no more
// runs.
func (r *Reader) ChangePagesBetween(ctx context.Context, after, before string, newestFirst bool, limit int) ([]ChangePages, error) {
	above, below, direction := string(allRuns)+"/"+after, string(allRuns)+"0", 1
	if before != "" {
		below = string(allRuns) + "/" + before
	}
	if newestFirst {
		direction = -1
	}
	entries, err := r.entries(ctx, above, below, direction, limit)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	runs, err := r.runsOf(ctx, entries, options.Find().SetProjection(bson.D{{Key: "started", Value: 1}, {Key: "change_pages", Value: 1}}))
	if err != nil {
		return nil, err
	}
	all := make([]ChangePages, len(entries))
	for i, e := range entries {
		all[i].Place = strings.TrimPrefix(e.ID, string(allRuns)+"/")
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
				all[i].Pages = append(all[i].Pages, changes.PageName(run.ID, part, n))
			}
		}
	}
	return all, nil
}

// ChangePageCount is how many pages of change events one part of a run has
// according to the run's record. ErrNoRun when there is no record.
func (r *Reader) ChangePageCount(ctx context.Context, run, part string) (int, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	raw, err := r.db.Collection(mongodb.Runs).FindOne(call, mongodb.ByID(run),
		options.FindOne().SetProjection(bson.D{{Key: "change_pages." + part, Value: 1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, fmt.Errorf("%w: %s", ErrNoRun, run)
	}
	if err != nil {
		return 0, fmt.Errorf("read change pages of run %s: %w", run, err)
	}
	pages, _ := raw.Lookup("change_pages", part).AsInt64OK()
	return int(pages), nil
}

// NoteChangePages records that a part of a run has at least so many pages of
// change events.
func (s *Store) NoteChangePages(ctx context.Context, run, part string, pages int) error {
	call, cancel := s.db.Call(ctx)
	defer cancel()
	_, err := s.db.Collection(mongodb.Runs).UpdateOne(call, mongodb.ByID(run),
		bson.D{{Key: "$max", Value: bson.D{{Key: "change_pages." + part, Value: int32(pages)}}}})
	if err != nil {
		return fmt.Errorf("record change pages of run %s: %w", run, err)
	}
	return nil
}
