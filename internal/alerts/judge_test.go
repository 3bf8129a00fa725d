package alerts

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/certificate"
	"padron/internal/runs"
	"padron/internal/webhook"
)

// TestWhatFollowsFromARun says of each end of a run which conditions it finds
// and which it finds past; "(quietly)" where another one says it.
func TestWhatFollowsFromARun(t *testing.T) {
	proof := func(outcome certificate.Outcome, wrong ...string) certificate.Verdict {
		v := certificate.Verdict{Outcome: outcome, Checks: []certificate.Check{{Name: "consistent", OK: true}}}
		for _, name := range wrong {
			v.Checks = append(v.Checks, certificate.Check{Name: name})
		}
		return v
	}
	unchanged := runs.Run{Probe: runs.Probe{Decision: runs.ProbeSkip}}
	done := func(outcome certificate.Outcome) Ending {
		return Ending{Status: runs.StatusDone, Outcome: outcome}
	}
	verify := func(outcome certificate.Outcome) Ending {
		in := done(outcome)
		in.Job = runs.JobVerify
		return in
	}
	failed := func(kind string) Ending {
		return Ending{Status: runs.StatusFailed, Kind: kind, Why: "why"}
	}
	backfill := func(in Ending) Ending {
		in.Job = runs.JobBackfill
		return in
	}
	refused := failed(runs.NothingToDo)
	refused.Refused = true
	for name, c := range map[string]struct {
		in    Ending
		run   runs.Run
		open  []Condition
		found string
		past  string
	}{
		"green": {done(certificate.Green), runs.Run{Certificate: proof("green")}, nil, "", "deadline_passed failed held_removals not_green schema_changed stale"},
		"green, with warnings": {
			done(certificate.Green),
			runs.Run{Certificate: proof("green"), Warnings: []string{"column x is new", "column y is not there"}},
			nil, "schema_changed", "deadline_passed failed held_removals not_green stale",
		},
		"nothing new":          {Ending{Status: runs.StatusSkipped}, unchanged, nil, "", "deadline_passed failed not_green schema_changed stale"},
		"another run wrote":    {Ending{Status: runs.StatusSkipped}, runs.Run{Probe: runs.Probe{Decision: "full"}}, nil, "", ""},
		"cancelled":            {Ending{Status: runs.StatusCancelled}, runs.Run{}, nil, "", ""},
		"red":                  {done(certificate.Red), runs.Run{Certificate: proof("red", "digest")}, nil, "not_green", "deadline_passed failed held_removals schema_changed"},
		"red, missing ones":    {done(certificate.Red), runs.Run{Certificate: proof("red", "removals"), Counts: runs.Counts{Missing: 3}}, nil, "not_green", "deadline_passed failed schema_changed"},
		"unproven":             {done(certificate.Unproven), runs.Run{Certificate: proof("unproven"), Counts: runs.Counts{Missing: 3}}, nil, "not_green", "deadline_passed failed schema_changed"},
		"held":                 {done(certificate.Red), runs.Run{Certificate: proof("red", "removals"), Counts: runs.Counts{Missing: 700, Held: 700}}, nil, "held_removals", "deadline_passed failed not_green(quietly) schema_changed"},
		"held, and more wrong": {done(certificate.Red), runs.Run{Certificate: proof("red", "digest", "removals"), Counts: runs.Counts{Missing: 700, Held: 700}}, nil, "held_removals not_green", "deadline_passed failed schema_changed"},
		"verified while held":  {verify(certificate.Red), runs.Run{Certificate: proof("red", "removals"), Counts: runs.Counts{Missing: 700}}, []Condition{ConditionHeld}, "", "not_green(quietly)"},
		"verified, red":        {verify(certificate.Red), runs.Run{Certificate: proof("red", "digest")}, nil, "not_green", "held_removals"},
		"verified, behind":     {verify(certificate.Behind), runs.Run{Certificate: proof("behind", "rows")}, nil, "", "held_removals"},
		"verified, green":      {verify(certificate.Green), runs.Run{Certificate: proof("green")}, nil, "", "held_removals not_green stale"},
		"damage found": {
			verify(certificate.Red),
			runs.Run{Certificate: proof("red", "deep", "deep corrupt")},
			nil,
			"damaged", "held_removals not_green(quietly)",
		},
		"damage found, and more": {verify(certificate.Red), runs.Run{Certificate: proof("red", "digest", "deep", "deep corrupt")}, nil, "damaged not_green", "held_removals"},
		"damage stands": {
			done(certificate.Red),
			runs.Run{Certificate: proof("red", "damage")},
			[]Condition{ConditionDamaged},
			"", "deadline_passed failed held_removals not_green(quietly) schema_changed",
		},
		"damage mended": {
			done(certificate.Green),
			runs.Run{Certificate: certificate.Verdict{Outcome: "green", Checks: []certificate.Check{{Name: "deep", OK: true}}}},
			[]Condition{ConditionDamaged},
			"", "damaged deadline_passed failed held_removals not_green schema_changed stale",
		},
		"failed":               {failed(runs.GateClosed), runs.Run{}, nil, "failed", ""},
		"failed by the schema": {failed(runs.SchemaChanged), runs.Run{}, nil, "schema_changed", "failed(quietly)"},
		"refused":              {refused, runs.Run{}, nil, "", ""},

		"backfilled":             {backfill(done(certificate.Behind)), runs.Run{}, nil, "", "backfill_failed"},
		"backfilled, with holes": {backfill(done(certificate.Red)), runs.Run{}, nil, "backfill_failed", ""},
		"a backfill failed":      {backfill(failed("BackfillStopped")), runs.Run{}, nil, "backfill_failed", ""},
		"a backfill refused":     {backfill(refused), runs.Run{}, nil, "", ""},
		"a backfill cancelled":   {backfill(Ending{Status: runs.StatusCancelled}), runs.Run{}, nil, "", ""},
		"snapshots made anew":    {Ending{Job: runs.JobReconstruct, Status: runs.StatusDone, Outcome: certificate.Green}, runs.Run{}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := c.in
			e.Run, e.Record, e.open = "manual-1", c.run, map[Condition]bool{}
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
	a := Alert{
		ID: ConditionHeld, Open: true, Message: "msg_1", Run: "manual-1", Job: "mirror", Status: runs.StatusDone, Outcome: certificate.Red,
		Reason: "700 rows <gone> & not back", Next: "`starter approve manual-1`", Counts: runs.Counts{PortalRows: 2300, Documents: 3000, Held: 700},
		Since: time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC), Changed: time.Date(2026, 11, 25, 14, 5, 0, 0, time.UTC),
	}
	m := Message("sf-business", zone, a)
	require.Equal(t, "*sf-business: removals are held*\n700 rows &lt;gone&gt; &amp; not back\nWhat to do: `starter approve manual-1`\n"+
		"2,300 rows on the portal, 3,000 documents: 0 new, 0 changed, 0 removed.", m.Text)
	require.Equal(t, webhook.Details{
		ID: "msg_1", Kind: "held_removals", Condition: "held_removals", Dataset: "sf-business", Run: "manual-1", Job: "mirror", Status: "done", Outcome: "red",
		Reason: a.Reason, Next: a.Next, Since: a.Since, At: a.Changed, Counts: a.Counts,
	}, m.Padron)
	a.Open, a.Next, a.Counts, a.Reason = false, "", runs.Counts{}, strings.Repeat("é", 2000)
	m = Message("sf-business", zone, a)
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
		require.Equal(t, want, Short(d))
	}
}
