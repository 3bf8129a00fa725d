package statistics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
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
	// Documents is the digest of the mirror's documents; empty: it is not known.
	Documents string

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
// by the server; of documents that were counted already, with the same digest and
// in the same month, the counts are taken over.
func (s *Store) TakeSnapshot(ctx context.Context, in SnapshotInput) (snap Snapshot, taken bool, err error) {
	began := time.Now()
	year, month, day := in.AsOf.Date()
	asOf := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	snap = Snapshot{
		ID: asOf.Format(time.DateOnly) + "-" + string(Observed), AsOf: asOf, Basis: Observed,
		Version: in.Version, Run: in.Run, Spec: in.Spec, Outcome: in.Outcome,
		Documents: in.Documents, Counts: countsVersion,
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
	parts, err := s.seriesFor(ctx, &in, &snap)
	if err != nil {
		return Snapshot{}, false, fmt.Errorf("snapshot %s: %w", snap.ID, err)
	}
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

// seriesFor makes the series of a snapshot and sets its totals: those of the newest
// one where it is of the same documents, else by counting.
func (s *Store) seriesFor(ctx context.Context, in *SnapshotInput, snap *Snapshot) ([]series, error) {
	last, err := s.Snapshots(ctx, 1, Observed)
	if err != nil {
		return nil, err
	}
	if len(last) > 0 && last[0].sameCounts(snap) {
		snap.Totals, snap.Unclear = last[0].Totals, last[0].Unclear
		return s.copies(ctx, &last[0])
	}
	parts, counted, err := s.observe(ctx, in, snap.AsOf)
	if err != nil {
		return nil, err
	}
	snap.Totals, snap.Unclear = counted.totals, counted.unclear
	return parts, nil
}

// sameCounts reports whether a snapshot to be taken has the counts of this one:
// those of a snapshot depend on the documents, on the spec and on the month.
func (s *Snapshot) sameCounts(next *Snapshot) bool {
	return s.Documents != "" && s.Documents == next.Documents && s.Spec == next.Spec && s.Counts == next.Counts &&
		s.AsOf.UTC().Format(monthLayout) == next.AsOf.UTC().Format(monthLayout)
}

// copies reads the series of a snapshot as they are stored.
func (s *Store) copies(ctx context.Context, of *Snapshot) ([]series, error) {
	all := make([]series, len(of.Series))
	for i, info := range of.Series {
		var rows bson.RawValue
		if err := s.SeriesOf(ctx, of, info.Name, &rows); err != nil {
			return nil, err
		}
		all[i] = series{info.Name, info.Rows, rows}
	}
	return all, nil
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
