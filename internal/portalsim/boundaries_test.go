package portalsim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/boundaries"
	"padron/internal/portalsim/register"
	"padron/internal/testenv"
)

func TestBoundariesOfThePortal(t *testing.T) {
	now := time.Date(2026, 10, 4, 0, 0, 0, 0, time.UTC)
	p, err := New(Options{Table: register.Generate(10, 1), Now: func() time.Time { return now }})
	require.NoError(t, err)
	server := httptest.NewServer(p)
	defer server.Close()
	url := server.URL + "/resource/" + DefaultBoundariesID + ".geojson"

	resp, body, err := get(t, url+"?$limit=5000")
	require.NoError(t, err)
	assert.Equal(t, "application/vnd.geo+json; charset=utf-8", resp.Header.Get("Content-Type"))
	areas, features, err := boundaries.Parse(body, PropertyName)
	require.NoError(t, err)
	assert.Equal(t, register.Neighborhoods(), areas)
	assert.Equal(t, 41, features)
	_, body, err = get(t, url+"?$limit=7")
	require.NoError(t, err)
	_, features, err = boundaries.Parse(body, PropertyName)
	require.NoError(t, err)
	assert.Equal(t, 7, features)

	updated := func() int64 {
		_, body, err := get(t, server.URL+"/api/views/"+DefaultBoundariesID+".json")
		require.NoError(t, err)
		var m metadata
		require.NoError(t, json.Unmarshal(body, &m))
		assert.Equal(t, DefaultBoundariesID, m.ID)
		return m.RowsUpdatedAt
	}
	before := updated()
	p.PublishBoundaries(areas[:3])
	assert.Equal(t, now.Unix(), updated())
	assert.Less(t, before, now.Unix())
	p.PublishBoundaries(areas[:4])
	assert.Equal(t, now.Unix()+1, updated(), "versions differ, whatever the clock")
	p.Fail(Fault{Path: "/resource/" + DefaultBoundariesID, Status: http.StatusServiceUnavailable})
	require.Equal(t, http.StatusServiceUnavailable, status(t, url))
	require.Equal(t, http.StatusOK, status(t, url))
	require.Equal(t, http.StatusBadRequest, status(t, url+"?$limit=many"))

	none, err := New(Options{Table: register.Generate(10, 1), Boundaries: []boundaries.Area{}})
	require.NoError(t, err)
	without := httptest.NewServer(none)
	defer without.Close()
	require.Equal(t, http.StatusNotFound, status(t, without.URL+"/resource/"+DefaultBoundariesID+".geojson"))
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url) //nolint:noctx // a test's own server
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestBoundariesFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "areas.geojson")
	_, err := BoundariesFromFile(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte(`{"type":"FeatureCollection","features":[]}`), 0o600))
	_, err = BoundariesFromFile(path)
	require.ErrorContains(t, err, "areas.geojson: boundaries cannot be used: there is no feature")
	for _, path := range testenv.Files(t, "geo/analysis_neighborhoods_41.geojson") {
		areas, err := BoundariesFromFile(path)
		require.NoError(t, err)
		names := map[string]bool{}
		for _, a := range areas {
			names[a.Name] = true
		}
		for _, n := range register.Neighborhoods() {
			assert.True(t, names[n.Name], n.Name)
		}
		assert.Len(t, areas, len(register.Neighborhoods()))
	}
}
