package query

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/cleaning"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb/mongodbtest"
)

// BenchmarkBusinesses reads as many rows as San Francisco has, as people do on
// the page of businesses.
func BenchmarkBusinesses(b *testing.B) {
	db := mongodbtest.Open(b)
	keys := mirrortest.LoadSanFrancisco(b, db, 368_000)
	open := true
	for _, q := range readQueries(b, New(db).Businesses(cleaning.Words, nil), keys, &open) {
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
func readQueries(b *testing.B, r *Businesses, keys []string, open *bool) []readQuery {
	ctx := b.Context()
	page := func(p Page, err error) error { return err }
	words := []string{"mar", "golden gate", "Joe's", "1 market st", "san", "a", "st", "coffee", "wong", "zq", "the 1", "0123"}
	named := func(n int) string { return words[n%len(words)] }
	neighborhoods := []string{"Mission", "Presidio", "Sunset/Parkside", Unknown, "Financial District/South Beach", "Lincoln Park"}
	sectors := []string{"722", "23", "54", Unknown, "22", "11"}
	return []readQuery{
		{"search", func(n int) error { return page(r.Search(ctx, named(n), Filters{}, "", 50)) }},
		{"search, open, of a neighborhood", func(n int) error {
			return page(r.Search(ctx, named(n), Filters{Open: open, Neighborhood: neighborhoods[n%len(neighborhoods)]}, "", 50))
		}},
		{"search by account", func(n int) error { return page(r.Search(ctx, keys[n*7919%len(keys)][:7], Filters{}, "", 50)) }},
		{"list", func(n int) error { return page(r.List(ctx, Filters{}, keys[n*7919%len(keys)], 50)) }},
		{"list of a neighborhood", func(n int) error {
			return page(r.List(ctx, Filters{Neighborhood: neighborhoods[n%len(neighborhoods)]}, keys[n*7919%len(keys)], 50))
		}},
		{"list of a sector", func(n int) error {
			return page(r.List(ctx, Filters{Sector: sectors[n%len(sectors)]}, keys[n*7919%len(keys)], 50))
		}},
		{"list, all filters", func(n int) error {
			f := Filters{Neighborhood: neighborhoods[n%len(neighborhoods)], Sector: sectors[n/7%len(sectors)], Open: open}
			return page(r.List(ctx, f, "", 50))
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
