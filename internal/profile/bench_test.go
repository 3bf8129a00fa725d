package profile

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/socrata"
)

func sanFrancisco(t testing.TB) *dataset.Spec {
	t.Helper()
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	return spec
}

// documents are those of n rows of a simulated portal, dirt included, in key
// order.
func documents(t testing.TB, spec *dataset.Spec, n int, seed uint64) []bson.Raw {
	t.Helper()
	portal, err := portalsim.New(portalsim.Options{Table: register.Generate(n, seed)})
	require.NoError(t, err)
	cleaner, err := cleaning.New(spec)
	require.NoError(t, err)
	var docs []bson.Raw
	for after, more := "", true; more; {
		query := url.Values{"$select": {":*,*"}, "$order": {"ttxid"}, "$limit": {"50000"}, "$where": {"ttxid > '" + after + "'"}}
		answer := httptest.NewRecorder()
		portal.ServeHTTP(answer,
			httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/resource/"+portalsim.DefaultID+".json?"+query.Encode(), nil))
		require.Equal(t, http.StatusOK, answer.Code)
		more = false
		for raw, err := range socrata.Rows(answer.Body) {
			require.NoError(t, err)
			row, err := cleaner.Clean(raw)
			require.NoError(t, err)
			if row.Key > after {
				after, more = row.Key, true
			}
			if row.Quarantine == "" {
				docs = append(docs, slices.Clone(row.Document))
			}
		}
	}
	require.NotEmpty(t, docs)
	return docs
}

// pageRows is how many rows a page has unless set otherwise.
const pageRows = 50_000

// BenchmarkSketch: what describing costs a row, its share of storing a page's
// sketch included.
func BenchmarkSketch(b *testing.B) {
	spec := sanFrancisco(b)
	docs := documents(b, spec, pageRows, 1)
	plan := Of(spec)
	b.ReportAllocs()
	for b.Loop() {
		s := New(plan)
		for _, doc := range docs {
			if err := s.Add(doc); err != nil {
				b.Fatal(err)
			}
		}
		stored, err := s.Store()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(stored)), "stored-B")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(docs)), "ns/row")
}

// BenchmarkMerge: what merging the sketch of one page costs.
func BenchmarkMerge(b *testing.B) {
	spec := sanFrancisco(b)
	plan := Of(spec)
	s := New(plan)
	for _, doc := range documents(b, spec, pageRows, 1) {
		require.NoError(b, s.Add(doc))
	}
	stored, err := s.Store()
	require.NoError(b, err)
	b.ReportAllocs()
	all := New(plan)
	for b.Loop() {
		if err := all.Merge(stored); err != nil {
			b.Fatal(err)
		}
	}
}
