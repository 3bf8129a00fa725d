package runs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// TestARunOfTheFutureDoesNotStayTheLast has two runs made while a clock was a
// year ahead, and one after it was set right.
func TestARunOfTheFutureDoesNotStayTheLast(t *testing.T) {
	db := mongodbtest.Open(t)
	store := NewStore(db)
	ctx := t.Context()
	now := time.Now().UTC().Truncate(time.Millisecond)
	ahead := now.AddDate(1, 0, 0)
	green := func(id string, started time.Time, first bool) {
		_, err := store.BeginRun(ctx, Run{ID: id, Started: started, FirstLoad: first})
		require.NoError(t, err)
		require.NoError(t, store.SetRun(ctx, id, bson.D{
			{Key: "status", Value: StatusDone},
			{Key: "outcome", Value: certificate.Green},
			{Key: "finished", Value: started.Add(time.Minute)},
			{Key: "certificate", Value: certificate.Verdict{Outcome: certificate.Green}},
			{Key: "crawl", Value: certificate.Crawl{Consistent: true}},
		}))
	}
	green("before", now.Add(-time.Hour), false)
	green("ahead", ahead, true)
	green("further", ahead.Add(time.Hour), false)
	order := func() (ids []string) {
		listed, err := store.Runs(ctx, 10, time.Time{})
		require.NoError(t, err)
		for _, run := range listed {
			ids = append(ids, run.ID)
		}
		return ids
	}
	require.Equal(t, []string{"further", "ahead", "before"}, order())

	redated, err := store.Redate(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, redated)
	require.Equal(t, []string{"further", "ahead", "before"}, order(), "in their order")
	green("now", now.Add(clocksDiffer), false)
	require.Equal(t, []string{"now", "further", "ahead", "before"}, order())
	for name, last := range map[string]func() (Run, error){
		"green":     func() (Run, error) { return store.LastGreen(ctx) },
		"done":      func() (Run, error) { return store.LastDone(ctx) },
		"crawl":     func() (Run, error) { return store.LastCrawl(ctx) },
		"proof":     func() (Run, error) { return store.LastProof(ctx) },
		"certified": func() (Run, error) { return store.NewestCertificate(ctx) },
	} {
		run, err := last()
		require.NoError(t, err, name)
		require.Equal(t, "now", run.ID, name)
	}

	run, err := store.Run(ctx, "ahead")
	require.NoError(t, err)
	require.WithinDuration(t, now, run.Started, time.Minute)
	require.WithinDuration(t, now, run.Finished, time.Minute)
	require.Equal(t, ahead, run.Redated.UTC())
	loads, err := store.FirstLoads(ctx)
	require.NoError(t, err)
	require.Len(t, loads, 1)
	require.Equal(t, ahead, loads[0].UTC(), "its rows are dated so")

	redated, err = store.Redate(ctx)
	require.NoError(t, err)
	require.Zero(t, redated)
	for id := range mongodbtest.Documents(ctx, t, db, mongodb.RunOrder) {
		require.NotContains(t, id, ahead.Format(time.DateOnly), "nothing is left of what they were")
	}
}
