package boundaries_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/boundaries"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/socrata"
)

// outlinesOf is a client of the boundaries that a handler serves.
func outlinesOf(t *testing.T, handler http.Handler) *socrata.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c, err := socrata.New(socrata.Options{BaseURL: server.URL, ID: portalsim.DefaultBoundariesID, AppToken: "secret-token", HTTPClient: server.Client()})
	require.NoError(t, err)
	return c
}

func TestBoundaries(t *testing.T) {
	p, err := portalsim.New(portalsim.Options{Table: register.Generate(10, 1), Updated: time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)})
	require.NoError(t, err)
	c := outlinesOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/resource/j2bu-swwd.geojson" {
			assert.Equal(t, "5000", r.URL.Query().Get("$limit"), "portals give 1000 unless told")
			assert.Contains(t, r.Header.Get("Accept"), "application/vnd.geo+json")
			assert.Equal(t, "secret-token", r.Header.Get("X-App-Token"))
		}
		p.ServeHTTP(w, r)
	}))
	live, _, err := c.Metadata(t.Context())
	require.NoError(t, err)
	areas, version, err := boundaries.Fetch(t.Context(), c, "nhood")
	require.NoError(t, err)
	assert.Equal(t, register.Neighborhoods(), areas)
	assert.Equal(t, time.Date(2023, 10, 3, 11, 15, 0, 0, time.UTC), version.Served)
	assert.Equal(t, version.Served, live.RowsUpdatedAt)
	assert.False(t, version.OutOfDate)
	assert.EqualValues(t, 2, p.Requests())

	_, _, err = boundaries.Fetch(t.Context(), c, "name")
	require.ErrorIs(t, err, boundaries.ErrUnusable)
	require.ErrorContains(t, err, "/resource/j2bu-swwd.geojson: boundaries cannot be used: feature 1: it has no text as its property name")
}

// What is no JSON speaks against the portal and is worth another try; what is
// JSON and no outlines does neither.
func TestAnswersThatAreNoBoundaries(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		kind   string
		body   string
		want   socrata.Kind // 0: ErrUnusable
	}{
		"a page of HTML":     {200, "text/html", "<html>", socrata.Garbage},
		"HTML as GeoJSON":    {200, "application/vnd.geo+json", "<html>", socrata.Garbage},
		"nothing":            {200, "application/vnd.geo+json", "", socrata.Garbage},
		"truncated":          {200, "application/vnd.geo+json", `{"type":"FeatureCollection","features":[`, socrata.Garbage},
		"NaN":                {200, "application/vnd.geo+json", `{"type":"FeatureCollection","features":[NaN]}`, socrata.Garbage},
		"rows":               {200, "application/json", `[]`, 0},
		"an envelope":        {200, "application/json", `{"error":true,"message":"no"}`, 0},
		"no features":        {200, "application/vnd.geo+json", `{"type":"FeatureCollection","features":[]}`, 0},
		"not there":          {404, "application/json", `{"code":"dataset.missing"}`, socrata.NotFound},
		"in trouble":         {503, "text/html", "<html>", socrata.Unavailable},
		"too many requests":  {429, "application/json", `{}`, socrata.Throttled},
		"no geospatial data": {400, "application/json", `{"code":"query.soql.no-such-column"}`, socrata.BadQuery},
	} {
		t.Run(name, func(t *testing.T) {
			c := outlinesOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.kind)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			areas, _, err := boundaries.Fetch(t.Context(), c, "nhood")
			assert.Nil(t, areas)
			if test.want == 0 {
				require.ErrorIs(t, err, boundaries.ErrUnusable)
				return
			}
			var e *socrata.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, test.want, e.Kind)
		})
	}
}

// TestAsManyOutlinesAsAreAskedFor may not be all of them.
func TestAsManyOutlinesAsAreAskedFor(t *testing.T) {
	const feature = `{"type":"Feature","properties":{"nhood":"A"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}}`
	for n, cut := range map[int]bool{4999: false, 5000: true} {
		c := outlinesOf(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.geo+json")
			_, _ = io.WriteString(w, `{"type":"FeatureCollection","features":[`+strings.Repeat(feature+",", n-1)+feature+`]}`)
		}))
		areas, _, err := boundaries.Fetch(t.Context(), c, "nhood")
		if cut {
			require.ErrorIs(t, err, boundaries.ErrUnusable)
			require.ErrorContains(t, err, "5000 features or more")
			continue
		}
		require.NoError(t, err)
		require.Len(t, areas, 1)
		require.Len(t, areas[0].Outline, n)
	}
}
