package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/cleaning"
	"padron/internal/mirror"
)

var served = time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)

// sound is a crawl of two pages that the gate lets through.
func sound() crawl {
	v := Version{Served: served, Truth: served}
	c := crawl{
		key: "ttxid", columns: []string{"ttxid", "dba_name"}, before: 4000, facts: mirror.Facts{Rows: 4000}, probe: v, recounts: []Version{v, v}, documents: 4000,
		last: mirror.Profile{Rows: 4000, Missing: map[string]int{"dba_name": 400}},
	}
	c.add(PageSummary{First: "a", Last: "m", Version: v, Profile: cleaning.Profile{Rows: 2500, Missing: map[string]int{"dba_name": 250}}})
	c.add(PageSummary{First: "n", Last: "z", Version: v, Profile: cleaning.Profile{Rows: 1500, Missing: map[string]int{"dba_name": 150}}})
	return c
}

func TestGateChecks(t *testing.T) {
	later := served.Add(time.Second)
	for name, c := range map[string]struct {
		spoil    func(*crawl)
		closed   string // the check that fails; empty when none does
		unproven string // why the crawl is not whole; empty when it is
	}{
		"sound":                       {func(*crawl) {}, "", ""},
		"a row is missing":            {func(c *crawl) { c.profile.Rows-- }, "rows", ""},
		"the count moved":             {func(c *crawl) { c.facts.Rows++ }, "rows", ""},
		"rows moved with a version":   {func(c *crawl) { c.facts.Rows++; c.recounts[1] = Version{Served: later, Truth: later} }, "", "moved"},
		"a page of another version":   {func(c *crawl) { c.pages[1].Version = Version{Served: later, Truth: later} }, "", "moved"},
		"a lagging copy":              {func(c *crawl) { c.pages[0].Version.Truth = later }, "", "master was at"},
		"out of date":                 {func(c *crawl) { c.recounts[0].OutOfDate = true }, "", "master was at"},
		"no version":                  {func(c *crawl) { c.probe = Version{} }, "", "does not say which version it serves"},
		"no version of the master":    {func(c *crawl) { c.recounts[0].Truth = time.Time{} }, "", "master has"},
		"another order of keys":       {func(c *crawl) { c.pages[0].Disorder, c.pages[1].First = "k", "c" }, "", ""},
		"a quarantined double":        {func(c *crawl) { c.pages[0].Doubles = 1 }, "", ""},
		"a key in two ranges":         {func(c *crawl) { c.pages[1].First = "m" }, "keys", ""},
		"a quarter and more gone":     {func(c *crawl) { c.documents = 5334 }, "size", ""},
		"not quite a quarter gone":    {func(c *crawl) { c.documents = 5333 }, "", ""},
		"a small table shrank":        {func(c *crawl) { c.documents = 999; c.profile.Rows, c.before, c.facts.Rows = 1, 1, 1 }, "", ""},
		"a column went blank":         {func(c *crawl) { c.profile.Missing["dba_name"] = 1201 }, "columns", ""},
		"a column just not blank":     {func(c *crawl) { c.profile.Missing["dba_name"] = 1200 }, "", ""},
		"an optional column vanished": {func(c *crawl) { c.profile.Missing["city"] = 4000 }, "", ""},
		"a quarter would be removed":  {func(c *crawl) { c.compared.Missing = 1001 }, "changes", ""},
		"every row would change":      {func(c *crawl) { c.compared.Replaced = 4000 }, "", ""},
		"never counted after it":      {func(c *crawl) { c.unproven = "the portal was not counted" }, "", "not counted"},
	} {
		crawl := sound()
		c.spoil(&crawl)
		checks, whole, why := crawl.check()
		require.Equal(t, c.unproven == "", whole, "%s: %s", name, why)
		require.Contains(t, why, c.unproven, name)
		for _, check := range checks {
			require.Equal(t, check.Name != c.closed, check.OK, "%s: check %s: %s", name, check.Name, check.Detail)
			require.NotEmpty(t, check.Detail, name)
		}
	}
}

func TestSkippingNeedsProof(t *testing.T) {
	now := served.Add(24 * time.Hour)
	for name, c := range map[string]struct {
		change func(*ProbeInput, *ProbeResult, *mirror.Run)
		skip   bool
		why    string
	}{
		"everything equal":     {func(*ProbeInput, *ProbeResult, *mirror.Run) {}, true, "nothing new"},
		"found red since":      {func(*ProbeInput, *ProbeResult, *mirror.Run) {}, false, "run v (verify) found"},
		"asked for":            {func(in *ProbeInput, _ *ProbeResult, _ *mirror.Run) { in.Mode = Full }, false, "asked for"},
		"no green run":         {func(_ *ProbeInput, _ *ProbeResult, g *mirror.Run) { *g = mirror.Run{} }, false, "no green run"},
		"another spec":         {func(_ *ProbeInput, r *ProbeResult, _ *mirror.Run) { r.Spec = "other" }, false, "spec changed"},
		"a newer version":      {func(_ *ProbeInput, r *ProbeResult, _ *mirror.Run) { r.Version.Served, r.Version.Truth = now, now }, false, "updated"},
		"a lagging copy":       {func(_ *ProbeInput, r *ProbeResult, _ *mirror.Run) { r.Version.Truth = now }, false, "lags"},
		"out of date":          {func(_ *ProbeInput, r *ProbeResult, _ *mirror.Run) { r.Version.OutOfDate = true }, false, "lags"},
		"no version":           {func(_ *ProbeInput, r *ProbeResult, _ *mirror.Run) { r.Version = Version{} }, false, "does not say"},
		"another count":        {func(_ *ProbeInput, r *ProbeResult, _ *mirror.Run) { r.Rows++ }, false, "rows"},
		"a week ago":           {func(in *ProbeInput, _ *ProbeResult, _ *mirror.Run) { in.Run.Started = now.Add(8 * 24 * time.Hour) }, false, "7 days"},
		"an unsettled version": {func(_ *ProbeInput, _ *ProbeResult, g *mirror.Run) { g.Started = served.Add(59 * time.Second) }, false, "less than a minute"},
	} {
		v := Version{Served: served, Truth: served}
		in := ProbeInput{Mode: Auto, Run: Run{Started: now}}
		probed := ProbeResult{Rows: 7, Version: v, Spec: "s"}
		green := mirror.Run{ID: "g", Spec: "s", Version: v, Started: served.Add(time.Hour), Finished: served.Add(2 * time.Hour), Counts: mirror.Counts{PortalRows: 7}}
		proven := mirror.Run{ID: "g", Certificate: mirror.Verdict{Outcome: mirror.OutcomeGreen}}
		if name == "found red since" {
			proven = mirror.Run{ID: "v", Job: string(JobVerify), Certificate: mirror.Verdict{Outcome: mirror.OutcomeRed}}
		}
		c.change(&in, &probed, &green)
		skip, why := decide(in, probed, green, proven)
		require.Equal(t, c.skip, skip, "%s: %s", name, why)
		require.Contains(t, why, c.why, name)
	}
}
