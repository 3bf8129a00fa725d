package mirror

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/socrata"
	"padron/internal/socrata/socratatest"
)

// registerRows is how many rows San Francisco's register has.
const registerRows = 368_000

// loadRegister loads a register as San Francisco's is: generated rows, cleaned
// by its spec, with the indexes on top. It returns the keys.
func loadRegister(b *testing.B, m *Mirror, l Landing, n int) []string {
	b.Helper()
	portal, err := socratatest.New(socratatest.Options{Table: socratatest.Generate(n, 7)})
	require.NoError(b, err)
	c := sanFrancisco(b)
	var keys []string
	var inputs []UpsertInput
	var records []Record
	after := ""
	flush := func() {
		slices.SortFunc(records, func(x, y Record) int { return compareKeys(x.Key, y.Key) })
		records = slices.CompactFunc(records, func(x, y Record) bool { return x.Key == y.Key })
		in := UpsertInput{
			Run: "r1", Part: "0", Spec: "spec", At: day(1), FirstLoad: true, Explain: explainTest, Ordered: true,
			Range: socrata.Range{After: after, UpTo: records[len(records)-1].Key}, Pages: landRecords(b.Context(), b, l, "r1", records),
		}
		after = in.Range.UpTo
		inputs = append(inputs, in)
		records = nil
	}
	for row := range portal.SourceRows() {
		raw, err := json.Marshal(row)
		require.NoError(b, err)
		cleaned, err := c.Clean(raw)
		require.NoError(b, err)
		if len(cleaned.Quarantine) > 0 || cleaned.Key <= after {
			continue
		}
		records = append(records, Record{Key: cleaned.Key, Hash: cleaned.Hash, Document: slices.Clone(cleaned.Document)})
		keys = append(keys, cleaned.Key)
		if len(records) == 50_000 {
			flush()
		}
	}
	if len(records) > 0 {
		flush()
	}
	upsertAll(b, m, l, inputs, 2)
	require.NoError(b, m.EnsureIndexes(b.Context()))
	return keys
}

func compareKeys(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// profiledFields are the fields of San Francisco's documents, as the profile
// describes them.
func profiledFields(t testing.TB) ProfileInput {
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	in := ProfileInput{State: "address.state"}
	for _, f := range spec.Fields {
		if f.Copy == "" {
			in.Fields = append(in.Fields, ProfiledField{
				Path: f.Path, Type: string(f.Type), Sensitive: spec.Sensitive(f.Path),
				Date: f.Type == dataset.Date, Number: f.Type == dataset.Number, Opaque: f.Type == dataset.Point,
			})
		}
	}
	return in
}

// BenchmarkStatistics takes a snapshot of as many rows as San Francisco has,
// describes their columns, and searches them.
func BenchmarkStatistics(b *testing.B) {
	m := openTest(b)
	keys := loadRegister(b, m, testDir(b), registerRows)
	date := day(1)
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			in := sanFranciscoStatistics(b, SnapshotInput{AsOf: date, Outcome: OutcomeGreen})
			_, taken, err := m.TakeSnapshot(b.Context(), in)
			require.NoError(b, err)
			require.True(b, taken)
			date = date.AddDate(0, 0, 1)
		}
	})
	b.Run("profile", func(b *testing.B) {
		in := profiledFields(b)
		in.Snapshot = latest
		for b.Loop() {
			_, err := m.ProfileColumns(b.Context(), in)
			require.NoError(b, err)
		}
	})
	r := m.BusinessReader(cleaning.Words, nil)
	open := true
	for _, q := range readQueries(b, r, keys, &open) {
		b.Run(q.name, func(b *testing.B) {
			var took []time.Duration
			for n := 0; b.Loop(); n++ {
				began := time.Now()
				require.NoError(b, q.read(n))
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
		})
	}
}

// readQuery is one kind of reading; read makes the n-th of it.
type readQuery struct {
	name string
	read func(n int) error
}

// readQueries are what people do on the page of businesses.
func readQueries(b *testing.B, r *BusinessReader, keys []string, open *bool) []readQuery {
	ctx := b.Context()
	page := func(p BusinessPage, err error) error { return err }
	words := []string{"mar", "golden gate", "Joe's", "1 market st", "san", "a", "st", "coffee", "wong", "zq", "the 1", "0123"}
	named := func(n int) string { return words[n%len(words)] }
	neighborhoods := []string{"Mission", "Presidio", "Sunset/Parkside", Unknown, "Financial District/South Beach", "Lincoln Park"}
	sectors := []string{"722", "23", "54", Unknown, "22", "11"}
	return []readQuery{
		{"search", func(n int) error { return page(r.Search(ctx, named(n), BusinessFilters{}, "", 50)) }},
		{"search, open, of a neighborhood", func(n int) error {
			return page(r.Search(ctx, named(n), BusinessFilters{Open: open, Neighborhood: neighborhoods[n%len(neighborhoods)]}, "", 50))
		}},
		{"search by account", func(n int) error { return page(r.Search(ctx, keys[n*7919%len(keys)][:7], BusinessFilters{}, "", 50)) }},
		{"list", func(n int) error { return page(r.List(ctx, BusinessFilters{}, keys[n*7919%len(keys)], 50)) }},
		{"list of a neighborhood", func(n int) error {
			return page(r.List(ctx, BusinessFilters{Neighborhood: neighborhoods[n%len(neighborhoods)]}, keys[n*7919%len(keys)], 50))
		}},
		{"list of a sector", func(n int) error {
			return page(r.List(ctx, BusinessFilters{Sector: sectors[n%len(sectors)]}, keys[n*7919%len(keys)], 50))
		}},
		{"list, all filters", func(n int) error {
			return page(r.List(ctx, BusinessFilters{Neighborhood: neighborhoods[n%len(neighborhoods)], Sector: sectors[n/7%len(sectors)], Open: open}, "", 50))
		}},
		{"business", func(n int) error { _, err := r.Business(ctx, keys[n*7919%len(keys)]); return err }},
		{"account", func(n int) error { return page(r.OfAccount(ctx, keys[n*7919%len(keys)][:7], "", 50)) }},
		{"address", func(n int) error {
			one, err := r.Business(ctx, keys[n*7919%len(keys)])
			if err != nil {
				return err
			}
			return page(r.AtAddress(ctx, one.Address.Street, "", 50))
		}},
	}
}
