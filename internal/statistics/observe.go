package statistics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/certificate"
	"padron/internal/mongodb"
	"padron/internal/socrata"
)

// SnapshotInput says what a snapshot is of.
type SnapshotInput struct {
	AsOf    time.Time       // the date, in the dataset's time zone; its clock time is dropped
	Version socrata.Version // of the crawl
	Run     string
	Spec    string
	Outcome certificate.Outcome

	// Entry is the first day of observation in curves of survival: of the time
	// before, the dataset knows survivors only (dataset.Spec.SurvivorsBefore).
	// Zero when it has no such date.
	Entry time.Time
	Grid  *Grid // of the map; nil: no series of hexes
}

// partsAtOnce is how many series are written together: the largest, a curve's,
// has some 150 kB.
const partsAtOnce = 16

// TakeSnapshot counts the mirror as it is and stores the counts as an observed
// snapshot of the date. One that exists is never replaced: that of the same run
// is returned, and false; beside those of other runs of the date, the new one
// gets a number (…-observed-02). A run that is not green has an id of its own
// kind, so that it does not stand in the way of a green one. All counting is done
// by the server.
func (s *Store) TakeSnapshot(ctx context.Context, in SnapshotInput) (snap Snapshot, taken bool, err error) {
	began := time.Now()
	year, month, day := in.AsOf.Date()
	asOf := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	snap = Snapshot{
		ID: asOf.Format(time.DateOnly) + "-" + string(Observed), AsOf: asOf, Basis: Observed,
		Version: in.Version, Run: in.Run, Spec: in.Spec, Outcome: in.Outcome,
	}
	if in.Outcome != certificate.Green {
		snap.ID += "-" + string(in.Outcome)
	}
	for base, n := snap.ID, 2; ; n++ {
		existing, err := s.Snapshot(ctx, snap.ID)
		if errors.Is(err, ErrNoSnapshot) {
			break
		}
		if err != nil || existing.Run == in.Run {
			return existing, false, err
		}
		snap.ID = fmt.Sprintf("%s-%02d", base, n)
	}
	parts, counted, err := s.observe(ctx, &in, asOf)
	if err != nil {
		return Snapshot{}, false, fmt.Errorf("snapshot %s: %w", snap.ID, err)
	}
	snap.Totals, snap.Unclear = counted.totals, counted.unclear
	for batch := range slices.Chunk(parts, partsAtOnce) {
		models := make([]mongo.WriteModel, len(batch))
		for i, p := range batch {
			id := partID(snap.ID, p.name)
			models[i] = mongo.NewReplaceOneModel().SetFilter(mongodb.ByID(id)).SetReplacement(part{ID: id, Rows: p.rows}).SetUpsert(true)
			snap.Series = append(snap.Series, SeriesInfo{Name: p.name, Rows: p.size})
		}
		call, cancel := s.db.Call(ctx)
		_, err := s.db.Collection(mongodb.Snapshots).BulkWrite(call, models, options.BulkWrite().SetOrdered(false))
		cancel()
		if err != nil {
			return Snapshot{}, false, fmt.Errorf("series of snapshot %s: %w", snap.ID, err)
		}
	}
	snap.Created = time.Now().UTC().Truncate(time.Millisecond)
	snap.TookMS = time.Since(began).Milliseconds()
	call, cancel := s.db.Call(ctx)
	_, err = s.db.Collection(mongodb.Snapshots).InsertOne(call, snap)
	cancel()
	if mongo.IsDuplicateKeyError(err) {
		existing, err := s.Snapshot(ctx, snap.ID)
		return existing, false, err
	}
	if err != nil {
		return Snapshot{}, false, fmt.Errorf("snapshot %s: %w", snap.ID, err)
	}
	return snap, true, nil
}

// series is a series that is to be stored.
type series struct {
	name string
	size int // rows
	rows any
}

// observe counts the mirror and makes all series of the counts.
func (s *Store) observe(ctx context.Context, in *SnapshotInput, asOf time.Time) ([]series, *statistics, error) {
	spans := in.spans(asOf)
	c, err := s.count(ctx, spans)
	if err != nil {
		return nil, nil, err
	}
	cells := c.cells
	neighborhoods := rollUp(cells, func(c cell) string { return c.Neighborhood })
	sectors := rollUp(cells, func(c cell) string { return c.Sector })
	districts := rollUp(cells, func(c cell) District { return c.District })
	months, monthsBy, churn, ages, coverage := c.months(), c.monthsBy(spans), c.churn(spans), c.ages(spans), c.covered()
	all := []series{
		{SeriesNeighborhood, len(neighborhoods), named(neighborhoods)},
		{SeriesSector, len(sectors), named(sectors)},
		{SeriesDistrict, len(districts), byDistrict(districts)},
		{SeriesCells, len(cells), pack(cells)},
		{SeriesMonths, len(months), months},
		{SeriesMonthsBy, len(monthsBy.Neighborhoods) + len(monthsBy.Sectors), monthsBy},
		{SeriesChurn, len(churn.Neighborhoods) + len(churn.Sectors), churn},
		{SeriesAges, len(ages.Neighborhoods) + len(ages.Sectors), ages},
		{SeriesCoverage, len(coverage.Openings) + len(coverage.Closings), coverage},
	}
	if in.Grid != nil {
		hexes, err := c.hexMap(in.Grid)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, series{SeriesHexes, len(hexes.Cells), hexes})
	}
	survival, err := c.survival(spans)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(survival)) {
		of := survival[name]
		all = append(all, series{name, len(of.Curves), of})
	}
	return all, c, nil
}
