package dashboard_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/runs"
)

// TestChartsAndListsOfDifferentRunsAreMarked: while a run writes, and after one
// that did not come to a green end, lists show more than charts count.
func TestChartsAndListsOfDifferentRunsAreMarked(t *testing.T) {
	s := newStack(t, 200)
	first := s.load()
	const mark = "Charts and their numbers are of run "
	for _, path := range []string{"/en/", "/en/businesses", "/en/neighborhoods"} {
		require.NotContains(t, get(t, s.server.URL, path).body, mark, path)
	}
	store := runs.NewStore(s.db)
	_, err := store.BeginRun(t.Context(), runs.Run{ID: "writing", Started: time.Now().Add(time.Second)})
	require.NoError(t, err)
	fresh := func() string { return s.serve(nil).URL } // nothing kept of before
	require.NotContains(t, get(t, fresh(), "/en/").body, mark, "it has not passed its gate")
	require.NoError(t, store.SetRun(t.Context(), "writing", bson.D{{Key: "crawl", Value: certificate.Crawl{Consistent: true}}}))
	for _, path := range []string{"/en/", "/en/businesses", "/en/neighborhoods"} {
		body := get(t, fresh(), path).body
		require.Contains(t, body, mark+first, path)
		require.Contains(t, body, `<a href="/en/runs/writing">Lists and single businesses are already as run writing writes them`, path)
	}
	require.Contains(t, get(t, fresh(), "/es/").body, "Los gráficos y sus cifras son de la ejecución "+first)
	require.NotContains(t, get(t, fresh(), "/en/?embed=1&chart=months").body, mark, "one chart alone is of one run")

	require.NoError(t, store.SetRun(t.Context(), "writing", bson.D{{Key: "status", Value: runs.StatusFailed}}))
	require.Contains(t, get(t, fresh(), "/en/").body, mark, "what it wrote stays written")
	time.Sleep(1100 * time.Millisecond) // until the run above has begun
	s.load()
	require.NotContains(t, get(t, fresh(), "/en/").body, mark)
}
