package certificate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/socrata"
)

// TestWhatShowsTheVersionOfACrawl is long for its table: what portals were seen to
// say, and what they may.
func TestWhatShowsTheVersionOfACrawl(t *testing.T) {
	later, earlier := served.Add(time.Hour), served.Add(-time.Hour)
	truth := socrata.Version{Served: served, Truth: served}
	stated := socrata.Version{Served: served, UpToDate: true}
	legacy := socrata.Version{Served: served, Updated: served}
	for name, c := range map[string]struct {
		versions Versions
		proof    VersionProof
		again    bool
		stated   bool
		why      string
	}{
		"the master's version":        {Versions{First: truth, Others: []socrata.Version{truth, truth}}, ByTruth, false, true, ""},
		"statements":                  {Versions{First: stated, Others: []socrata.Version{stated}}, ByStatement, false, true, ""},
		"some state the master's":     {Versions{First: stated, Others: []socrata.Version{{Served: served, Truth: served, UpToDate: true}}}, ByStatement, false, true, ""},
		"a statement of lagging":      {Versions{First: stated, Others: []socrata.Version{{Served: served, OutOfDate: true}}}, "", true, true, "out of date"},
		"another version":             {Versions{First: stated, Others: []socrata.Version{{Served: later, UpToDate: true}}}, "", true, true, "moved"},
		"a copy lags":                 {Versions{First: truth, Others: []socrata.Version{{Served: served, Truth: later}}}, "", true, true, "its master was at"},
		"the metadata":                {Versions{First: legacy, Others: []socrata.Version{{Served: served}}, After: served}, ByMetadata, false, false, ""},
		"only the metadata":           {Versions{First: socrata.Version{Updated: served}, Others: []socrata.Version{{}}, After: served}, ByMetadata, false, false, ""},
		"the metadata moved":          {Versions{First: legacy, Others: []socrata.Version{{Served: served}}, After: later}, "", true, false, "was updated at"},
		"the copy is older than they": {Versions{First: socrata.Version{Served: earlier, Updated: served}, After: served}, "", true, false, "lags"},
		"of another clock, a little":  {Versions{First: socrata.Version{Served: served.Add(-time.Minute), Updated: served}, After: served}, ByMetadata, false, false, ""},
		"newer than they":             {Versions{First: socrata.Version{Served: later, Updated: served}, After: served}, ByMetadata, false, false, ""},
		"some answers say nothing":    {Versions{First: legacy, Others: []socrata.Version{{}}, After: served}, "", true, false, "moved"},
		"no metadata afterwards":      {Versions{First: legacy, Others: []socrata.Version{{Served: served}}}, "", false, false, "nor when"},
		"nothing at all":              {Versions{Others: []socrata.Version{{}}}, "", false, false, "nor when"},
		"a statement of no version":   {Versions{First: socrata.Version{UpToDate: true}}, "", false, false, "nor when"},
	} {
		proof, why, again := c.versions.Proof()
		require.Equal(t, c.proof, proof, "%s: %s", name, why)
		require.Equal(t, c.again, again, name)
		require.Equal(t, c.stated, c.versions.Stated(), name)
		require.Contains(t, why, c.why, name)
		require.Equal(t, proof == "", why != "", name)
	}
	for _, p := range []VersionProof{ByTruth, ByStatement, ByMetadata, ""} {
		require.NotEmpty(t, p.String())
	}
	counted := sound()
	counted.Probe, counted.Recounts, counted.Updated = socrata.Version{Updated: served}, nil, served
	counted.Pages[0].Version, counted.Pages[1].Version = socrata.Version{}, socrata.Version{}
	require.Equal(t, ByMetadata, counted.Check().Proof)
	counted.Source.Rows++
	found := counted.Check()
	require.Empty(t, found.Proof, "the metadata may be older than the rows")
	require.True(t, found.Again)
	require.Empty(t, Failed(found.Checks))
}

func TestAnAnswerLags(t *testing.T) {
	truth, stated := socrata.Version{Served: served, Truth: served}, socrata.Version{Served: served, UpToDate: true}
	later := served.Add(time.Second)
	for name, c := range map[string]struct {
		v, than socrata.Version
		lags    bool
	}{
		"the master's":                    {truth, truth, false},
		"a newer one":                     {socrata.Version{Served: later, Truth: later}, truth, false},
		"a lagging copy":                  {socrata.Version{Served: served, Truth: later}, truth, true},
		"out of date":                     {socrata.Version{Served: served, Truth: served, OutOfDate: true}, truth, true},
		"no version":                      {socrata.Version{}, truth, true},
		"no longer the master's":          {stated, truth, true},
		"as current as before":            {stated, stated, false},
		"older than before":               {socrata.Version{Served: served, UpToDate: true}, socrata.Version{Served: later, UpToDate: true}, true},
		"of a portal that tells no other": {socrata.Version{}, socrata.Version{Updated: served}, false},
	} {
		require.Equal(t, c.lags, Lags(c.v, c.than), name)
	}
}

func TestThePortalMoved(t *testing.T) {
	later := served.Add(time.Second)
	for name, c := range map[string]struct {
		now, since socrata.Version
		moved      time.Time
	}{
		"not":                {socrata.Version{Served: served, Truth: served}, socrata.Version{Served: served, Truth: served}, time.Time{}},
		"the master":         {socrata.Version{Served: served, Truth: later}, socrata.Version{Served: served, Truth: served}, later},
		"the copy":           {socrata.Version{Served: later}, socrata.Version{Served: served}, later},
		"the metadata":       {socrata.Version{Updated: later}, socrata.Version{Updated: served}, later},
		"nothing to compare": {socrata.Version{Served: later, Updated: later}, socrata.Version{}, time.Time{}},
	} {
		require.Equal(t, c.moved, Moved(c.now, c.since), name)
	}
}
