package activities

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/mirror"
	"padron/internal/webhook"
)

// TestWhatFollowsFromARun says of each end of a run which conditions it finds
// and which it finds past; "(quietly)" where another one says it.
func TestWhatFollowsFromARun(t *testing.T) {
	certificate := func(outcome mirror.Outcome, wrong ...string) mirror.Verdict {
		v := mirror.Verdict{Outcome: outcome, Checks: []mirror.Check{{Name: "whole", OK: true}}}
		for _, name := range wrong {
			v.Checks = append(v.Checks, mirror.Check{Name: name})
		}
		return v
	}
	unchanged := mirror.Run{Probe: mirror.Probe{Decision: mirror.ProbeSkip}}
	done := func(outcome mirror.Outcome) FinishInput {
		return FinishInput{Status: mirror.StatusDone, Outcome: outcome}
	}
	verify := func(outcome mirror.Outcome) FinishInput {
		in := done(outcome)
		in.Task.Job = JobVerify
		return in
	}
	failed := func(kind string) FinishInput {
		return FinishInput{Status: mirror.StatusFailed, Kind: kind, Why: "why"}
	}
	backfill := func(in FinishInput) FinishInput {
		in.Task.Job = JobBackfill
		return in
	}
	refused := failed(NothingToDo)
	refused.Refused = true
	for name, c := range map[string]struct {
		in    FinishInput
		run   mirror.Run
		open  []mirror.Condition
		found string
		past  string
	}{
		"green": {done(mirror.OutcomeGreen), mirror.Run{Certificate: certificate("green")}, nil, "", "deadline_passed failed held_removals not_green schema_changed stale"},
		"green, with warnings": {
			done(mirror.OutcomeGreen),
			mirror.Run{Certificate: certificate("green"), Warnings: []string{"column x is new", "column y is not there"}},
			nil, "schema_changed", "deadline_passed failed held_removals not_green stale",
		},
		"nothing new":          {FinishInput{Status: mirror.StatusSkipped}, unchanged, nil, "", "deadline_passed failed not_green schema_changed stale"},
		"another run wrote":    {FinishInput{Status: mirror.StatusSkipped}, mirror.Run{Probe: mirror.Probe{Decision: "full"}}, nil, "", ""},
		"cancelled":            {FinishInput{Status: mirror.StatusCancelled}, mirror.Run{}, nil, "", ""},
		"red":                  {done(mirror.OutcomeRed), mirror.Run{Certificate: certificate("red", "digest")}, nil, "not_green", "deadline_passed failed held_removals schema_changed"},
		"red, missing ones":    {done(mirror.OutcomeRed), mirror.Run{Certificate: certificate("red", "removals"), Counts: mirror.Counts{Missing: 3}}, nil, "not_green", "deadline_passed failed schema_changed"},
		"unproven":             {done(mirror.OutcomeUnproven), mirror.Run{Certificate: certificate("unproven"), Counts: mirror.Counts{Missing: 3}}, nil, "not_green", "deadline_passed failed schema_changed"},
		"held":                 {done(mirror.OutcomeRed), mirror.Run{Certificate: certificate("red", "removals"), Counts: mirror.Counts{Missing: 700, Held: 700}}, nil, "held_removals", "deadline_passed failed not_green(quietly) schema_changed"},
		"held, and more wrong": {done(mirror.OutcomeRed), mirror.Run{Certificate: certificate("red", "digest", "removals"), Counts: mirror.Counts{Missing: 700, Held: 700}}, nil, "held_removals not_green", "deadline_passed failed schema_changed"},
		"verified while held":  {verify(mirror.OutcomeRed), mirror.Run{Certificate: certificate("red", "removals"), Counts: mirror.Counts{Missing: 700}}, []mirror.Condition{mirror.ConditionHeld}, "", "not_green(quietly)"},
		"verified, red":        {verify(mirror.OutcomeRed), mirror.Run{Certificate: certificate("red", "digest")}, nil, "not_green", "held_removals"},
		"verified, behind":     {verify(mirror.OutcomeBehind), mirror.Run{Certificate: certificate("behind", "rows")}, nil, "", "held_removals"},
		"verified, green":      {verify(mirror.OutcomeGreen), mirror.Run{Certificate: certificate("green")}, nil, "", "held_removals not_green stale"},
		"failed":               {failed(GateClosed), mirror.Run{}, nil, "failed", ""},
		"failed by the schema": {failed(SchemaChanged), mirror.Run{}, nil, "schema_changed", "failed(quietly)"},
		"refused":              {refused, mirror.Run{}, nil, "", ""},

		"backfilled":             {backfill(done(mirror.OutcomeBehind)), mirror.Run{}, nil, "", "backfill_failed"},
		"backfilled, with holes": {backfill(done(mirror.OutcomeRed)), mirror.Run{}, nil, "backfill_failed", ""},
		"a backfill failed":      {backfill(failed("BackfillStopped")), mirror.Run{}, nil, "backfill_failed", ""},
		"a backfill refused":     {backfill(refused), mirror.Run{}, nil, "", ""},
		"a backfill cancelled":   {backfill(FinishInput{Status: mirror.StatusCancelled}), mirror.Run{}, nil, "", ""},
		"snapshots made anew":    {FinishInput{Task: Task{Job: JobReconstruct}, Status: mirror.StatusDone, Outcome: mirror.OutcomeGreen}, mirror.Run{}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.Run.ID = "manual-1"
			e := ending{in: c.in, run: c.run, open: map[mirror.Condition]bool{}}
			for _, condition := range c.open {
				e.open[condition] = true
			}
			e.judge()
			var found, past []string
			for _, f := range e.found {
				require.NotEmpty(t, f.Cause)
				require.NotEmpty(t, f.Next)
				require.Equal(t, "manual-1", f.Run)
				found = append(found, string(f.ID))
			}
			for condition, quiet := range e.past {
				p := string(condition)
				if quiet {
					p += "(quietly)"
				}
				past = append(past, p)
			}
			slices.Sort(past)
			require.Equal(t, c.found, strings.Join(found, " "))
			require.Equal(t, c.past, strings.Join(past, " "))
		})
	}
}

// What differs from one failure to the next is no news; what differs in kind is.
func TestShape(t *testing.T) {
	for _, same := range [][2]string{
		{"asked https://a for its rows: access refused (403) [request abcdef]", "asked https://a for its rows: access refused (403) [request 5457e73c]"},
		{"1,000 rows were read, the mirror has 2,000", "900 rows were read, the mirror has 2,001"},
		{"run manual-2026-11-24T04:49:33.573Z is red", "run scheduled-2026-11-25T14:00:00Z is red"},
	} {
		require.Equal(t, shape(same[0]), shape(same[1]))
	}
	require.NotEqual(t, shape("column lic is empty"), shape("column city is empty"))
}

func TestAMessageSaysAllOfIt(t *testing.T) {
	zone, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	a := mirror.Alert{
		ID: mirror.ConditionHeld, Open: true, Message: "msg_1", Run: "manual-1", Job: "mirror", Status: mirror.StatusDone, Outcome: mirror.OutcomeRed,
		Reason: "700 rows <gone> & not back", Next: "`starter approve manual-1`", Counts: mirror.Counts{PortalRows: 2300, Documents: 3000, Held: 700},
		Since: time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC), Changed: time.Date(2026, 11, 25, 14, 5, 0, 0, time.UTC),
	}
	m := message("sf-business", zone, a)
	require.Equal(t, "*sf-business: removals are held*\n700 rows &lt;gone&gt; &amp; not back\nWhat to do: `starter approve manual-1`\n"+
		"2,300 rows on the portal, 3,000 documents: 0 new, 0 changed, 0 removed.", m.Text)
	require.Equal(t, webhook.Details{
		ID: "msg_1", Kind: "held_removals", Condition: "held_removals", Dataset: "sf-business", Run: "manual-1", Job: "mirror", Status: "done", Outcome: "red",
		Reason: a.Reason, Next: a.Next, Since: a.Since, At: a.Changed, Counts: a.Counts,
	}, m.Padron)
	a.Open, a.Next, a.Counts, a.Reason = false, "", mirror.Counts{}, strings.Repeat("é", 2000)
	m = message("sf-business", zone, a)
	require.Equal(t, "recovered", m.Padron.Kind)
	require.Nil(t, m.Padron.Counts)
	require.Len(t, []rune(m.Padron.Reason), maxReason)
	require.True(t, strings.HasPrefix(m.Text, "*sf-business: recovered: removals are held*\n"))
	require.True(t, strings.HasSuffix(m.Text, "\nIt was so since 2026-11-24 06:05 PST."))
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		2 * time.Hour: "2h", 26*time.Hour + 5*time.Minute + 3*time.Second: "26h5m", time.Minute: "1m", 10 * time.Minute: "10m", 59 * time.Second: "59s", 20*time.Hour + 10*time.Minute: "20h10m",
	} {
		require.Equal(t, want, short(d))
	}
}
