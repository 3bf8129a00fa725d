package workflows_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"

	"padron/activities"
	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
	"padron/workflows"
)

// keys lists keys of the portal's rows.
func (s *stack) keys(n int) []string {
	s.t.Helper()
	var keys []string
	for row := range s.portal.SourceRows() {
		if keys = append(keys, row["ttxid"].(string)); len(keys) == n {
			break
		}
	}
	require.Len(s.t, keys, n)
	return keys
}

func (s *stack) job(in workflows.MirrorInput) workflows.MirrorResult {
	s.t.Helper()
	return s.finished(s.start(in))
}

// noDate is what the portal takes for a date and cleaning does not.
var noDate = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)

func deletions(keys []string) []socratatest.Op {
	ops := make([]socratatest.Op, len(keys))
	for i, key := range keys {
		ops[i] = socratatest.Delete(key)
	}
	return ops
}

func TestRemovalsOverTheBrakeWaitForApproval(t *testing.T) {
	s := newStack(t, socratatest.Generate(3000, 21))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	gone := s.keys(600)
	require.NoError(t, s.portal.Edit(deletions(gone)...))

	held := s.run(activities.Auto)
	require.Equal(t, "red", held.Outcome)
	require.Contains(t, held.Why, "600 documents are no longer on the portal: more than the 500 that one run may remove; `starter approve "+held.Run+"`")
	require.Len(t, s.dump(mirror.Businesses), 3000)

	// Later runs go on, and hold what is still held.
	require.NoError(t, s.portal.Edit(socratatest.Rename(s.keys(1)[0], "Renamed Meanwhile")))
	again := s.run(activities.Auto)
	require.Equal(t, "red", again.Outcome)
	require.EqualValues(t, 1, again.Write.Reconciled.Replaced)
	err := s.fails(s.start(workflows.MirrorInput{Job: workflows.JobApprove, Of: held.Run}))
	require.Equal(t, activities.NothingToDo, err.Type())
	require.Contains(t, err.Message(), "came after "+held.Run)

	// A row that came back meanwhile is not removed: the portal is asked again.
	require.NoError(t, s.portal.Edit(socratatest.Open(map[string]any{"ttxid": gone[0], "certificate_number": "1"})))
	approved := s.job(workflows.MirrorInput{Job: workflows.JobApprove, Of: again.Run})
	require.NotEqual(t, "green", approved.Outcome, "a row came back that the crawl did not have")
	require.EqualValues(t, 599, approved.Write.Reconciled.Removed)
	require.Len(t, s.dump(mirror.Removed), 599)
	err = s.fails(s.start(workflows.MirrorInput{Job: workflows.JobApprove, Of: again.Run}))
	require.Contains(t, err.Message(), "holds no removals")
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	requireMirrors(t, s)

	// Rows that return continue their versions.
	require.NoError(t, s.portal.Edit(socratatest.Open(map[string]any{"ttxid": gone[1], "certificate_number": "1", "dba_name": "Back Again"})))
	back := s.run(activities.Auto)
	require.Equal(t, "green", back.Outcome, back.Why)
	requireMirrors(t, s)
	events, errEvents := s.mirror.ChangesOf(t.Context(), gone[1])
	require.NoError(t, errEvents)
	require.Len(t, events, 2)
	require.Equal(t, mirror.KindRemoved, events[0].Kinds[0])
	require.Equal(t, mirror.KindReturned, events[1].Kinds[0])
	require.EqualValues(t, 3, events[1].Version)
	require.Len(t, s.dump(mirror.Removed), 598)
	require.Equal(t, "green", s.job(workflows.MirrorInput{Job: workflows.JobVerify, Deep: true}).Outcome)
}

func TestVerifySaysWhatItFinds(t *testing.T) {
	s := newStack(t, socratatest.Generate(1500, 22))
	err := s.fails(s.start(workflows.MirrorInput{Job: workflows.JobVerify}))
	require.Contains(t, err.Message(), "nothing was mirrored yet")

	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	deep := s.job(workflows.MirrorInput{Job: workflows.JobVerify, Deep: true})
	require.Equal(t, "green", deep.Outcome, deep.Why)
	require.Equal(t, workflows.OutcomeSkipped, s.run(activities.Auto).Outcome, "a verification is no reason to crawl")

	require.NoError(t, s.portal.Edit(socratatest.Rename(s.keys(1)[0], "News")))
	behind := s.job(workflows.MirrorInput{Job: workflows.JobVerify})
	require.Equal(t, "behind", behind.Outcome, behind.Why)
	require.Equal(t, "green", s.run(activities.Auto).Outcome)

	s.portal.Fail(socratatest.Fault{Status: http.StatusServiceUnavailable, Times: -1})
	silent := s.job(workflows.MirrorInput{Job: workflows.JobVerify})
	require.Equal(t, "unproven", silent.Outcome)
	require.Contains(t, silent.Why, "does not answer")
	s.portal.Heal()

	businesses := s.mirror.Database().Collection(mirror.Businesses)
	_, errDelete := businesses.DeleteOne(t.Context(), bson.D{{Key: "_id", Value: s.keys(2)[1]}})
	require.NoError(t, errDelete)
	red := s.job(workflows.MirrorInput{Job: workflows.JobVerify})
	require.Equal(t, "red", red.Outcome)
	time.Sleep(1100 * time.Millisecond) // until the portal's breaker, which the outage opened, admits requests
	healed := s.run(activities.Auto)
	require.Equal(t, "green", healed.Outcome, "a red verification has the next run crawl: %s", healed.Why)
	requireMirrors(t, s)
}

// TestRerunNeedsNoPortal repeats a crawl from its landed pages while the portal
// refuses every request.
func TestRerunNeedsNoPortal(t *testing.T) {
	s := newStack(t, socratatest.Generate(2500, 23))
	first := s.run(activities.Auto)
	require.Equal(t, "green", first.Outcome)
	before := s.dump(mirror.Businesses)
	s.portal.Fail(socratatest.Fault{Status: http.StatusServiceUnavailable, Times: -1})
	requests := s.portal.Requests()

	// The last good crawl rebuilds what was lost since.
	_, err := s.mirror.Database().Collection(mirror.Businesses).DeleteMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$lt", Value: "05"}}}})
	require.NoError(t, err)
	again := s.job(workflows.MirrorInput{Job: workflows.JobRerun, Of: first.Run, From: activities.FromClean})
	require.Equal(t, "green", again.Outcome, again.Why)
	require.Len(t, s.dump(mirror.Businesses), len(before))
	requireMirrors(t, s)

	snapshot := s.job(workflows.MirrorInput{Job: workflows.JobRerun, Of: first.Run, From: activities.FromSnapshot})
	require.Equal(t, "green", snapshot.Outcome, snapshot.Why)
	require.NotEmpty(t, snapshot.Write.Snapshot)

	gate := s.fails(s.start(workflows.MirrorInput{Job: workflows.JobRerun, Of: first.Run, From: activities.FromGate}))
	require.Equal(t, activities.NothingToDo, gate.Type())
	require.Contains(t, gate.Message(), "use --from clean")
	require.Equal(t, requests, s.portal.Requests(), "nothing was asked of the portal")

	s.portal.Heal()
	time.Sleep(1100 * time.Millisecond)
	newer := s.run(activities.Full)
	require.Equal(t, "green", newer.Outcome, newer.Why)
	old := s.fails(s.start(workflows.MirrorInput{Job: workflows.JobRerun, Of: first.Run, From: activities.FromClean}))
	require.Contains(t, old.Message(), "run "+newer.Run+" came after "+first.Run+" and wrote the mirror")
}

// TestARunThatFailedAtTheGateIsRepeatedFromThere closes the gate by what the
// mirror holds, mends that, and goes on from the cleaned pages.
func TestARunThatFailedAtTheGateIsRepeatedFromThere(t *testing.T) {
	s := newStack(t, socratatest.Generate(1500, 24))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	businesses := s.mirror.Database().Collection(mirror.Businesses)
	var extra []any
	for i := range 600 {
		extra = append(extra, bson.D{{Key: "_id", Value: string(rune('a'+i%26)) + bson.NewObjectID().Hex()}, {Key: "lineage", Value: bson.D{
			{Key: "hash", Value: bson.Binary{Data: make([]byte, 32)}}, {Key: "version", Value: int32(1)},
		}}})
	}
	_, err := businesses.InsertMany(t.Context(), extra)
	require.NoError(t, err)
	closed := s.start(workflows.MirrorInput{Mode: activities.Full})
	require.Equal(t, activities.GateClosed, s.fails(closed).Type())
	last, err := s.mirror.LastCrawl(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, workflows.RunID(closed.GetID()), last.ID, "the mirror was not written from it")
	_, err = businesses.DeleteMany(t.Context(), bson.D{{Key: "lineage.run", Value: bson.D{{Key: "$exists", Value: false}}}})
	require.NoError(t, err)

	again := s.job(workflows.MirrorInput{Job: workflows.JobRerun, Of: workflows.RunID(closed.GetID()), From: activities.FromGate})
	require.Equal(t, "green", again.Outcome, again.Why)
	requireMirrors(t, s)
}

// TestReplayTakesRowsOutOfQuarantine mends the portal's row and fetches only it.
func TestReplayTakesRowsOutOfQuarantine(t *testing.T) {
	s := newStack(t, socratatest.Generate(1200, 25))
	key := s.keys(1)[0]
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	require.NoError(t, s.portal.Edit(socratatest.SetField(key, "dba_end_date", noDate)))
	result := s.run(activities.Auto)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.EqualValues(t, 1, result.Write.Reconciled.Quarantined)
	stale := func() bool {
		var doc struct {
			Quality struct {
				Stale bool `bson:"stale"`
			} `bson:"quality"`
		}
		err := s.mirror.Database().Collection(mirror.Businesses).FindOne(t.Context(), bson.D{{Key: "_id", Value: key}}).Decode(&doc)
		require.NoError(t, err)
		return doc.Quality.Stale
	}
	require.True(t, stale(), "the last good document stays, flagged")

	still := s.job(workflows.MirrorInput{Job: workflows.JobReplay})
	require.EqualValues(t, 1, still.Write.Reconciled.Quarantined, "the row is as bad as before")
	require.True(t, stale())

	require.NoError(t, s.portal.Edit(socratatest.SetField(key, "dba_end_date", nil), socratatest.Rename(key, "Mended")))
	requests := s.portal.PageRequests()
	replayed := s.job(workflows.MirrorInput{Job: workflows.JobReplay, Keys: []string{key}})
	require.Zero(t, replayed.Write.Reconciled.Quarantined)
	require.LessOrEqual(t, s.portal.PageRequests()-requests, int64(2))
	require.False(t, stale())
	requireMirrors(t, s)
	require.Equal(t, "behind", replayed.Outcome, replayed.Why)

	nothing := s.job(workflows.MirrorInput{Job: workflows.JobReplay})
	require.Equal(t, workflows.OutcomeSkipped, nothing.Outcome)
	verified := s.job(workflows.MirrorInput{Job: workflows.JobVerify, Deep: true})
	require.Equal(t, "behind", verified.Outcome, verified.Why)
	require.Equal(t, "green", s.run(activities.Full).Outcome)
	requireMirrors(t, s)
}

// TestADoubledKeyThatThePortalMendsIsReplayed has the crawl count a row that
// is no more.
func TestADoubledKeyThatThePortalMendsIsReplayed(t *testing.T) {
	s := newStack(t, socratatest.Generate(1100, 28))
	key := s.keys(1)[0]
	require.NoError(t, s.portal.Edit(socratatest.Open(map[string]any{"ttxid": key, "certificate_number": "1"})))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	require.NoError(t, s.portal.Edit(socratatest.Delete(key), socratatest.Open(map[string]any{"ttxid": key, "certificate_number": "1"})))
	replayed := s.job(workflows.MirrorInput{Job: workflows.JobReplay})
	require.Equal(t, "behind", replayed.Outcome, replayed.Why)
	require.Equal(t, "behind", s.job(workflows.MirrorInput{Job: workflows.JobVerify, Deep: true}).Outcome)
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	requireMirrors(t, s)
}

// TestAnOptionalColumnThatVanishesIsNoNews has every row change because of the
// portal's schema alone: no gate closes, and no event says that the source did.
func TestAnOptionalColumnThatVanishesIsNoNews(t *testing.T) {
	s := newStack(t, socratatest.Generate(1200, 26))
	require.Equal(t, "green", s.run(activities.Auto).Outcome)
	require.NoError(t, s.portal.Edit(socratatest.DropColumn("dba_name"), socratatest.AddColumn("brand_new", "text")))
	result := s.run(activities.Auto)
	require.Equal(t, "green", result.Outcome, result.Why)
	requireMirrors(t, s)
	record, err := s.mirror.Run(t.Context(), result.Run)
	require.NoError(t, err)
	require.Contains(t, record.Warnings, "column dba_name is not there: dba_name stays empty")
	require.Contains(t, record.Warnings, "column brand_new (text) is new: it is counted, not stored")
	seen := 0
	require.NoError(t, s.mirror.EachChange(t.Context(), time.Time{}, func(events []mirror.Event) error {
		for _, e := range events {
			require.Equal(t, mirror.CauseSchema, e.Cause)
		}
		seen += len(events)
		return nil
	}))
	require.Greater(t, seen, 1000)
}

// canary is what nobody but the portal and the database may see.
const canary = "Zyzzyva Canary"

// TestSensitiveValuesStayInTheDatabase puts a canary into every sensitive column
// of every row, has rows fail, and looks for it in all that Temporal keeps, in
// the runs' records, the snapshots and the log.
func TestSensitiveValuesStayInTheDatabase(t *testing.T) {
	s := newStack(t, socratatest.Generate(1100, 27))
	var ops []socratatest.Op
	for _, key := range s.keys(1100) {
		for _, f := range s.spec.Fields {
			if f.Sensitive && f.From[0] != "mail_zipcode" {
				ops = append(ops, socratatest.SetField(key, f.From[0], canary+" "+key))
			}
		}
	}
	bad := s.keys(3)
	ops = append(ops, socratatest.SetField(bad[0], "dba_end_date", noDate), socratatest.SetField(bad[1], "certificate_number", nil))
	require.NoError(t, s.portal.Edit(ops...))
	s.portal.Fail(socratatest.Fault{Path: "/resource/", Skip: 3, TruncateAfter: 9000}, socratatest.Fault{Path: "/resource/", Skip: 5, Status: http.StatusInternalServerError})
	first := s.start(workflows.MirrorInput{})
	require.Equal(t, "green", s.finished(first).Outcome)
	require.NoError(t, s.portal.Edit(socratatest.Rename(bad[2], "Other"), socratatest.SetField(bad[2], "ownership_name", canary+" II")))
	second := s.start(workflows.MirrorInput{})
	require.Equal(t, "green", s.finished(second).Outcome)
	verified := s.start(workflows.MirrorInput{Job: workflows.JobVerify, Deep: true})
	require.Equal(t, "green", s.finished(verified).Outcome)

	stored := 0
	for _, d := range s.dump(mirror.Businesses) {
		if bytes.Contains(d, []byte(canary)) {
			stored++
		}
	}
	require.Equal(t, 1099, stored, "the mirror itself holds it; one row is in quarantine")

	clean := func(where string, content []byte) {
		require.False(t, bytes.Contains(bytes.ToLower(content), []byte("zyzzyva")), "the canary is in %s", where)
	}
	for _, id := range []string{first.GetID(), second.GetID(), verified.GetID(), workflows.WriteID(s.spec.Name)} {
		events := s.temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(t, err)
			wire, err := proto.Marshal(event)
			require.NoError(t, err)
			clean("the history of "+id, wire)
		}
	}
	for _, collection := range []string{mirror.RunRecords, mirror.Snapshots} {
		for _, d := range s.dump(collection) {
			clean(collection, d)
		}
	}
	require.NotEmpty(t, s.log.Bytes())
	clean("the log", s.log.Bytes())
}
