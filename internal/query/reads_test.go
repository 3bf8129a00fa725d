package query

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/quarantine"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// No listing makes the server look at more documents than it returns: each is a
// step or a range in an index, and nothing is filtered or sorted after it. What
// must look at all documents says so where it is documented: Count, snapshots'
// counts, and landing.Zone's List and Prune of all runs.
func TestListingsExamineNoMoreThanTheyReturn(t *testing.T) {
	var sent mongodbtest.Reads
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, sent.Attach))
	r := New(db)
	ctx := t.Context()
	_, err := mirror.New(db).EnsureIndexes(ctx)
	require.NoError(t, err)
	mirrortest.ThreeDays(t, db)
	for i := range 200 {
		started := mongodbtest.Day(4).Add(time.Duration(i) * time.Minute)
		run := runs.Run{ID: fmt.Sprintf("s%03d", i), Started: started, Status: runs.StatusSkipped}
		_, err := runs.NewStore(db).BeginRun(ctx, run)
		require.NoError(t, err)
	}
	require.NoError(t, runs.NewStore(db).SetRun(ctx, "r2", bson.D{
		{Key: "outcome", Value: certificate.Green},
		{Key: "certificate", Value: certificate.Verdict{Outcome: certificate.Green}},
		{Key: "crawl", Value: certificate.Crawl{Consistent: true}},
	}))
	var rows []quarantine.Row
	for i := range 50 {
		for _, run := range []string{"r1", "r2"} {
			rows = append(rows, quarantine.Row{Run: run, Page: "0", Index: i, Key: fmt.Sprint(i), Reason: "unreadable", Raw: "{}"})
		}
	}
	require.NoError(t, quarantine.NewStore(db).Put(ctx, rows))
	for n := 1; n < 20; n++ {
		in := statistics.SnapshotInput{AsOf: mongodbtest.Day(n), Run: "r1", Outcome: certificate.Green}
		_, _, err := statistics.NewStore(db).TakeSnapshot(ctx, in)
		require.NoError(t, err)
	}
	past := statistics.ReconstructInput{Date: time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC), Run: "r1"}
	for n := range 29 {
		past.AsOf = append(past.AsOf, time.Date(2024, time.Month(6+n), 1, 0, 0, 0, 0, time.UTC))
	}
	_, err = statistics.NewStore(db).Reconstruct(ctx, past)
	require.NoError(t, err)
	l, err := landing.Open(landing.Config{}, db)
	require.NoError(t, err)
	for _, run := range []string{"r1", "r2"} {
		landingtest.Land(ctx, t, l, run, []landing.Record{landingtest.Valued(t, "a", 1)}, []landing.Record{landingtest.Valued(t, "b", 1)})
	}

	green := func(run runs.Run, err error) error {
		assert.Equal(t, "r2", run.ID)
		return err
	}
	reader := r.Businesses(strings.Fields, nil)
	for name, tc := range map[string]struct {
		finds int
		read  func() error
	}{
		"businesses":        {1, func() error { _, err := reader.List(ctx, Filters{}, "05", 3); return err }},
		"business":          {1, func() error { _, err := reader.Business(ctx, "05"); return err }},
		"business, removed": {2, func() error { _, err := reader.Business(ctx, "07"); return err }},
		"LastGreen":         {2, func() error { return green(r.Runs.LastGreen(ctx)) }},
		"NewestCertificate": {2, func() error { return green(r.Runs.NewestCertificate(ctx)) }},
		"LastCrawl":         {2, func() error { return green(r.Runs.LastCrawl(ctx)) }},
		"LastDone":          {2, func() error { _, err := r.Runs.LastDone(ctx); return err }},
		"Unfinished":        {1, func() error { _, err := r.Runs.Unfinished(ctx); return err }},
		"Run":               {1, func() error { _, err := r.Runs.Run(ctx, "r1"); return err }},
		"Runs":              {2, func() error { _, err := r.Runs.Runs(ctx, 20, time.Time{}); return err }},
		"Runs since":        {2, func() error { _, err := r.Runs.RunsSince(ctx, "", mongodbtest.Day(3), 20); return err }},
		"Runs that failed": {1, func() error {
			_, err := r.Runs.RunsSince(ctx, runs.Ending(runs.StatusFailed), time.Time{}, 20)
			return err
		}},
		"Runs before":       {2, func() error { _, err := r.Runs.Runs(ctx, 20, mongodbtest.Day(4).Add(time.Hour)); return err }},
		"ChangesOf":         {2, func() error { _, err := r.ChangesOf(ctx, "05"); return err }},
		"ChangesOf removed": {3, func() error { _, err := r.ChangesOf(ctx, "07"); return err }},
		"EachChange": {2*4 - 1 + 3 + 3 + 1, func() error {
			return r.EachChange(ctx, mongodbtest.Day(2), func([]changes.Event) error { return nil })
		}},
		"Documents":        {2, func() error { _, err := r.Documents(ctx, []string{"05", "07"}); return err }},
		"Quarantine":       {1, func() error { _, err := r.Quarantine.List(ctx, "r1", "", 10); return err }},
		"Quarantined row":  {1, func() error { _, err := r.Quarantine.Get(ctx, "r2/0/00000007"); return err }},
		"Quarantined keys": {1, func() error { _, err := r.Quarantine.Keys(ctx, "r1"); return err }},
		"Snapshots":        {2, func() error { _, err := r.Statistics.Snapshots(ctx, 5); return err }},
		"Snapshot":         {2, func() error { _, err := r.Statistics.Snapshot(ctx, "latest"); return err }},
		"Snapshot by id":   {1, func() error { _, err := r.Statistics.Snapshot(ctx, "2026-10-03-observed"); return err }},
		"Series": {2, func() error {
			var rows []statistics.Tallied
			return r.Statistics.Series(ctx, "2026-10-03-observed", statistics.SeriesSector, &rows)
		}},
		"Snapshots observed": {2, func() error {
			snaps, err := r.Statistics.Snapshots(ctx, 5, statistics.Observed)
			assert.Len(t, snaps, 5)
			return err
		}},
		"Snapshots observed, all": {3, func() error {
			snaps, err := r.Statistics.Snapshots(ctx, 30, statistics.Observed)
			assert.Len(t, snaps, 19)
			return err
		}},
		"Snapshots reconstructed": {2 + 1, func() error {
			snaps, err := r.Statistics.Snapshots(ctx, 5, statistics.Reconstructed)
			assert.Len(t, snaps, 5)
			return err
		}},
		"Snapshot reconstructed": {1, func() error { _, err := r.Statistics.Snapshot(ctx, "2026-10-01-reconstructed"); return err }},
		"Series reconstructed": {2, func() error {
			var rows []statistics.Tallied
			return r.Statistics.Series(ctx, "2026-10-01-reconstructed", statistics.SeriesSector, &rows)
		}},
		"Reconstruct":  {2, func() error { _, err := statistics.NewStore(db).Reconstruct(ctx, past); return err }},
		"Landing.List": {1, func() error { _, err := l.List(ctx, "r1"); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			commands := sent.Of(t, tc.read)
			assert.Len(t, commands, tc.finds)
			for _, command := range commands {
				mongodbtest.AssertExaminesWhatItReturns(t, db, command)
			}
		})
	}
}
