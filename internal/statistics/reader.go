package statistics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
)

// Reader reads snapshots, their series and profiles. It is safe for concurrent
// use.
type Reader struct{ db *mongodb.Database }

// NewReader reads the statistics of a dataset's database.
func NewReader(db *mongodb.Database) *Reader { return &Reader{db: db} }

// headersAtOnce is how many headers a listing reads at least when the first
// ones were not enough.
const headersAtOnce = 100

// Snapshots lists headers by as-of date, newest first, at most limit; of the
// bases given, or of all. Of one date and basis the green ones come first, of
// these the one that was taken last: it is what charts show of the date.
func (r *Reader) Snapshots(ctx context.Context, limit int, of ...Basis) ([]Snapshot, error) {
	list := r.byDate
	if len(of) > 0 && !slices.Contains(of, Observed) {
		list = func(ctx context.Context, limit int, _ []Basis) ([]Snapshot, error) {
			return r.reconstructed(ctx, limit)
		}
	}
	snaps, err := list(ctx, limit, of)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	slices.SortFunc(snaps, func(a, b Snapshot) int {
		return cmp.Or(b.AsOf.Compare(a.AsOf), cmp.Compare(a.Basis, b.Basis), cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Outcome, b.Outcome),
			// The ids of one date, basis and outcome differ in their number: the
			// first has none, and -10 is longer than -9.
			cmp.Compare(len(b.ID), len(a.ID)), cmp.Compare(b.ID, a.ID))
	})
	return snaps[:min(limit, len(snaps))], nil
}

// byDate reads headers of the bases given, or of all, until there are limit of
// them and all of the last one's date, or none are left. Those of other bases
// are read too: by _id there is no telling them apart, and there is one
// reconstructed at most among the observed of a month.
func (r *Reader) byDate(ctx context.Context, limit int, of []Basis) ([]Snapshot, error) {
	snaps := []Snapshot{}
	add := func(batch []Snapshot) {
		for _, s := range batch {
			if len(of) == 0 || slices.Contains(of, s.Basis) {
				snaps = append(snaps, s)
			}
		}
	}
	for below, want := aboveHeaders, limit; len(snaps) < limit; want = max(limit, headersAtOnce) {
		batch, err := r.headers(ctx, "", below, -1, want)
		if err != nil {
			return nil, err
		}
		if len(batch) == 0 {
			break
		}
		add(batch)
		below = batch[len(batch)-1].ID
		if len(snaps) >= limit {
			// The others of the last date: of one date the first by _id come
			// first, and the index gives the last.
			rest, err := r.headers(ctx, below[:min(len(below), len(time.DateOnly))], below, -1, 0)
			if err != nil {
				return nil, err
			}
			add(rest)
		}
	}
	return snaps, nil
}

// headers reads headers between two _ids, both exclusive, in order of _id (1)
// or against it (-1), at most limit (0: all).
func (r *Reader) headers(ctx context.Context, above, below string, order, limit int) ([]Snapshot, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Snapshots).Find(call,
		bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: above}, {Key: "$lt", Value: below}}}},
		options.Find().SetSort(bson.D{{Key: "_id", Value: order}}).SetLimit(int64(limit)).SetProjection(bson.D{{Key: "rows", Value: 0}}))
	if err != nil {
		return nil, err
	}
	var snaps []Snapshot
	err = cursor.All(call, &snaps)
	return snaps, err
}

// Snapshot reads a header by id; "latest" is the newest observed one.
// ErrNoSnapshot when there is none.
func (r *Reader) Snapshot(ctx context.Context, id string) (Snapshot, error) {
	if id == latest {
		snaps, err := r.Snapshots(ctx, 1, Observed)
		if err != nil {
			return Snapshot{}, err
		}
		if len(snaps) == 0 {
			return Snapshot{}, fmt.Errorf("%w: %s", ErrNoSnapshot, id)
		}
		return snaps[0], nil
	}
	call, cancel := r.db.Call(ctx)
	defer cancel()
	var snap Snapshot
	err := r.db.Collection(mongodb.Snapshots).FindOne(call, mongodb.ByID(id)).Decode(&snap)
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && snap.AsOf.IsZero() {
		return Snapshot{}, fmt.Errorf("%w: %s", ErrNoSnapshot, id)
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("read snapshot %s: %w", id, err)
	}
	return snap, nil
}

// Series reads a series of a snapshot ("latest" as in Snapshot) into the type
// that its name's constant is documented with.
func (r *Reader) Series(ctx context.Context, id, name string, into any) error {
	for again := true; ; again = false {
		snap, err := r.Snapshot(ctx, id)
		if err != nil {
			return err
		}
		if err := r.SeriesOf(ctx, &snap, name, into); !again || !errors.Is(err, ErrReplaced) {
			return err
		}
	}
}

// SeriesOf reads a series of the very snapshot that a header was read of, so
// that several series are of one and the same. ErrReplaced when it is no longer
// there.
func (r *Reader) SeriesOf(ctx context.Context, snap *Snapshot, name string, into any) error {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	raw, err := r.db.Collection(mongodb.Snapshots).FindOne(call, mongodb.ByID(snap.partID(name))).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		if snap.Has(name) && snap.Basis == Reconstructed {
			return fmt.Errorf("read series %s of snapshot %s: %w", name, snap.ID, ErrReplaced)
		}
		return fmt.Errorf("%w: %s has no series %q", ErrNoSnapshot, snap.ID, name)
	}
	if err == nil {
		err = raw.Lookup("rows").Unmarshal(into)
	}
	if err != nil {
		return fmt.Errorf("read series %s of snapshot %s: %w", name, snap.ID, err)
	}
	return nil
}

// reconstructedHeaders reads the headers of dates, in no order; those that are
// not there are left out.
func (r *Reader) reconstructedHeaders(ctx context.Context, dates []time.Time) ([]Snapshot, error) {
	ids := make([]string, len(dates))
	for i, d := range dates {
		ids[i] = reconstructedID(d)
	}
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Snapshots).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}})
	if err != nil {
		return nil, fmt.Errorf("read reconstructed snapshots: %w", err)
	}
	var snaps []Snapshot
	if err := cursor.All(call, &snaps); err != nil {
		return nil, fmt.Errorf("read reconstructed snapshots: %w", err)
	}
	return snaps, nil
}

// reconstructed lists the headers of reconstructed snapshots, newest first, at
// most limit. Their ids are known beforehand, one for each month, so they are
// asked for by id: between the oldest header of all and the newest.
func (r *Reader) reconstructed(ctx context.Context, limit int) ([]Snapshot, error) {
	newest, err := r.headers(ctx, "", aboveHeaders, -1, 1)
	if err != nil || len(newest) == 0 {
		return []Snapshot{}, err
	}
	oldest, err := r.headers(ctx, "", aboveHeaders, 1, 1)
	if err != nil || len(oldest) == 0 {
		return []Snapshot{}, err
	}
	snaps := []Snapshot{}
	year, month, _ := newest[0].AsOf.UTC().Date()
	next := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	for want := limit; len(snaps) < limit && !next.Before(oldest[0].AsOf); want = max(limit, headersAtOnce) {
		var dates []time.Time
		for ; len(dates) < want && !next.Before(oldest[0].AsOf); next = next.AddDate(0, -1, 0) {
			dates = append(dates, next)
		}
		batch, err := r.reconstructedHeaders(ctx, dates)
		if err != nil {
			return nil, err
		}
		snaps = append(snaps, batch...)
	}
	return snaps, nil
}
