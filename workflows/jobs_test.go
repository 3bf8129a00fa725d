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

	"padron/internal/changes"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
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

func deletions(keys []string) []portalsim.Op {
	ops := make([]portalsim.Op, len(keys))
	for i, key := range keys {
		ops[i] = portalsim.Delete(key)
	}
	return ops
}

func TestRemovalsOverTheLimitWaitForApproval(t *testing.T) {
	s := newStack(t, register.Generate(3000, 21))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	gone := s.keys(600)
	require.NoError(t, s.portal.Edit(deletions(gone)...))

	held := s.run(runs.ModeAuto)
	require.Equal(t, "red", held.Outcome)
	require.Contains(t, held.Why, "600 documents are no longer on the portal: more than the 500 that one run may remove; `starter approve "+held.Run+"`")
	require.Len(t, s.dump(mongodb.Businesses), 3000)

	// Later runs go on, and hold what is still held.
	require.NoError(t, s.portal.Edit(portalsim.Rename(s.keys(1)[0], "Renamed Meanwhile")))
	again := s.run(runs.ModeAuto)
	require.Equal(t, "red", again.Outcome)
	require.EqualValues(t, 1, again.Write.Reconciled.Replaced)
	err := s.fails(s.start(workflows.MirrorInput{Job: runs.JobApprove, Of: held.Run}))
	require.Equal(t, runs.NothingToDo, err.Type())
	require.Contains(t, err.Message(), "came after "+held.Run)

	// A row that came back meanwhile is not removed: the portal is asked again.
	require.NoError(t, s.portal.Edit(portalsim.Open(map[string]any{"ttxid": gone[0], "certificate_number": "1"})))
	approved := s.job(workflows.MirrorInput{Job: runs.JobApprove, Of: again.Run})
	require.NotEqual(t, "green", approved.Outcome, "a row came back that the crawl did not have")
	require.EqualValues(t, 599, approved.Write.Reconciled.Removed)
	require.Len(t, s.dump(mongodb.Removed), 599)
	err = s.fails(s.start(workflows.MirrorInput{Job: runs.JobApprove, Of: again.Run}))
	require.Contains(t, err.Message(), "holds no removals")
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	requireMirrors(t, s)

	// Rows that return continue their versions.
	require.NoError(t, s.portal.Edit(portalsim.Open(map[string]any{"ttxid": gone[1], "certificate_number": "1", "dba_name": "Back Again"})))
	back := s.run(runs.ModeAuto)
	require.Equal(t, "green", back.Outcome, back.Why)
	requireMirrors(t, s)
	events, errEvents := s.mirror.ChangesOf(t.Context(), gone[1])
	require.NoError(t, errEvents)
	require.Len(t, events, 2)
	require.Equal(t, changes.KindRemoved, events[0].Kinds[0])
	require.Equal(t, changes.KindReturned, events[1].Kinds[0])
	require.EqualValues(t, 3, events[1].Version)
	require.Len(t, s.dump(mongodb.Removed), 598)
	require.Equal(t, "green", s.job(workflows.MirrorInput{Job: runs.JobVerify, Deep: true}).Outcome)
}

func TestVerifySaysWhatItFinds(t *testing.T) {
	s := newStack(t, register.Generate(1500, 22))
	err := s.fails(s.start(workflows.MirrorInput{Job: runs.JobVerify}))
	require.Contains(t, err.Message(), "nothing was mirrored yet")

	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	deep := s.job(workflows.MirrorInput{Job: runs.JobVerify, Deep: true})
	require.Equal(t, "green", deep.Outcome, deep.Why)
	require.Equal(t, workflows.OutcomeSkipped, s.run(runs.ModeAuto).Outcome, "a verification is no reason to crawl")

	require.NoError(t, s.portal.Edit(portalsim.Rename(s.keys(1)[0], "News")))
	behind := s.job(workflows.MirrorInput{Job: runs.JobVerify})
	require.Equal(t, "behind", behind.Outcome, behind.Why)
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)

	s.portal.Fail(portalsim.Fault{Status: http.StatusServiceUnavailable, Times: -1})
	silent := s.job(workflows.MirrorInput{Job: runs.JobVerify})
	require.Equal(t, "unproven", silent.Outcome)
	require.Contains(t, silent.Why, "does not answer")
	s.portal.Heal()

	businesses := s.db.Collection(mongodb.Businesses)
	_, errDelete := businesses.DeleteOne(t.Context(), bson.D{{Key: "_id", Value: s.keys(2)[1]}})
	require.NoError(t, errDelete)
	red := s.job(workflows.MirrorInput{Job: runs.JobVerify})
	require.Equal(t, "red", red.Outcome)
	time.Sleep(1100 * time.Millisecond) // until the portal's breaker, which the outage opened, admits requests
	healed := s.run(runs.ModeAuto)
	require.Equal(t, "green", healed.Outcome, "a red verification has the next run crawl: %s", healed.Why)
	requireMirrors(t, s)
}

// TestRerunNeedsNoPortal repeats a crawl from its landed pages while the portal
// refuses every request.
func TestRerunNeedsNoPortal(t *testing.T) {
	s := newStack(t, register.Generate(2500, 23))
	first := s.run(runs.ModeAuto)
	require.Equal(t, "green", first.Outcome)
	before := s.dump(mongodb.Businesses)
	s.portal.Fail(portalsim.Fault{Status: http.StatusServiceUnavailable, Times: -1})
	requests := s.portal.Requests()

	// The last good crawl rebuilds what was lost since.
	_, err := s.db.Collection(mongodb.Businesses).DeleteMany(t.Context(), bson.D{{Key: "_id", Value: bson.D{{Key: "$lt", Value: "05"}}}})
	require.NoError(t, err)
	again := s.job(workflows.MirrorInput{Job: runs.JobRerun, Of: first.Run, From: runs.FromClean})
	require.Equal(t, "green", again.Outcome, again.Why)
	require.Len(t, s.dump(mongodb.Businesses), len(before))
	requireMirrors(t, s)

	snapshot := s.job(workflows.MirrorInput{Job: runs.JobRerun, Of: first.Run, From: runs.FromSnapshot})
	require.Equal(t, "green", snapshot.Outcome, snapshot.Why)
	require.NotEmpty(t, snapshot.Write.Snapshot)

	gate := s.fails(s.start(workflows.MirrorInput{Job: runs.JobRerun, Of: first.Run, From: runs.FromGate}))
	require.Equal(t, runs.NothingToDo, gate.Type())
	require.Contains(t, gate.Message(), "use --from clean")
	require.Equal(t, requests, s.portal.Requests(), "nothing was asked of the portal")

	s.portal.Heal()
	time.Sleep(1100 * time.Millisecond)
	newer := s.run(runs.ModeFull)
	require.Equal(t, "green", newer.Outcome, newer.Why)
	old := s.fails(s.start(workflows.MirrorInput{Job: runs.JobRerun, Of: first.Run, From: runs.FromClean}))
	require.Contains(t, old.Message(), "run "+newer.Run+" came after "+first.Run+" and wrote the mirror")
}

// TestARunThatFailedAtTheGateIsRepeatedFromThere closes the gate by what the
// mirror holds, mends that, and goes on from the cleaned pages.
func TestARunThatFailedAtTheGateIsRepeatedFromThere(t *testing.T) {
	s := newStack(t, register.Generate(1500, 24))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	businesses := s.db.Collection(mongodb.Businesses)
	var extra []any
	for i := range 600 {
		extra = append(extra, bson.D{{Key: "_id", Value: string(rune('a'+i%26)) + bson.NewObjectID().Hex()}, {Key: "lineage", Value: bson.D{
			{Key: "hash", Value: bson.Binary{Data: make([]byte, 32)}}, {Key: "version", Value: int32(1)},
		}}})
	}
	_, err := businesses.InsertMany(t.Context(), extra)
	require.NoError(t, err)
	closed := s.start(workflows.MirrorInput{Mode: runs.ModeFull})
	require.Equal(t, runs.GateClosed, s.fails(closed).Type())
	last, err := s.mirror.Runs.LastCrawl(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, workflows.RunID(closed.GetID()), last.ID, "the mirror was not written from it")
	_, err = businesses.DeleteMany(t.Context(), bson.D{{Key: "lineage.run", Value: bson.D{{Key: "$exists", Value: false}}}})
	require.NoError(t, err)

	again := s.job(workflows.MirrorInput{Job: runs.JobRerun, Of: workflows.RunID(closed.GetID()), From: runs.FromGate})
	require.Equal(t, "green", again.Outcome, again.Why)
	requireMirrors(t, s)
}

// TestReplayTakesRowsOutOfQuarantine mends the portal's row and fetches only it.
func TestReplayTakesRowsOutOfQuarantine(t *testing.T) {
	s := newStack(t, register.Generate(1200, 25))
	key := s.keys(1)[0]
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	require.NoError(t, s.portal.Edit(portalsim.SetField(key, "dba_end_date", noDate)))
	result := s.run(runs.ModeAuto)
	require.Equal(t, "green", result.Outcome, result.Why)
	require.EqualValues(t, 1, result.Write.Reconciled.Quarantined)
	stale := func() bool {
		var doc struct {
			Quality struct {
				Stale bool `bson:"stale"`
			} `bson:"quality"`
		}
		err := s.db.Collection(mongodb.Businesses).FindOne(t.Context(), bson.D{{Key: "_id", Value: key}}).Decode(&doc)
		require.NoError(t, err)
		return doc.Quality.Stale
	}
	require.True(t, stale(), "the last good document stays, flagged")

	still := s.job(workflows.MirrorInput{Job: runs.JobRetry})
	require.EqualValues(t, 1, still.Write.Reconciled.Quarantined, "the row is as bad as before")
	require.True(t, stale())

	require.NoError(t, s.portal.Edit(portalsim.SetField(key, "dba_end_date", nil), portalsim.Rename(key, "Mended")))
	requests := s.portal.PageRequests()
	retried := s.job(workflows.MirrorInput{Job: runs.JobRetry, Keys: []string{key}})
	require.Zero(t, retried.Write.Reconciled.Quarantined)
	require.LessOrEqual(t, s.portal.PageRequests()-requests, int64(3))
	require.False(t, stale())
	requireMirrors(t, s)
	require.Equal(t, "behind", retried.Outcome, retried.Why)

	nothing := s.job(workflows.MirrorInput{Job: runs.JobRetry})
	require.Equal(t, workflows.OutcomeSkipped, nothing.Outcome)
	verified := s.job(workflows.MirrorInput{Job: runs.JobVerify, Deep: true})
	require.Equal(t, "behind", verified.Outcome, verified.Why)
	require.Equal(t, "green", s.run(runs.ModeFull).Outcome)
	requireMirrors(t, s)
}

// TestADoubledKeyThatThePortalMendsIsRetried has the crawl count a row that
// is no more.
func TestADoubledKeyThatThePortalMendsIsRetried(t *testing.T) {
	s := newStack(t, register.Generate(1100, 28))
	key := s.keys(1)[0]
	require.NoError(t, s.portal.Edit(portalsim.Open(map[string]any{"ttxid": key, "certificate_number": "1"})))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	require.NoError(t, s.portal.Edit(portalsim.Delete(key), portalsim.Open(map[string]any{"ttxid": key, "certificate_number": "1"})))
	retried := s.job(workflows.MirrorInput{Job: runs.JobRetry})
	require.Equal(t, "behind", retried.Outcome, retried.Why)
	require.Equal(t, "behind", s.job(workflows.MirrorInput{Job: runs.JobVerify, Deep: true}).Outcome)
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	requireMirrors(t, s)
}

// TestAnOptionalColumnThatVanishesIsNoNews has every row change because of the
// portal's schema alone: no gate closes, and no event says that the source did.
func TestAnOptionalColumnThatVanishesIsNoNews(t *testing.T) {
	s := newStack(t, register.Generate(1200, 26))
	require.Equal(t, "green", s.run(runs.ModeAuto).Outcome)
	require.NoError(t, s.portal.Edit(portalsim.DropColumn("dba_name"), portalsim.AddColumn("brand_new", "text")))
	result := s.run(runs.ModeAuto)
	require.Equal(t, "green", result.Outcome, result.Why)
	requireMirrors(t, s)
	record, err := s.mirror.Runs.Run(t.Context(), result.Run)
	require.NoError(t, err)
	require.Contains(t, record.Warnings, "column dba_name is not there: dba_name stays empty")
	require.Contains(t, record.Warnings, "column brand_new (text) is new: it is counted, not stored")
	seen := 0
	require.NoError(t, s.mirror.EachChange(t.Context(), time.Time{}, func(events []changes.Event) error {
		for _, e := range events {
			require.Equal(t, changes.CauseSchema, e.Cause)
		}
		seen += len(events)
		return nil
	}))
	require.Greater(t, seen, 1000)
}

// private is what nobody but the portal and the database may see.
const private = "Zyzzyva Leaktest"

// TestSensitiveValuesStayInTheDatabase puts a private text into every
// sensitive column of every row, has rows fail, and looks for it in all that
// Temporal keeps, in the runs' records, the snapshots and the log.
func TestSensitiveValuesStayInTheDatabase(t *testing.T) {
	s := newStack(t, register.Generate(1100, 27))
	var ops []portalsim.Op
	for _, key := range s.keys(1100) {
		for _, f := range s.spec.Fields {
			if f.Sensitive && f.From[0] != "mail_zipcode" {
				ops = append(ops, portalsim.SetField(key, f.From[0], private+" "+key))
			}
		}
	}
	bad := s.keys(3)
	ops = append(ops, portalsim.SetField(bad[0], "dba_end_date", noDate), portalsim.SetField(bad[1], "certificate_number", nil))
	require.NoError(t, s.portal.Edit(ops...))
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 3, TruncateAfter: 9000}, portalsim.Fault{Path: "/resource/", Skip: 5, Status: http.StatusInternalServerError})
	first := s.start(workflows.MirrorInput{})
	require.Equal(t, "green", s.finished(first).Outcome)
	require.NoError(t, s.portal.Edit(portalsim.Rename(bad[2], "Other"), portalsim.SetField(bad[2], "ownership_name", private+" II")))
	second := s.start(workflows.MirrorInput{})
	require.Equal(t, "green", s.finished(second).Outcome)
	verified := s.start(workflows.MirrorInput{Job: runs.JobVerify, Deep: true})
	require.Equal(t, "green", s.finished(verified).Outcome)

	stored := 0
	for _, d := range s.dump(mongodb.Businesses) {
		if bytes.Contains(d, []byte(private)) {
			stored++
		}
	}
	require.Equal(t, 1099, stored, "the mirror itself holds it; one row is in quarantine")

	clean := func(where string, content []byte) {
		require.False(t, bytes.Contains(bytes.ToLower(content), []byte("zyzzyva")), "the private text is in %s", where)
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
	for _, collection := range []string{mongodb.Runs, mongodb.Snapshots} {
		for _, d := range s.dump(collection) {
			clean(collection, d)
		}
	}
	require.NotEmpty(t, s.log.Bytes())
	clean("the log", s.log.Bytes())
}
