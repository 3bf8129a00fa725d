package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/internal/testenv"
)

// cancelled is what `cancel -o json` prints.
type cancelled struct {
	Run, Status, Doing, Meaning string
	WorkflowID                  string `json:"workflow_id"`
}

func TestCancelInTheMiddleOfFetching(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(3000, 85))
	s.env["PADRON_PAGE_SIZE"] = "500"
	s.worker()
	s.load()
	before := s.contents()
	s.edit(1500)
	reached, release := s.hold()
	run := s.start(t, "starter", nil, "run", "--wait")
	<-reached
	running, ok := s.newest()
	require.True(t, ok)
	id := running.ID
	began := time.Now()
	r := s.starter("cancel", id, "--wait")
	require.Zero(t, r.code, r.errors)
	t.Logf("cancelled in the middle of fetching, ended %s later", time.Since(began).Round(100*time.Millisecond))
	require.Regexp(t, "^run "+id+` was cancelled, [0-9.]+s after it was asked to end: its gate has not opened, so nothing was written and the mirror is as it was\n$`, r.out)
	waited := run.result()
	requireOneLine(t, result{code: waited.code, out: waited.out, errors: lastLine(waited.errors)}, failed, "run "+id+" was cancelled; the next run ends what it left")
	release()

	s.requireCancelled(id)
	require.Equal(t, before, s.contents(), "nothing was touched")
	requireOneLine(t, s.starter("cancel", id), failed, "run "+id+" has ended already (cancelled): there is nothing to cancel")
	requireOneLine(t, s.starter("watch", id, "-o", "json").withoutOutput(), failed, "run "+id+" was cancelled")
	s.requireMended(id, 1500)
}

func TestCancelInTheMiddleOfUpserting(t *testing.T) {
	t.Parallel()
	rows := testenv.Times(6_000, 12_000)
	changed := rows * 3 / 4
	s := newStack(t, register.Generate(rows, 86))
	s.env["PADRON_PAGE_SIZE"] = "500"
	s.worker()
	s.load()
	s.edit(changed)
	id := strings.TrimSuffix(strings.Fields(s.ok("run"))[2], ";")
	require.Eventually(t, func() bool { n := s.ofVersion(2); return n > 0 && n < int64(changed) }, runTakes, 2*time.Millisecond)
	began := time.Now()
	r := s.starter("cancel", id, "--wait", "-o", "json")
	require.Zero(t, r.code, r.errors)
	var c cancelled
	require.NoError(t, json.Unmarshal([]byte(r.out), &c), r.out)
	require.Equal(t, "cancelled", c.Status)
	require.Equal(t, "mirror/"+s.name+"/"+id, c.WorkflowID)
	require.Contains(t, c.Meaning, "the next run ends what is half done")

	written := s.ofVersion(2)
	t.Logf("cancelled in the middle of upserting: %d of %d rows were written, ended %s later", written, changed, time.Since(began).Round(100*time.Millisecond))
	require.Positive(t, written)
	require.Less(t, written, int64(changed), "it was cut short")
	s.requireCancelled(id)
	s.requireMended(id, changed)
}

// withoutOutput is the result with what was printed before the error left out.
func (r result) withoutOutput() result {
	r.out = ""
	return r
}

// edit renames rows on the portal.
func (s *stack) edit(rows int) {
	s.t.Helper()
	var ops []portalsim.Op
	for i, key := range s.someKeys(rows) {
		ops = append(ops, portalsim.Rename(key, fmt.Sprintf("RENAMED %d", i)))
	}
	require.NoError(s.t, s.portal.Edit(ops...))
}

// contents are the documents by key with their hashes.
func (s *stack) contents() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for c := s.all(s.t); c.Next(s.t.Context()); {
		all[c.Current.Lookup("_id").StringValue()] = c.Current.String()
	}
	return all
}

// ofVersion counts the documents of a version.
func (s *stack) ofVersion(version int) int64 {
	n, err := s.mongo.Database(s.database()).Collection(mongodb.Businesses).CountDocuments(s.t.Context(), bson.D{{Key: "lineage.version", Value: version}})
	require.NoError(s.t, err)
	return n
}

// requireCancelled looks at the record of a run, and that nobody writes on.
func (s *stack) requireCancelled(id string) {
	s.t.Helper()
	run, err := s.reader().Runs.Run(s.t.Context(), id)
	require.NoError(s.t, err)
	require.Equal(s.t, runs.StatusCancelled, run.Status)
	require.False(s.t, run.Finished.IsZero())
	require.Empty(s.t, run.Outcome)
	require.Regexp(s.t, id+` .* cancelled `, s.ok("status", "--outcome", "cancelled"))
	before := s.ofVersion(2)
	time.Sleep(2 * time.Second) // whatever still wrote would have by then
	require.Equal(s.t, before, s.ofVersion(2), "nothing writes after the end")
}

// requireMended makes the next run and has everything looked at: the mirror
// equals the portal, each version has its event, and nothing is left over in
// the landing.
func (s *stack) requireMended(id string, changed int) {
	s.t.Helper()
	next := s.load()
	require.NotEqual(s.t, id, next.Run)
	require.Equal(s.t, "green", next.Outcome)
	require.NotContains(s.t, s.ok("verify", "--deep"), "NOT OK")
	require.EqualValues(s.t, changed, s.ofVersion(2), "each row changed once")
	require.Zero(s.t, s.ofVersion(3))
	var renamed []change
	s.readJSON(&renamed, "changes", "--since", "1h", "--kind", "renamed")
	require.Len(s.t, renamed, changed, "and has one event")

	zone, err := landing.Open(landing.Config{}, s.db())
	require.NoError(s.t, err)
	pages, err := zone.List(s.t.Context(), "")
	require.NoError(s.t, err)
	for _, p := range pages {
		require.Equal(s.t, landing.KindRaw, p.Kind, "only the archive is left: %+v", p)
	}
	db := s.mongo.Database(s.database())
	var files, chunks []any
	require.NoError(s.t, db.Collection("landing.files").Distinct(s.t.Context(), "_id", bson.D{}).Decode(&files))
	require.NoError(s.t, db.Collection("landing.chunks").Distinct(s.t.Context(), "files_id", bson.D{}).Decode(&chunks))
	require.NotEmpty(s.t, files)
	require.Subset(s.t, files, chunks, "no chunk without its page")
}

// TestACancelledRunTellsWhatItWaitedFor cancels a run that waits for its portal: the
// record keeps the failure, which Temporal forgets. A failure that was overcome is
// not kept.
func TestACancelledRunTellsWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 87))
	s.worker()
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 1, Status: http.StatusServiceUnavailable, Times: -1})
	id := strings.TrimSuffix(strings.Fields(s.ok("run"))[2], ";")
	require.Eventually(t, func() bool {
		run, ok := s.newest()
		return ok && run.LastFailure.Attempt > 1
	}, soon, 100*time.Millisecond, "while it waits, the record tells")
	require.Contains(t, s.ok("status", id), "last failure  attempt ")
	s.ok("cancel", id, "--wait")
	s.requireCancelled(id)
	const told = `cancelled; attempt \d+ of \w+ failed at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: .*503.*\((PortalUnavailable|CircuitOpen)\)`
	run, _ := s.newest()
	require.Regexp(t, "^"+told+"$", run.Reason)
	require.WithinRange(t, run.LastFailure.At, run.Started, run.Finished)
	require.Regexp(t, `\nwhy +`+told+`\n`, s.ok("status", id))

	s.portal.Heal()
	s.portal.Fail(portalsim.Fault{Path: "/resource/", Skip: 1, Status: http.StatusServiceUnavailable, Times: 3})
	green := s.load()
	require.Empty(t, green.Record.LastFailure.Step, "it was overcome")
}
