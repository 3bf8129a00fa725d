package statistics

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"

	"padron/internal/certificate"
	"padron/internal/cleaning"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

// lifeRow is a row of the register, as the test knows it; zero values are
// absent.
type lifeRow struct {
	start, locationEnd, businessEnd time.Time
	admin                           bool
	neighborhood                    string
	code                            string // of the industry
	district                        int64
	point                           [2]float64 // longitude, latitude
}

// clean makes the document that the mirror has of the row, by the rules of San
// Francisco's register.
func (r lifeRow) clean(t require.TestingT, c *cleaning.Cleaner, key string) landing.Record {
	row := map[string]any{"ttxid": key, "certificate_number": key}
	for column, date := range map[string]time.Time{
		"location_start_date": r.start, "location_end_date": r.locationEnd, "dba_end_date": r.businessEnd,
	} {
		if !date.IsZero() {
			row[column] = date.Format("2006-01-02T15:04:05.000")
		}
	}
	if r.admin {
		row["administratively_closed"] = "***Administratively Closed"
	}
	if r.district != 0 {
		row["supervisor_district"] = fmt.Sprint(r.district)
	}
	if r.point != [2]float64{} {
		row["location"] = map[string]any{"type": "Point", "coordinates": r.point}
	}
	for column, value := range map[string]string{"neighborhoods_analysis_boundaries": r.neighborhood, "self_reported_naics_code": r.code} {
		if value != "" {
			row[column] = value
		}
	}
	return mirrortest.Cleaned(t, c, row)
}

// districtName is the district as statistics name it.
func (r lifeRow) districtName() District {
	if r.district == 0 {
		return ""
	}
	return District(fmt.Sprint(r.district))
}

// sectorOf are the sectors of the codes that the tests use.
func sectorOf(code string) string {
	return map[string]string{"722511": "722", "541110": "54", "": ""}[code]
}

// asOf is how the row counts at the beginning of a day, told from its dates:
// what began on an earlier day is there, and what ended on an earlier day is
// closed.
func (r lifeRow) asOf(date time.Time) (totals Totals, undated Undated) {
	end := r.locationEnd
	if end.IsZero() {
		end = r.businessEnd
	}
	switch {
	case r.start.IsZero():
		return Totals{}, Undated{NoStart: 1}
	case !r.start.Before(date):
		return Totals{}, Undated{}
	case r.admin && end.IsZero():
		return Totals{}, Undated{ClosedWithoutDate: 1}
	case end.IsZero() || !end.Before(date):
		return Totals{Rows: 1, Open: 1}, Undated{}
	case r.admin:
		return Totals{Rows: 1, Closed: 1, AdministrativelyClosed: 1}, Undated{}
	default:
		return Totals{Rows: 1, Closed: 1}, Undated{}
	}
}

// load replaces what is stored by rows.
func load(ctx context.Context, t require.TestingT, store *Store, l landing.Zone, c *cleaning.Cleaner, rows []lifeRow) {
	mongodbtest.Clear(ctx, t, store.db, mongodb.Businesses)
	records := make([]landing.Record, len(rows))
	for i, r := range rows {
		records[i] = r.clean(t, c, fmt.Sprintf("%07d-01-001", i))
	}
	mirrortest.Load(ctx, t, store.db, l, records)
}

func dateOf(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// requireEqualsBruteForce counts the rows for one date, row by row, and holds
// the stored snapshot against it.
func requireEqualsBruteForce(ctx context.Context, t require.TestingT, store *Store, rows []lifeRow, date time.Time) Snapshot {
	var totals Totals
	var undated Undated
	neighborhoods, sectors, districts := map[string]Totals{}, map[string]Totals{}, map[District]Totals{}
	for _, r := range rows {
		one, not := r.asOf(date)
		undated.NoStart += not.NoStart
		undated.ClosedWithoutDate += not.ClosedWithoutDate
		if one.Rows == 0 {
			continue
		}
		totals = totals.Plus(one)
		neighborhoods[r.neighborhood] = neighborhoods[r.neighborhood].Plus(one)
		sectors[sectorOf(r.code)] = sectors[sectorOf(r.code)].Plus(one)
		districts[r.districtName()] = districts[r.districtName()].Plus(one)
	}
	snap, err := store.Snapshot(ctx, date.Format("2006-01-02")+"-reconstructed")
	require.NoError(t, err)
	require.Equal(t, totals, snap.Totals, snap.ID)
	require.Equal(t, &undated, snap.Undated, snap.ID)
	var byName []Tallied
	require.NoError(t, store.Series(ctx, snap.ID, SeriesNeighborhood, &byName))
	require.Equal(t, neighborhoods, mapOf(byName), snap.ID)
	require.True(t, slices.IsSortedFunc(byName, func(a, b Tallied) int { return cmp.Compare(a.Name, b.Name) }))
	require.NoError(t, store.Series(ctx, snap.ID, SeriesSector, &byName))
	require.Equal(t, sectors, mapOf(byName), snap.ID)
	var byDistrict []TalliedDistrict
	require.NoError(t, store.Series(ctx, snap.ID, SeriesDistrict, &byDistrict))
	got := map[District]Totals{}
	for _, d := range byDistrict {
		got[d.District] = d.Totals
	}
	require.Equal(t, districts, got, snap.ID)
	require.Equal(t, []SeriesInfo{
		{SeriesNeighborhood, len(neighborhoods)}, {SeriesSector, len(sectors)}, {SeriesDistrict, len(districts)},
	}, snap.Series)
	return snap
}

func TestReconstructedCountsEqualBruteForce(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	store.snapshotsAtOnce = 3
	l := landingtest.Directory(t)
	ctx := t.Context()
	c := mirrortest.SanFrancisco(t)
	rapid.Check(t, func(t *rapid.T) {
		mongodbtest.Clear(ctx, t, store.db, mongodb.Snapshots)
		// Few dates, so that many coincide: the edges of months are among them,
		// what no calendar had yet, and what is still to come.
		date := rapid.SampledFrom([]time.Time{
			{},
			{},
			dateOf(1848, 1, 1), dateOf(1968, 10, 1), dateOf(1985, 1, 15), dateOf(1985, 1, 31), dateOf(1985, 2, 1), dateOf(1999, 12, 31),
			dateOf(2000, 1, 1), dateOf(2014, 10, 13), dateOf(2026, 7, 31), dateOf(2026, 8, 1), dateOf(2026, 10, 14), dateOf(2028, 3, 1), dateOf(2205, 6, 30),
		})
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) lifeRow {
			return lifeRow{
				start: date.Draw(t, "start"), locationEnd: date.Draw(t, "location end"), businessEnd: date.Draw(t, "business end"),
				admin:        rapid.Bool().Draw(t, "administratively closed"),
				neighborhood: rapid.SampledFrom([]string{"", "Mission", "Sunset/Parkside", "Dos. $iguiente"}).Draw(t, "neighborhood"),
				code:         rapid.SampledFrom([]string{"", "722511", "541110"}).Draw(t, "code"),
				district:     rapid.SampledFrom([]int64{0, 3, 11}).Draw(t, "district"),
			}
		}), 0, 60).Draw(t, "rows")
		load(ctx, t, store, l, c, rows)

		today := rapid.SampledFrom([]time.Time{
			dateOf(2026, 10, 15), dateOf(2026, 10, 1), dateOf(2026, 10, 31), dateOf(2014, 1, 1),
		}).Draw(t, "today")
		months := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Time {
			return rapid.SampledFrom([]time.Time{
				dateOf(1848, 1, 1), dateOf(1848, 2, 1), dateOf(1968, 11, 1), dateOf(1985, 1, 1), dateOf(1985, 2, 1), dateOf(1985, 3, 1), dateOf(1999, 12, 1), dateOf(2000, 1, 1),
				dateOf(2000, 2, 1), dateOf(2013, 12, 1), dateOf(2014, 1, 1), dateOf(2026, 6, 1), dateOf(2026, 7, 1), dateOf(2026, 8, 1), dateOf(2026, 9, 1), dateOf(2026, 10, 1),
			}).Draw(t, "date")
		}), 0, 12).Draw(t, "as of")
		months = slices.DeleteFunc(months, func(d time.Time) bool { return d.After(today) })
		distinct := map[time.Time]bool{}
		for _, d := range months {
			distinct[d] = true
		}
		in := ReconstructInput{
			AsOf: months, Date: today.Add(23 * time.Hour), Run: "r1", Spec: "s1", Outcome: certificate.Green,
			Version:         socrata.Version{Served: mongodbtest.Day(1), Truth: mongodbtest.Day(1)},
			SurvivorsBefore: rapid.SampledFrom([]time.Time{{}, dateOf(2014, 1, 1)}).Draw(t, "survivors before"),
		}
		got, err := store.Reconstruct(ctx, in)
		require.NoError(t, err)
		want := ReconstructResult{Snapshots: len(distinct), Written: len(distinct)}
		for _, r := range rows {
			_, undated := r.asOf(dateOf(9999, 1, 1))
			want.Documents++
			want.Undated.NoStart += undated.NoStart
			want.Undated.ClosedWithoutDate += undated.ClosedWithoutDate
		}
		require.Equal(t, want, got)
		for d := range distinct {
			snap := requireEqualsBruteForce(ctx, t, store, rows, d)
			require.Equal(t, Reconstructed, snap.Basis)
			require.True(t, snap.AsOf.Equal(d))
			age := (today.Year()-d.Year())*12 + int(today.Month()) - int(d.Month())
			require.Equal(t, age < 3, snap.Provisional, "%s at %s", snap.ID, today)
			require.Equal(t, d.Year() < 2014 && !in.SurvivorsBefore.IsZero(), snap.SurvivorsOnly, snap.ID)
			require.Equal(t, []any{"r1", "s1", certificate.Green, mongodbtest.Day(1)},
				[]any{snap.Run, snap.Spec, snap.Outcome, snap.Version.Served.UTC()})
		}
		stored := mongodbtest.Documents(ctx, t, store.db, mongodb.Snapshots)
		require.Len(t, stored, 4*len(distinct))
		want.Written = 0
		again, err := store.Reconstruct(ctx, in)
		require.NoError(t, err)
		require.Equal(t, want, again)
		require.Equal(t, stored, mongodbtest.Documents(ctx, t, store.db, mongodb.Snapshots), "nothing is written twice")
	})
}

func TestReconstructRefusesDates(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	zone, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	today := time.Date(2026, 10, 31, 23, 0, 0, 0, zone) // November in UTC
	for name, tc := range map[string]struct {
		date time.Time
		want string
	}{
		"not the first":  {dateOf(2026, 9, 2), "no snapshot can be reconstructed as of 2026-09-02T00:00:00Z: rows are dated by month, use the first day of one, such as 2026-09-01"},
		"not midnight":   {dateOf(2026, 9, 1).Add(time.Second), "such as 2026-09-01"},
		"not UTC's":      {time.Date(2026, 9, 1, 0, 0, 0, 0, zone), "as of 2026-09-01T07:00:00Z"},
		"tomorrow":       {dateOf(2026, 11, 1), "no snapshot can be reconstructed as of 2026-11-01: the mirror is of 2026-10-31 and knows nothing later"},
		"before the era": {dateOf(0, 1, 1), "no snapshot can be reconstructed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.Reconstruct(t.Context(), ReconstructInput{AsOf: []time.Time{dateOf(2020, 1, 1), tc.date}, Date: today})
			require.ErrorIs(t, err, ErrAsOf)
			require.ErrorContains(t, err, tc.want)
		})
	}
	assert.Empty(t, mongodbtest.Documents(t.Context(), t, store.db, mongodb.Snapshots))
}

// monthsFrom are first days of months.
func monthsFrom(first time.Time, n int) []time.Time {
	dates := make([]time.Time, n)
	for i := range dates {
		dates[i] = first.AddDate(0, i, 0)
	}
	return dates
}

// generation are rows of which those of another generation differ in some
// months, and in others not.
func generation(n int) []lifeRow {
	rows := []lifeRow{
		{start: dateOf(2019, 12, 31), neighborhood: "Mission", code: "722511", district: 9},
		{start: dateOf(2020, 2, 1), locationEnd: dateOf(2020, 4, 1), neighborhood: "Mission", district: 9},
		{start: dateOf(2020, 3, 1), admin: true, neighborhood: "Marina", district: 2},
	}
	if n > 0 {
		rows[1].locationEnd = dateOf(2020, 5, 1)
		rows = append(rows, lifeRow{start: dateOf(2020, 4, 15), neighborhood: "Sunset/Parkside", code: "541110", district: 4})
	}
	return rows
}

// TestReconstructKilled replaces snapshots by those of another mirror, is
// killed at each write, and is called again: at every moment each header has
// its own series, and the end is, byte for byte, what it is without the crash.
func TestReconstructKilled(t *testing.T) {
	kill := &mongodbtest.Killer{}
	client := mongodbtest.Connect(t, kill.Attach)
	l, c := landingtest.Directory(t), mirrortest.SanFrancisco(t)
	dates := monthsFrom(dateOf(2020, 1, 1), 8)
	first := ReconstructInput{
		AsOf: dates, Date: dateOf(2026, 10, 15), Run: "r1", Spec: "s1", Outcome: certificate.Green, SurvivorsBefore: dateOf(2020, 3, 1),
	}
	second := first
	second.Run, second.AsOf = "r2", dates[1:] // and one stays
	prepare := func() *Store {
		store := NewStore(mongodbtest.OpenOn(t, client))
		store.snapshotsAtOnce = 3
		load(t.Context(), t, store, l, c, generation(0))
		_, err := store.Reconstruct(t.Context(), first)
		require.NoError(t, err)
		_, _, err = store.TakeSnapshot(t.Context(), SnapshotInput{AsOf: dateOf(2020, 5, 1), Run: "r1", Outcome: certificate.Green})
		require.NoError(t, err)
		load(t.Context(), t, store, l, c, generation(1))
		return store
	}
	reconstruct := func(ctx context.Context, store *Store) error {
		_, err := store.Reconstruct(ctx, second)
		return err
	}

	store := prepare()
	observed := map[string]bson.Raw{}
	for id, doc := range mongodbtest.Documents(t.Context(), t, store.db, mongodb.Snapshots) {
		if !isReconstructed(id) {
			observed[id] = doc
		}
	}
	require.Greater(t, len(observed), 6)
	before := kill.Writes()
	require.NoError(t, reconstruct(t.Context(), store))
	writes := kill.Writes() - before
	require.Greater(t, writes, 6, "there are several batches to be killed at")
	want := uncreated(t, store)
	require.Len(t, want, 4*len(dates)+len(observed), "no series is left that no header names")
	requireEqualsBruteForce(t.Context(), t, store, generation(0), dates[0])
	for _, d := range dates[1:] {
		snap := requireEqualsBruteForce(t.Context(), t, store, generation(1), d)
		require.Equal(t, "r2", snap.Run)
	}
	for at := 1; at <= writes; at++ {
		for _, after := range []bool{false, true} {
			store := prepare()
			killed, err := kill.During(t.Context(), at, after, func(ctx context.Context) error { return reconstruct(ctx, store) })
			require.True(t, killed)
			if at < writes || !after {
				require.Error(t, err, "killed at write %d", at)
			}
			require.NoError(t, consistent(t.Context(), &store.Reader, dates))
			// The server may still be busy with the killed write; a conflict
			// with it is for the next attempt.
			require.Eventually(t, func() bool {
				err = reconstruct(t.Context(), store)
				return err == nil
			}, 10*time.Second, 20*time.Millisecond, "%v", err)
			require.Equal(t, want, uncreated(t, store), "killed at write %d of %d, after: %v", at, writes, after)
			got := mongodbtest.Documents(t.Context(), t, store.db, mongodb.Snapshots)
			for id := range observed {
				require.Contains(t, got, id)
			}
		}
	}
}

func isReconstructed(id string) bool {
	return strings.HasSuffix(id, "-reconstructed") || strings.HasPrefix(id, "series/reconstructed/")
}

// uncreated reads all snapshots, but when headers were created, and what an
// observed one took.
func uncreated(t *testing.T, store *Store) map[string]bson.Raw {
	all := mongodbtest.Documents(t.Context(), t, store.db, mongodb.Snapshots)
	for id, doc := range all {
		var d bson.D
		require.NoError(t, bson.Unmarshal(doc, &d))
		raw, err := bson.Marshal(slices.DeleteFunc(d, func(e bson.E) bool { return e.Key == "created" || e.Key == "took_ms" }))
		require.NoError(t, err)
		all[id] = raw
	}
	return all
}

// consistent reads each date's header, and its series, which must add up to the
// header's totals.
func consistent(ctx context.Context, r *Reader, dates []time.Time) error {
	for _, d := range dates {
		snap, err := r.Snapshot(ctx, reconstructedID(d))
		if err != nil {
			return err
		}
		for _, name := range []string{SeriesNeighborhood, SeriesSector} {
			var rows []Tallied
			if err := r.SeriesOf(ctx, &snap, name, &rows); err != nil {
				return err
			}
			var sum Totals
			for _, r := range rows {
				sum = sum.Plus(r.Totals)
			}
			if sum != snap.Totals {
				return fmt.Errorf("%s of %s, run %s: %v add up to %v", name, snap.ID, snap.Run, snap.Totals, sum)
			}
		}
	}
	return nil
}

// TestReconstructedAreReadableAtEveryMoment reads all snapshots after each
// write of a reconstruction that replaces them.
func TestReconstructedAreReadableAtEveryMoment(t *testing.T) {
	var hook atomic.Pointer[func()]
	client := mongodbtest.Connect(t, func(o *options.ClientOptions) {
		o.SetMonitor(&event.CommandMonitor{Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			if f := hook.Load(); f != nil && (e.CommandName == "update" || e.CommandName == "delete") {
				(*f)()
			}
		}})
	})
	store := NewStore(mongodbtest.OpenOn(t, client))
	store.snapshotsAtOnce = 2
	prefix := strings.TrimSuffix(store.db.Name(), "_"+store.db.Dataset())
	readOnly, err := mongodb.Open(t.Context(), mongodbtest.Connect(t), prefix, store.db.Dataset(), mongodb.ReadOnly())
	require.NoError(t, err)
	reader := NewReader(readOnly)
	l, c := landingtest.Directory(t), mirrortest.SanFrancisco(t)
	dates := monthsFrom(dateOf(2020, 1, 1), 8)
	in := ReconstructInput{AsOf: dates, Date: dateOf(2026, 10, 15), Run: "r1"}
	load(t.Context(), t, store, l, c, generation(0))
	_, err = store.Reconstruct(t.Context(), in)
	require.NoError(t, err)
	held, err := reader.Snapshot(t.Context(), "2020-05-01-reconstructed")
	require.NoError(t, err)

	load(t.Context(), t, store, l, c, generation(1))
	var moments int
	var runs []string
	look := func() {
		moments++
		// Not on the test's goroutine, where require must not be used.
		assert.NoError(t, consistent(t.Context(), reader, dates), "after write %d", moments) //nolint:testifylint // as above
		snap, err := reader.Snapshot(t.Context(), held.ID)
		assert.NoError(t, err) //nolint:testifylint // as above
		runs = append(runs, snap.Run)
	}
	hook.Store(&look)
	in.Run = "r2"
	_, err = store.Reconstruct(t.Context(), in)
	hook.Store(nil)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, moments, 8, "four batches, each of more than one write")
	assert.Equal(t, []string{"r1", "r2"}, slices.Compact(runs))

	// Who still holds the old header is told so, and Series reads the new one.
	var rows []Tallied
	require.ErrorIs(t, reader.SeriesOf(t.Context(), &held, SeriesNeighborhood, &rows), ErrReplaced)
	require.NoError(t, reader.Series(t.Context(), held.ID, SeriesNeighborhood, &rows))
	assert.Len(t, rows, 2)
	require.ErrorIs(t, reader.Series(t.Context(), held.ID, SeriesMonths, &rows), ErrNoSnapshot)
}

func TestReconstructHeartbeats(t *testing.T) {
	// A server that takes longer for each write than the half second between
	// heartbeats.
	store := NewStore(mongodbtest.OpenOn(t, mongodbtest.Connect(t, func(o *options.ClientOptions) {
		o.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if e.CommandName == "update" {
				time.Sleep(600 * time.Millisecond)
			}
		}})
	})))
	var heartbeats []int
	got, err := store.Reconstruct(t.Context(), ReconstructInput{
		AsOf: monthsFrom(dateOf(2020, 1, 1), 60), Date: dateOf(2026, 10, 15),
		Heartbeat: func(done int) { heartbeats = append(heartbeats, done) },
	})
	require.NoError(t, err)
	assert.Equal(t, 60, got.Written)
	require.NotEmpty(t, heartbeats)
	assert.Equal(t, 0, heartbeats[0], "nothing was done while the first were being written")
	assert.Equal(t, []int{0, 50}, slices.Compact(heartbeats))
}

func TestSnapshotsByBasis(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	_, err := store.Reconstruct(ctx, ReconstructInput{AsOf: monthsFrom(dateOf(1990, 1, 1), 300), Date: dateOf(2026, 10, 15)})
	require.NoError(t, err)
	_, err = store.Snapshot(ctx, latest)
	require.ErrorIs(t, err, ErrNoSnapshot, "latest is an observed one")
	ids := func(limit int, of ...Basis) (ids []string) {
		snaps, err := store.Snapshots(ctx, limit, of...)
		require.NoError(t, err)
		for _, s := range snaps {
			ids = append(ids, s.ID)
		}
		return ids
	}
	assert.Empty(t, ids(5, Observed))
	assert.Len(t, ids(1000), 300)

	for _, d := range []time.Time{dateOf(1980, 3, 7), dateOf(2014, 11, 1), dateOf(2014, 11, 2), dateOf(2026, 10, 15)} {
		_, _, err := store.TakeSnapshot(ctx, SnapshotInput{AsOf: d, Outcome: certificate.Green})
		require.NoError(t, err)
	}
	_, _, err = store.TakeSnapshot(ctx, SnapshotInput{AsOf: dateOf(2014, 11, 1), Outcome: certificate.Red})
	require.NoError(t, err)
	observed := []string{"2026-10-15-observed", "2014-11-02-observed", "2014-11-01-observed", "2014-11-01-observed-red", "1980-03-07-observed"}
	for limit := 1; limit <= 5; limit++ {
		assert.Equal(t, observed[:limit], ids(limit, Observed))
	}
	assert.Equal(t, observed, ids(1000, Observed))
	newest, err := store.Snapshot(ctx, latest)
	require.NoError(t, err)
	assert.Equal(t, observed[0], newest.ID)

	reconstructed := ids(1000, Reconstructed)
	require.Len(t, reconstructed, 300)
	assert.Equal(t, "2014-12-01-reconstructed", reconstructed[0])
	assert.Equal(t, "1990-01-01-reconstructed", reconstructed[299])
	assert.Equal(t, reconstructed[:3], ids(3, Reconstructed))
	both := ids(1000)
	assert.Equal(t, both, ids(1000, Observed, Reconstructed))
	assert.Len(t, both, 305)
	assert.Equal(t, []string{
		"2026-10-15-observed", "2014-12-01-reconstructed", "2014-11-02-observed",
		"2014-11-01-observed", "2014-11-01-observed-red", "2014-11-01-reconstructed", "2014-10-01-reconstructed",
	}, both[:7])
	for limit := 1; limit < 8; limit++ {
		assert.Equal(t, both[:limit], ids(limit))
	}
}

// TestReconstructNeedsOneState: counts that contradict each other are not
// stored.
func TestReconstructNeedsOneState(t *testing.T) {
	var groups atomic.Int32
	var store *Store
	other := mongodbtest.Connect(t)
	client := mongodbtest.Connect(t, func(o *options.ClientOptions) {
		o.SetMonitor(&event.CommandMonitor{Started: func(ctx context.Context, e *event.CommandStartedEvent) {
			// The third dimension begins when one of the others is done.
			if e.CommandName == "aggregate" && strings.Contains(e.Command.String(), "$facets.district") && groups.Add(1) == 1 {
				_, err := other.Database(store.db.Name()).Collection(mongodb.Businesses).InsertOne(ctx,
					bson.D{{Key: "_id", Value: "late"}, {Key: "facets", Value: bson.D{{Key: "open", Value: true}, {Key: "start_month", Value: "2000-01"}}}})
				assert.NoError(t, err)
			}
		}})
	})
	store = NewStore(mongodbtest.OpenOn(t, client))
	in := ReconstructInput{AsOf: []time.Time{dateOf(2020, 1, 1)}, Date: dateOf(2026, 10, 15)}
	_, err := store.Reconstruct(t.Context(), in)
	require.ErrorIs(t, err, ErrUneven)
	require.Empty(t, mongodbtest.Documents(t.Context(), t, store.db, mongodb.Snapshots))
	got, err := store.Reconstruct(t.Context(), in)
	require.NoError(t, err)
	assert.EqualValues(t, 1, got.Documents)
}

// lifePages lands rows with lives: over neighborhoods, sectors, districts and
// months as many as the register has, and half of them closed.
func lifePages(b *testing.B, l landing.Zone, n int) []mirror.UpsertInput {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	month := func(m int) string { return dateOf(1968, 1, 1).AddDate(0, m, 0).Format(monthLayout) }
	return mirrortest.Ranges(b, l, n, func(t require.TestingT, i int) landing.Record {
		rec := landingtest.Register(t, i)
		var d bson.D
		require.NoError(t, bson.Unmarshal(rec.Document, &d))
		start := rng.IntN(700)
		open := rng.IntN(2) == 0
		facets := bson.D{
			{Key: "neighborhood", Value: fmt.Sprintf("Neighborhood %d", rng.IntN(41))},
			{Key: "sector", Value: fmt.Sprint(rng.IntN(24) + 11)},
			{Key: "district", Value: int32(rng.IntN(11) + 1)},
			{Key: "open", Value: open},
			{Key: "start_month", Value: month(start)},
		}
		if !open {
			facets = append(facets, bson.E{Key: "end_month", Value: month(start + rng.IntN(704-start))})
		}
		for k := range d {
			if d[k].Key == "facets" {
				d[k].Value = facets
			}
		}
		return landingtest.Clean(t, rec.Key, d[1:]...)
	})
}

// BenchmarkReconstruct reconstructs 440 months, as from 1990 to August 2026, of
// as many rows as San Francisco has; every month's header is written anew each
// time, its series the first time.
func BenchmarkReconstruct(b *testing.B) {
	const rows = registerRows
	store := NewStore(mongodbtest.Open(b))
	l := landingtest.Directory(b)
	mirrortest.UpsertAll(b, mirror.New(store.db), l, lifePages(b, l, rows), 2)
	in := ReconstructInput{AsOf: monthsFrom(dateOf(1990, 1, 1), 440), Date: dateOf(2026, 10, 15)}
	for n := 0; b.Loop(); n++ {
		in.Run = fmt.Sprint(n)
		began := time.Now()
		got, err := store.Reconstruct(b.Context(), in)
		require.NoError(b, err)
		require.Equal(b, 440, got.Written)
		b.Logf("%d: %s", n, time.Since(began))
	}
	b.ReportMetric(float64(440*b.N)/b.Elapsed().Seconds(), "snapshots/s")
}
