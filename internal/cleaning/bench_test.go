package cleaning

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/socrata"
)

// portalRows are rows of a simulated portal as it sends them, all columns
// named.
func portalRows(t testing.TB, n int, seed uint64) [][]byte {
	t.Helper()
	portal, err := portalsim.New(portalsim.Options{Table: register.Generate(n, seed)})
	require.NoError(t, err)
	query := url.Values{"$select": {":*,*"}, "$order": {"ttxid"}, "$limit": {"50000"}}
	answer := httptest.NewRecorder()
	portal.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/resource/"+portalsim.DefaultID+".json?"+query.Encode(), nil))
	require.Equal(t, http.StatusOK, answer.Code)
	rows := make([][]byte, 0, n)
	for row, err := range socrata.Rows(answer.Body) {
		require.NoError(t, err)
		rows = append(rows, slices.Clone(row))
	}
	require.Len(t, rows, min(n, 50_000))
	return rows
}

func BenchmarkClean(b *testing.B) {
	rows := portalRows(b, 20_000, 1)
	c := newCleaner(b)
	size := 0
	for _, raw := range rows {
		size += len(raw)
	}
	b.SetBytes(int64(size / len(rows)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := c.Clean(rows[i]); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(rows) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// A rule that concerns every row changed, and the portal's columns with it.
func BenchmarkClassify(b *testing.B) {
	spec, err := dataset.Open("sf-business")
	require.NoError(b, err)
	k, err := NewClassifier(spec, []string{"lic"})
	require.NoError(b, err)
	c := newCleaner(b)
	var olds, news []bson.Raw
	for _, raw := range portalRows(b, 5000, 1) {
		row, err := c.Clean(raw)
		require.NoError(b, err)
		news = append(news, slices.Clone(row.Document))
		row, err = c.Clean([]byte(strings.Replace(string(raw), `"city":"`, `"city":" `, 1)))
		require.NoError(b, err)
		olds = append(olds, slices.Clone(row.Document))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, _, err := k.Classify(olds[i], news[i], false); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(olds) {
			i = 0
		}
	}
}
