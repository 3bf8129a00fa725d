package main_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"padron/internal/certificate"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/runs"
	"padron/workflows"
)

// maxRemovals lets a run of the stack's dataset remove so many rows.
func (s *stack) maxRemovals(rows string) {
	s.t.Helper()
	s.editSpec("max_removals: {percent: 1, rows: 500}", "max_removals: {percent: 0, rows: "+rows+"}")
}

// editSpec replaces parts of the spec: pairs of old and new text.
func (s *stack) editSpec(changes ...string) {
	s.t.Helper()
	s.spec = specFile(s.t, s.name, func(spec string) string {
		for pair := range slices.Chunk(changes, 2) {
			require.Contains(s.t, spec, pair[0])
			spec = strings.Replace(spec, pair[0], pair[1], 1)
		}
		return spec
	})
	s.env["PADRON_DATASET"] = s.spec
}

// notGreen runs a command line with -o json that must end with a run that is
// not green.
func (s *stack) notGreen(outcome certificate.Outcome, args ...string) summary {
	s.t.Helper()
	r := s.starter(append(args, "-o", "json")...)
	require.Equal(s.t, notGreen, r.code, "%s\n%s", r.errors, r.out)
	var sum summary
	require.NoError(s.t, json.Unmarshal([]byte(r.out), &sum), "what is printed stays JSON")
	require.Equal(s.t, string(outcome), sum.Outcome, sum.Why)
	require.Equal(s.t, "starter: run "+sum.Run+" is "+sum.Outcome+": "+sum.Why+"\n", lastLine(r.errors))
	return sum
}

func lastLine(s string) string {
	lines := strings.SplitAfter(s, "\n")
	return lines[max(len(lines)-2, 0)]
}

// delete takes rows off the portal.
func (s *stack) delete(keys ...string) {
	s.t.Helper()
	var ops []portalsim.Op
	for _, key := range keys {
		ops = append(ops, portalsim.Delete(key))
	}
	require.NoError(s.t, s.portal.Edit(ops...))
}

func TestHeldRemovalsAreApproved(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 70))
	s.maxRemovals("3")
	s.worker()
	first := s.load()
	keys := s.someKeys(12)

	s.delete(keys[:3]...)
	removed := s.ok("run", "--wait")
	require.Regexp(t, `\nremoved +3 that the portal no longer has\n`, removed)
	require.EqualValues(t, 297, s.documents())

	s.delete(keys[3:8]...)
	held := s.notGreen(certificate.Red, "run", "--wait")
	require.EqualValues(t, 5, held.Record.Held.Rows)
	require.EqualValues(t, 297, s.documents(), "nothing is removed before somebody looked")
	require.Regexp(t, "\nheld +5 removals, over the dataset's max_removals; `starter approve "+held.Run+"` makes them\n", s.ok("status", held.Run))

	requireOneLine(t, s.starter("approve", "manual-1"), failed, `there is no run "manual-1"; `+"`starter status` lists them")
	r := s.starter("approve", first.Run)
	requireOneLine(t, r, failed, first.Run, "holds no removals")

	approved := s.starter("approve", held.Run)
	require.Zero(t, approved.code, approved.errors)
	require.Regexp(t, `^run +approve-`, approved.out)
	require.Regexp(t, `\njob +approve `+held.Run+`\n`, approved.out)
	require.Regexp(t, `\noutcome +green: `, approved.out)
	require.Regexp(t, `\nremoved +5 that the portal no longer has\n`, approved.out)
	require.EqualValues(t, 292, s.documents())
	var gone []change
	s.readJSON(&gone, "changes", "--since", "1h", "--kind", "removed")
	require.Len(t, gone, 8)

	// Of two runs that hold removals only the newer can be approved.
	s.delete(keys[8:12]...)
	older := s.notGreen(certificate.Red, "run", "--wait")
	require.NoError(t, s.portal.Edit(portalsim.Rename(s.someKey(), "ANOTHER NAME")))
	newer := s.notGreen(certificate.Red, "run", "--wait")
	require.EqualValues(t, 1, newer.Record.Counts.Replaced, "later runs go on updating")
	requireOneLine(t, s.starter("approve", older.Run), failed, newer.Run+" came after "+older.Run, "holds 4 removals")
	started := s.ok("approve", newer.Run, "--wait=false")
	require.Regexp(t, "^started run approve-[^ ]+; `starter watch approve-[^ ]+` follows it\n$", started)
	require.Eventually(t, func() bool { return s.documents() == 288 }, soon, 100*time.Millisecond)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 71))
	s.worker()
	requireOneLine(t, s.starter("verify"), failed, "there is no mirror", "`starter run --wait` makes it")
	s.load()

	green := s.ok("verify")
	require.Regexp(t, `^run +verify-`, green)
	require.Regexp(t, `\njob +verify\n`, green)
	require.Regexp(t, `\noutcome +green: `, green)
	require.Regexp(t, `\ncertificate rows +ok: 300 rows on the portal, 300 documents here\n`, green)
	require.NotContains(t, green, "NOT OK")
	require.NotContains(t, s.ok("verify", "--deep"), "NOT OK")

	require.NoError(t, s.portal.Edit(portalsim.Rename(s.someKey(), "ANOTHER NAME")))
	behind := s.notGreen(certificate.Behind, "verify")
	require.Contains(t, behind.Why, "the portal was updated at ")
	require.Regexp(t, ` done +behind `, s.ok("status"))
	s.load()
	s.ok("verify", "--deep")

	// Its hash left as it is, a changed document is found only by hashing it.
	victim := s.someKeys(2)[1]
	s.harm(victim, bson.D{{Key: "$set", Value: bson.D{{Key: "dba_name", Value: "FORGED"}}}})
	deep := s.notGreen(certificate.Red, "verify", "--deep")
	require.Contains(t, deep.Why, victim)
	require.NotContains(t, deep.Why, "FORGED")
	require.Regexp(t, `certificate [^\n]* NOT OK: [^\n]*`+victim, s.starter("verify", "--deep").out)
	_, err := s.mongo.Database(s.database()).Collection(mongodb.Businesses).DeleteOne(t.Context(), bson.D{{Key: "_id", Value: victim}})
	require.NoError(t, err)
	s.notGreen(certificate.Red, "verify")
}

// harm changes a document behind Padron's back.
func (s *stack) harm(key string, update bson.D) {
	s.t.Helper()
	result, err := s.mongo.Database(s.database()).Collection(mongodb.Businesses).UpdateByID(s.t.Context(), key, update)
	require.NoError(s.t, err)
	require.EqualValues(s.t, 1, result.ModifiedCount)
}

func TestRerunWithThePortalSwitchedOff(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 72))
	s.worker()
	first := s.load()
	require.NoError(t, s.portal.Edit(portalsim.Rename(s.someKey(), "ANOTHER NAME")))
	second := s.load()

	s.portal.Fail(portalsim.Fault{Status: http.StatusServiceUnavailable, Times: -1})
	asked := s.portal.Requests()
	for _, from := range []string{"clean", "aggregate_snapshot"} {
		out := s.ok("rerun", second.Run, "--from", from)
		require.Regexp(t, `^run +rerun-`, out)
		require.Regexp(t, `\njob +rerun `+second.Run+` from `+from+`\n`, out)
		require.Regexp(t, `\noutcome +green: `, out)
	}
	require.Equal(t, asked, s.portal.Requests(), "the portal is not asked")
	requireOneLine(t, s.starter("rerun", first.Run, "--from", "gate"), failed, " came after "+first.Run+" and wrote the mirror")
	requireOneLine(t, s.starter("rerun", "manual-1", "--from", "gate"), failed, `there is no run "manual-1"; `+"`starter status` lists them")
}

// TestWrongUsageLeavesNoRun asks for what cannot be done, through the starter and
// past it: it is refused with the reason, and no record, alert or message is left.
func TestWrongUsageLeavesNoRun(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 74))
	s.worker()
	s.ok("setup")
	for _, line := range []string{"verify", "quarantine retry", "approve manual-1", "backfill --since 2026-01-01"} {
		requireOneLine(t, s.starter(strings.Fields(line)...), failed, "nothing was mirrored yet: `starter run` does that")
	}
	green := s.load()
	var verified summary
	s.readJSON(&verified, "verify")
	var skipped summary
	s.readJSON(&skipped, "run", "--wait")
	require.Equal(t, "skipped", skipped.Outcome)
	var before []runs.Run
	s.readJSON(&before, "status")
	for line, want := range map[string]string{
		"approve " + green.Run:                                "run " + green.Run + " holds no removals",
		"approve " + verified.Run:                             "run " + verified.Run + " holds no removals",
		"approve manual-1":                                    `there is no run "manual-1"`,
		"rerun manual-1 --from clean":                         `there is no run "manual-1"`,
		"rerun " + verified.Run + " --from clean":             "run " + verified.Run + " crawled nothing that could be repeated",
		"rerun " + skipped.Run + " --from aggregate_snapshot": "run " + skipped.Run + " crawled nothing that could be repeated",
		"rerun " + green.Run + " --from gate":                 "are no longer there; use --from clean",
	} {
		requireOneLine(t, s.starter(strings.Fields(line)...), failed, want)
	}
	requireOneLine(t, s.starter("backfill", "--since", "2026-01-01", "--on", "nowhere"), usage, "nowhere")

	for _, in := range []workflows.MirrorInput{
		{Job: runs.JobApprove, Of: green.Run},
		{Job: runs.JobRerun, Of: verified.Run, From: runs.FromClean},
		{Job: runs.JobRerun, Of: green.Run, From: runs.FromGate},
		{Job: runs.JobRerun, Of: "manual-1", From: runs.FromSnapshot},
	} {
		in.Dataset = s.name
		run, err := s.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
			ID: workflows.MirrorID(s.name, "wrong-"+bson.NewObjectID().Hex()), TaskQueue: workflows.Queue(s.name, s.name),
		}, workflows.Mirror, in)
		require.NoError(t, err)
		var app *temporal.ApplicationError
		require.ErrorAs(t, run.Get(t.Context(), nil), &app)
		require.Equal(t, runs.NothingToDo, app.Type())
	}
	reached, release := s.hold()
	defer release()
	writing := s.start(t, "starter", nil, "run", "--wait", "--mode", "full")
	<-reached
	for _, line := range []string{"run --no-wait", "verify --no-wait"} {
		requireOneLine(t, s.starter(strings.Fields(line)...), failed, " is writing "+s.name+"; leave out --no-wait to wait for it")
	}
	release()
	require.Zero(t, writing.result().code)

	var after []runs.Run
	s.readJSON(&after, "status")
	require.Len(t, after, len(before)+1, "only the run that was in the way has a record")
	require.NotContains(t, s.ok("status"), "wrong:")
}

// TestReplay corrects the spec that could not read some rows.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 73))
	const right, wrong = "from: [business_corridor], type: text}", "from: [business_corridor], type: number, required: true, portal_types: [text, number]}"
	s.editSpec(right, wrong, "max_quarantined: {percent: 5, rows: 10}", "max_quarantined: {percent: 50, rows: 0}")
	worker := s.worker()
	first := s.load()
	var rows []quarantined
	s.readJSON(&rows, "quarantine", "list")
	require.NotEmpty(t, rows)
	require.EqualValues(t, 300-len(rows), s.documents())
	require.Contains(t, s.ok("quarantine", "retry", "nobody"), "no row that was asked for is in quarantine")

	require.NoError(t, worker.signal(syscall.SIGTERM))
	require.Zero(t, worker.exits(stopsWithin))
	s.editSpec(right, right)
	s.worker()
	one := rows[0].Key
	var retried summary
	s.readJSON(&retried, "quarantine", "retry", one)
	require.Equal(t, "green", retried.Outcome, retried.Why)
	require.EqualValues(t, 301-len(rows), s.documents())
	out := s.ok("quarantine", "retry")
	require.Regexp(t, `^run +retry-`, out)
	require.EqualValues(t, 300, s.documents())
	require.Equal(t, "run "+first.Run+" has no rows in quarantine\n", s.ok("quarantine", "list"))
	s.ok("verify", "--deep")
}
