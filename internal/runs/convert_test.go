package runs

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/socrata"
)

// firstFormat writes the records of runs as format 1 had them, and the marker
// of a database of that format.
func firstFormat(t *testing.T, database *mongo.Database) {
	t.Helper()
	day := func(n int) bson.DateTime { return bson.NewDateTimeFromTime(mongodbtest.Day(n)) }
	version := bson.D{{Key: "served", Value: day(1)}, {Key: "truth", Value: day(1)}, {Key: "request_id", Value: "x"}}
	check := bson.A{bson.D{{Key: "name", Value: "counts"}, {Key: "ok", Value: true}, {Key: "detail", Value: "5 = 5"}}}
	for collection, docs := range map[string][]any{
		"padron": {
			bson.D{{Key: "_id", Value: "owner"}, {Key: "dataset", Value: "register"}, {Key: "format", Value: int32(1)}, {Key: "created", Value: day(1)}},
		},
		"runs": {
			bson.D{
				{Key: "_id", Value: "scheduled-1"},
				{Key: "dataset", Value: "register"},
				{Key: "trigger", Value: "schedule"},
				{Key: "mode", Value: "auto"},
				{Key: "job", Value: "mirror"},
				{Key: "nominal", Value: day(1)},
				{Key: "started", Value: day(2)},
				{Key: "finished", Value: day(3)},
				{Key: "updated", Value: day(3)},
				{Key: "status", Value: "done"},
				{Key: "outcome", Value: "green"},
				{Key: "spec", Value: "s1"},
				{Key: "workflow_id", Value: "mirror/register/1"},
				{Key: "temporal_run_id", Value: "t1"},
				{Key: "version", Value: version},
				{Key: "ranges", Value: bson.A{
					bson.D{{Key: "up_to", Value: "b"}, {Key: "rows", Value: int64(3)}}, bson.D{{Key: "after", Value: "b"}}, bson.D{{Key: "null_keys", Value: true}},
				}},
				{Key: "progress", Value: bson.D{{Key: "upsert", Value: bson.D{{Key: "0", Value: int64(5)}}}}},
				{Key: "counts", Value: bson.D{{Key: "portal_rows", Value: int64(5)}, {Key: "documents", Value: int64(5)}}},
				{Key: "gate", Value: bson.D{{Key: "checks", Value: check}}},
				{Key: "certificate", Value: bson.D{{Key: "outcome", Value: "green"}, {Key: "checks", Value: check}}},
				{Key: "first_load", Value: true},
				{Key: "crawls", Value: int32(2)},
				{Key: "crawl", Value: bson.D{
					{Key: "rows", Value: int64(5)},
					{Key: "clean", Value: int64(4)},
					{Key: "quarantined", Value: int64(1)},
					{Key: "digest", Value: "0102030000000000000000000000000000000000000000000000000000000004"},
					{Key: "version", Value: version},
					{Key: "whole", Value: true},
					{Key: "columns", Value: bson.A{"ttxid", "dba_name"}},
					{Key: "facts", Value: bson.D{
						{Key: "rows", Value: int64(5)},
						{Key: "distinct", Value: int64(4)},
						{Key: "groups", Value: bson.A{bson.D{{Key: "column", Value: "city"}, {Key: "values", Value: bson.A{
							bson.D{{Key: "value", Value: "San Francisco"}, {Key: "rows", Value: int64(3)}},
							bson.D{{Key: "value", Value: ""}, {Key: "null", Value: true}, {Key: "rows", Value: int64(2)}},
						}}}}},
					}},
				}},
				{Key: "held", Value: bson.D{{Key: "rows", Value: int64(2)}, {Key: "pages", Value: bson.A{
					bson.D{{Key: "id", Value: "scheduled-1/keys-0-1"}, {Key: "sha256", Value: "ab"}, {Key: "label", Value: "0"}},
				}}}},
				{Key: "change_pages", Value: bson.D{{Key: "0", Value: int32(2)}}},
			},
			// A torn crawl: not whole, and nothing was counted by the portal.
			bson.D{
				{Key: "_id", Value: "manual-2"},
				{Key: "dataset", Value: "register"},
				{Key: "trigger", Value: "manual"},
				{Key: "mode", Value: "full"},
				{Key: "started", Value: day(4)},
				{Key: "updated", Value: day(4)},
				{Key: "status", Value: "failed"},
				{Key: "spec", Value: "s1"},
				{Key: "workflow_id", Value: "w"},
				{Key: "temporal_run_id", Value: "t2"},
				{Key: "crawl", Value: bson.D{
					{Key: "rows", Value: int64(5)},
					{Key: "clean", Value: int64(5)},
					{Key: "quarantined", Value: int64(0)},
					{Key: "digest", Value: ""},
					{Key: "version", Value: bson.D{}},
					{Key: "whole", Value: false},
					{Key: "why", Value: "the portal moved"},
				}},
			},
			bson.D{
				{Key: "_id", Value: "replay-3"},
				{Key: "dataset", Value: "register"},
				{Key: "trigger", Value: "manual"},
				{Key: "mode", Value: "auto"},
				{Key: "job", Value: "replay"},
				{Key: "of", Value: "scheduled-1"},
				{Key: "nominal", Value: day(5)},
				{Key: "started", Value: day(5)},
				{Key: "updated", Value: day(5)},
				{Key: "status", Value: "skipped"},
				{Key: "reason", Value: "another run is writing"},
				{Key: "spec", Value: "s1"},
				{Key: "workflow_id", Value: "w"},
				{Key: "temporal_run_id", Value: "t3"},
			},
		},
		"runs.order": {
			bson.D{{Key: "_id", Value: "all/2026-10-02T11:15:00.000/scheduled-1"}, {Key: "run", Value: "scheduled-1"}},
			bson.D{{Key: "_id", Value: "crawled/2026-10-02T11:15:00.000/scheduled-1"}, {Key: "run", Value: "scheduled-1"}},
			bson.D{{Key: "_id", Value: "all/2026-10-04T11:15:00.000/manual-2"}, {Key: "run", Value: "manual-2"}},
			bson.D{{Key: "_id", Value: "all/2026-10-05T11:15:00.000/replay-3"}, {Key: "run", Value: "replay-3"}},
		},
	} {
		_, err := database.Collection(collection).InsertMany(t.Context(), docs)
		require.NoError(t, err)
	}
}

// converted are the same records as the program knows them.
func converted(t *testing.T) []Run {
	t.Helper()
	day := mongodbtest.Day
	version := socrata.Version{Served: day(1), Truth: day(1), RequestID: "x"}
	checks := []certificate.Check{{Name: "counts", OK: true, Detail: "5 = 5"}}
	digest, err := lineage.ParseDigest("0102030000000000000000000000000000000000000000000000000000000004")
	require.NoError(t, err)
	return []Run{
		{
			ID: "replay-3", Dataset: "register", Trigger: TriggerManual, Mode: ModeAuto, Job: JobRetry, Of: "scheduled-1", LogicalDate: day(5), Started: day(5),
			Updated: day(5), Status: StatusSkipped, Reason: "another run is writing", Spec: "s1", WorkflowID: "w", TemporalRunID: "t3",
		},
		{
			ID: "manual-2", Dataset: "register", Trigger: TriggerManual, Mode: ModeFull, Started: day(4), Updated: day(4), Status: StatusFailed,
			Spec: "s1", WorkflowID: "w", TemporalRunID: "t2", Crawl: certificate.Crawl{Rows: 5, Clean: 5, Why: "the portal moved"},
		},
		{
			ID: "scheduled-1", Dataset: "register", Trigger: TriggerSchedule, Mode: ModeAuto, Job: JobMirror, LogicalDate: day(1), Started: day(2),
			Finished: day(3), Updated: day(3), Status: StatusDone, Outcome: certificate.Green, Spec: "s1", WorkflowID: "mirror/register/1", TemporalRunID: "t1",
			Version:  version,
			Ranges:   []Range{{Range: socrata.Range{UpTo: "b"}, Rows: 3}, {Range: socrata.Range{After: "b"}}, {Range: socrata.Range{NullKeys: true}}},
			Progress: Progress{"upsert": {"0": 5}}, Counts: Counts{PortalRows: 5, Documents: 5},
			Gate: certificate.Verdict{Checks: checks}, Certificate: certificate.Verdict{Outcome: certificate.Green, Checks: checks},
			FirstLoad: true, Crawls: 2,
			Crawl: certificate.Crawl{
				Rows: 5, Clean: 4, Quarantined: 1, Digest: digest, Version: version, Consistent: true, Columns: []string{"ttxid", "dba_name"},
				SourceCounts: certificate.SourceCounts{Rows: 5, Distinct: 4, Groups: []certificate.Group{{Column: "city", Values: []certificate.GroupValue{
					{Value: "San Francisco", Rows: 3}, {Null: true, Rows: 2},
				}}}},
			},
			Held:        Held{Rows: 2, Pages: []landing.Ref{{ID: "scheduled-1/keys-0-1", SHA256: "ab", Label: "0"}}},
			ChangePages: map[string]int{"0": 2},
		},
	}
}

// inUTC makes times comparable; the driver reads them in UTC's offset, and
// zero ones as they are.
func inUTC(runs []Run) []Run {
	for i := range runs {
		r := &runs[i]
		for _, at := range []*socrata.Version{&r.Version, &r.Crawl.Version} {
			at.Served, at.Truth = at.Served.UTC(), at.Truth.UTC()
		}
		r.LogicalDate, r.Started, r.Finished, r.Updated = r.LogicalDate.UTC(), r.Started.UTC(), r.Finished.UTC(), r.Updated.UTC()
	}
	return runs
}

// TestConvert reads records of format 1 in full once they are converted. A
// conversion that is killed at any of its writes is made again.
func TestConvert(t *testing.T) {
	kill := &mongodbtest.Killer{}
	client := mongodbtest.Connect(t, kill.Attach)
	ctx := t.Context()
	var writes int
	for at := 0; at == 0 || at <= writes; at++ { // 0: not killed
		prefix := "test" + bson.NewObjectID().Hex()
		database := client.Database(prefix + "_register")
		mongodbtest.DropAfter(t, database)
		firstFormat(t, database)
		_, err := mongodb.Open(ctx, client, prefix, "register", mongodb.ReadOnly())
		require.ErrorIs(t, err, mongodb.ErrFormat)
		open := func() *mongodb.Database {
			db, err := mongodb.Open(ctx, client, prefix, "register")
			require.NoError(t, err)
			return db
		}
		db := open()
		require.Equal(t, 1, db.StoredFormat())
		before := kill.Writes()
		killed, err := kill.During(ctx, at, true, func(ctx context.Context) error { return NewStore(db).Convert(ctx) })
		require.Equal(t, at > 0, killed)
		if at == 0 {
			require.NoError(t, err)
			writes = kill.Writes() - before
			require.Greater(t, writes, 3)
			require.Equal(t, mongodb.Format, db.StoredFormat())
		}
		if at > 0 && at < writes {
			require.Error(t, err)
			_, err := mongodb.Open(ctx, client, prefix, "register", mongodb.ReadOnly())
			require.ErrorIs(t, err, mongodb.ErrFormat, "the format is recorded last")
		}

		db = open()
		store := NewStore(db)
		require.NoError(t, store.Convert(ctx))
		require.Equal(t, mongodb.Format, db.StoredFormat())
		runs, err := store.Runs(ctx, 10, mongodbtest.Day(9))
		require.NoError(t, err)
		require.Equal(t, converted(t), inUTC(runs), "killed at write %d of %d", at, writes)
		crawl, err := store.LastCrawl(ctx)
		require.NoError(t, err)
		require.Equal(t, "scheduled-1", crawl.ID)
		_, err = mongodb.Open(ctx, client, prefix, "register", mongodb.ReadOnly())
		require.NoError(t, err)

		// Nothing of format 1 is left, and a database of today's is not
		// written.
		records := mongodbtest.Documents(ctx, t, db, mongodb.Runs)
		assert.ElementsMatch(t, []string{"scheduled-1", "manual-2", "replay-3"}, slices.Collect(maps.Keys(records)))
		for id, raw := range records {
			for _, path := range [][]string{{"nominal"}, {"crawl", "whole"}, {"crawl", "facts"}} {
				_, err := raw.LookupErr(path...)
				assert.Error(t, err, "%s: %s", id, path) //nolint:testifylint // more than one can be wrong
			}
		}
		before = kill.Writes()
		require.NoError(t, store.Convert(ctx))
		assert.Equal(t, before, kill.Writes())

		// Two at once: the other one still sees the old format.
		_, err = db.Collection("padron").UpdateOne(ctx, mongodb.ByID("owner"), bson.D{{Key: "$set", Value: bson.D{{Key: "format", Value: int32(1)}}}})
		require.NoError(t, err)
		require.NoError(t, NewStore(open()).Convert(ctx))
		assert.Equal(t, records, mongodbtest.Documents(ctx, t, db, mongodb.Runs), "converted records stay as they are")
		assert.Equal(t, mongodb.Format, open().StoredFormat())
	}
}
