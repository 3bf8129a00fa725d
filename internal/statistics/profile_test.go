package statistics

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/profile"
	"padron/internal/socrata"
)

// TestAProfileStandsBesideItsSnapshot: with how dimensions depend on each other
// by the snapshot's own counts, which equal brute force.
func TestAProfileStandsBesideItsSnapshot(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	cleaner := mirrortest.SanFrancisco(t)
	neighborhoods, codes := []string{"", "Mission", "Presidio"}, []string{"", "722511", "541110"}
	records := make([]landing.Record, 60)
	for i := range records {
		key := fmt.Sprintf("%07d-01-001", i)
		row := map[string]any{"ttxid": key, "certificate_number": key, "location_start_date": "2001-02-03T00:00:00.000"}
		for column, v := range map[string]string{
			"neighborhoods_analysis_boundaries": neighborhoods[i%3], "self_reported_naics_code": codes[i/7%3],
		} {
			if v != "" {
				row[column] = v
			}
		}
		records[i] = mirrortest.Cleaned(t, cleaner, row)
	}
	mirrortest.Load(ctx, t, store.db, landingtest.Directory(t), records)
	snap, _, err := store.TakeSnapshot(ctx, SnapshotInput{AsOf: mongodbtest.Day(1), Run: "r1", Outcome: certificate.Green})
	require.NoError(t, err)
	_, err = store.DataProfile(ctx, latest)
	require.ErrorIs(t, err, ErrNoSnapshot, "none yet")
	_, err = store.LastProfile(ctx)
	require.ErrorIs(t, err, ErrNoSnapshot)

	distinct := int64(7)
	columns := Columns{
		Description: profile.Description{Rows: 60, HomeState: "CA", Fields: []profile.Field{{
			Path: "dba_name", Distinct: &distinct, DistinctError: 0.03, TopError: 2,
			Top: []profile.Counted{{Value: "Shop", Rows: 3}}, Histogram: []profile.Counted{},
		}}, Flags: []profile.Counted{}, OutsideHome: []profile.Counted{}},
		Run: "r1", Version: socrata.Version{Served: mongodbtest.Day(1)}, Made: mongodbtest.Day(1), Spec: "s", Sketch: 1, Digest: "d",
	}
	require.NoError(t, store.StoreProfile(ctx, snap.ID, &columns))
	p, err := store.DataProfile(ctx, latest)
	require.NoError(t, err)
	require.Equal(t, snap.ID, p.Snapshot)
	require.Equal(t, columns, p.Columns)
	var rows int64
	for _, r := range p.Matrix.Rows {
		var want int64
		for _, rec := range records {
			if mongodb.Text(rec.Document, "facets", "neighborhood") == p.Matrix.Neighborhoods[r[0]] &&
				mongodb.Text(rec.Document, "facets", "sector") == p.Matrix.Sectors[r[1]] {
				want++
			}
		}
		require.Equal(t, want, r[3]+r[4])
		rows += want
	}
	require.EqualValues(t, 60, rows)
	require.Len(t, p.Associations, 6)
	require.ErrorIs(t, store.StoreProfile(ctx, "2020-01-01-observed", &columns), ErrNoSnapshot)
}

// TestTheLastProfileIsTheOneMadeLast: whatever the order of the snapshots that
// have one, and those that have none.
func TestTheLastProfileIsTheOneMadeLast(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	take := func(day int, run string, outcome certificate.Outcome) string {
		snap, _, err := store.TakeSnapshot(ctx, SnapshotInput{AsOf: mongodbtest.Day(day), Run: run, Outcome: outcome})
		require.NoError(t, err)
		return snap.ID
	}
	green, red, none := take(1, "r1", certificate.Green), take(1, "r2", certificate.Red), take(2, "r3", certificate.Green)
	require.NoError(t, store.StoreProfile(ctx, green, &Columns{Run: "r1", Made: mongodbtest.Day(1)}))
	require.NoError(t, store.StoreProfile(ctx, red, &Columns{Run: "r2", Made: mongodbtest.Day(1).Add(time.Hour)}))
	p, err := store.LastProfile(ctx)
	require.NoError(t, err)
	require.Equal(t, "r2", p.Run)
	_, err = store.DataProfile(ctx, none)
	require.ErrorIs(t, err, ErrNoSnapshot)

	// One from before it was kept which run it is of: that of its snapshot.
	_, err = store.db.Collection(mongodb.Snapshots).UpdateOne(ctx, mongodb.ByID(partID(red, SeriesProfile)),
		bson.D{{Key: "$unset", Value: bson.D{{Key: "rows.run", Value: ""}, {Key: "rows.version", Value: ""}, {Key: "rows.digest", Value: ""}}}})
	require.NoError(t, err)
	p, err = store.LastProfile(ctx)
	require.NoError(t, err)
	require.Equal(t, "r2", p.Run)
	p, err = store.DataProfile(ctx, red)
	require.NoError(t, err)
	require.Equal(t, "r2", p.Run)
	assert.False(t, p.Same(&Columns{}), "one without a digest is no proof that nothing changed")
}
