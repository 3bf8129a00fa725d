package certificate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/socrata"
)

var served = time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)

// sound is a crawl of two pages that the gate lets through.
func sound() Gate {
	v := socrata.Version{Served: served, Truth: served}
	return Gate{
		Key: "ttxid", Columns: []string{"ttxid", "dba_name"}, Before: 4000, Source: SourceCounts{Rows: 4000}, Probe: v,
		Recounts: []socrata.Version{v, v}, Documents: 4000,
		Last:    Profile{Rows: 4000, Missing: map[string]int{"dba_name": 400}},
		Profile: Profile{Rows: 4000, Missing: map[string]int{"dba_name": 400}}, MaxQuarantined: 200,
		Pages: []GatePage{{First: "a", Last: "m", Version: v}, {First: "n", Last: "z", Version: v}},
	}
}

func TestGateChecks(t *testing.T) {
	later := served.Add(time.Second)
	for name, c := range map[string]struct {
		spoil    func(*Gate)
		closed   string // the check that fails; empty when none does
		unproven string // why the crawl is not consistent; empty when it is
	}{
		"sound":                        {func(*Gate) {}, "", ""},
		"a row is missing":             {func(c *Gate) { c.Profile.Rows-- }, "rows", ""},
		"the count moved":              {func(c *Gate) { c.Source.Rows++ }, "rows", ""},
		"rows moved with a version":    {func(c *Gate) { c.Source.Rows++; c.Recounts[1] = socrata.Version{Served: later, Truth: later} }, "", "moved"},
		"a page of another version":    {func(c *Gate) { c.Pages[1].Version = socrata.Version{Served: later, Truth: later} }, "", "moved"},
		"a lagging copy":               {func(c *Gate) { c.Pages[0].Version.Truth = later }, "", "master was at"},
		"out of date":                  {func(c *Gate) { c.Recounts[0].OutOfDate = true }, "", "says that this is out of date"},
		"no version":                   {func(c *Gate) { c.Probe = socrata.Version{} }, "", "moved from a time that it does not tell"},
		"no version of the master":     {func(c *Gate) { c.Recounts[0].Truth = time.Time{} }, "", "does not say which version it serves, nor when"},
		"another order of keys":        {func(c *Gate) { c.Pages[0].Disorder, c.Pages[1].First = "k", "c" }, "", ""},
		"a quarantined double":         {func(c *Gate) { c.Pages[0].Doubles = 1 }, "", ""},
		"a key in two ranges":          {func(c *Gate) { c.Pages[1].First = "m" }, "keys", ""},
		"a quarter and more gone":      {func(c *Gate) { c.Documents = 5334 }, "size", ""},
		"not quite a quarter gone":     {func(c *Gate) { c.Documents = 5333 }, "", ""},
		"a small table shrank":         {func(c *Gate) { c.Documents = 999; c.Profile.Rows, c.Before, c.Source.Rows = 1, 1, 1 }, "", ""},
		"a column went blank":          {func(c *Gate) { c.Profile.Missing["dba_name"] = 1201 }, "columns", ""},
		"a column just not blank":      {func(c *Gate) { c.Profile.Missing["dba_name"] = 1200 }, "", ""},
		"an optional column vanished":  {func(c *Gate) { c.Profile.Missing["city"] = 4000 }, "", ""},
		"a quarter would be removed":   {func(c *Gate) { c.Missing = 1001 }, "changes", ""},
		"every row would change":       {func(c *Gate) { c.Changed = 4000 }, "", ""},
		"as many in quarantine as may": {func(c *Gate) { c.Quarantined = 200 }, "", ""},
		"more in quarantine":           {func(c *Gate) { c.Quarantined = 201 }, "quarantine", ""},
		"never counted after it":       {func(c *Gate) { c.Unproven = "the portal was not counted" }, "", "not counted"},
	} {
		gate := sound()
		c.spoil(&gate)
		found := gate.Check()
		require.Equal(t, c.unproven == "", found.Proof != "", "%s: %s", name, found.Why)
		require.Contains(t, found.Why, c.unproven, name)
		for _, check := range found.Checks {
			require.Equal(t, check.Name != c.closed, check.OK, "%s: check %s: %s", name, check.Name, check.Detail)
			require.NotEmpty(t, check.Detail, name)
		}
	}
}

func TestTheGateNamesWhyRowsAreQuarantined(t *testing.T) {
	gate := sound()
	detail := func() string {
		for _, c := range gate.Check().Checks {
			if c.Name == "quarantine" {
				return c.Detail
			}
		}
		return "there is no such check"
	}
	require.Equal(t, "0 of 4,000 rows are in quarantine", detail())
	gate.Quarantined, gate.Reasons = 12, map[string]int{"no key": 2, "unreadable value in required column a": 10}
	require.Equal(t, "12 of 4,000 rows are in quarantine: unreadable value in required column a (10), no key (2)", detail())
	gate.Quarantined, gate.Reasons = 1206, map[string]int{"a": 1200, "b": 2, "c": 1, "d": 1, "e": 1, "f": 1}
	require.Equal(t, "1,206 of 4,000 rows are in quarantine: a (1,200), b (2), c (1), d (1), e (1) and 1 more reasons; "+
		"max_quarantined allows 200: correct the spec, or ask the publisher", detail())
}
