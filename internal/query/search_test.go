package query

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/statistics"
)

// shop is a row as the tests of search know it.
type shop struct {
	key, account, name, owner, street, neighborhood, sector string
	open                                                    bool
}

func (s shop) record(t require.TestingT) landing.Record {
	var tokens bson.A
	for _, w := range cleaning.Words(s.account + " " + s.name + " " + s.street) {
		tokens = append(tokens, w)
	}
	for _, w := range cleaning.Words(s.owner) {
		tokens = append(tokens, "~"+w)
	}
	facets := bson.D{{Key: "open", Value: s.open}, {Key: "tokens", Value: tokens}}
	if s.neighborhood != "" {
		facets = append(bson.D{{Key: "neighborhood", Value: s.neighborhood}}, facets...)
	}
	if s.sector != "" {
		facets = append(bson.D{{Key: "sector", Value: s.sector}}, facets...)
	}
	return landingtest.Clean(t, s.key,
		bson.E{Key: "business_account_number", Value: s.account},
		bson.E{Key: "ownership_name", Value: s.owner},
		bson.E{Key: "dba_name", Value: s.name},
		bson.E{Key: "address", Value: bson.D{{Key: "street", Value: s.street}, {Key: "mail_address", Value: "4711 HOME LN"}}},
		bson.E{Key: "facets", Value: facets})
}

// folded are the words of a text, told without the code under test: these are
// all ASCII.
func folded(s string) []string {
	s = strings.ReplaceAll(strings.ToLower(s), "'", "")
	return strings.FieldsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// finds says whether a query finds the row: each of its words begins one of the
// row's, of those of its owner only where nothing is hidden.
func (s shop) finds(query string, hidden Hidden) bool {
	if hidden != nil {
		s.owner = ""
	}
	all := folded(s.account + " " + s.owner + " " + s.name + " " + s.street)
	for _, w := range folded(query) {
		if !slices.ContainsFunc(all, func(t string) bool { return strings.HasPrefix(t, w) }) {
			return false
		}
	}
	return true
}

// private hides owners and where their mail goes.
func private(path string) bool {
	return path == "ownership_name" || path == "address.mail_address" || path == "facets.tokens"
}

// TestHiddenWordsAreNotLookedAt: of two mirrors that differ in hidden fields
// only, each search asks for the same, and gets the same.
func TestHiddenWordsAreNotLookedAt(t *testing.T) {
	var sent mongodbtest.Reads
	client := mongodbtest.Connect(t, sent.Attach)
	type told struct {
		commands []string
		pages    []Page
	}
	queries := []string{"wong", "maria", "wo mar", "holdings market", "joe", "market wong", "0000001"}
	tell := func(owner func(n int) string) (all []told) {
		db := mongodbtest.OpenOn(t, client)
		_, err := mirror.New(db).EnsureIndexes(t.Context())
		require.NoError(t, err)
		records := make([]landing.Record, 300)
		for i := range records {
			records[i] = shop{
				key: fmt.Sprintf("%07d-01-001", i), account: fmt.Sprintf("%07d", i/3), owner: owner(i),
				name: []string{"Joe's Cafe", "Wong Deli", "Golden Gate Park"}[i%3], street: "12 Market St", open: true,
			}.record(t)
		}
		mirrortest.BeginRuns(t.Context(), t, db, "r1")
		mirrortest.Load(t.Context(), t, db, landingtest.Directory(t), records)
		r := New(db).Businesses(cleaning.Words, private)
		for _, query := range queries {
			var of told
			for after, more := "", true; more; more = after != "" {
				commands := sent.Of(t, func() error {
					page, err := r.Search(t.Context(), query, Filters{}, after, 7)
					for i := range page.Rows {
						page.Rows[i].Lineage = BusinessLineage{}
					}
					of.pages = append(of.pages, Page{Rows: page.Rows, Next: page.Next})
					after = page.Next
					return err
				})
				for _, c := range commands {
					of.commands = append(of.commands, c.Lookup("pipeline").String()+c.Lookup("filter").String())
				}
			}
			for i := range of.pages {
				for j := range of.pages[i].Rows {
					of.pages[i].Rows[j].Document = nil // has the times of the run
				}
			}
			all = append(all, of)
		}
		return all
	}
	one := tell(func(n int) string { return []string{"Wong Maria", "Joe Smith"}[n%2] })
	other := tell(func(n int) string { return "Holdings " + strings.Repeat("x", n%9) })
	for i, query := range queries {
		require.Equal(t, one[i], other[i], query)
	}
	require.Len(t, one[1].pages, 1)
	require.Empty(t, one[1].pages[0].Rows, "nobody is called Maria, as far as anybody is told")
}

func TestSearchEqualsBruteForce(t *testing.T) {
	db := mongodbtest.Open(t)
	ctx := t.Context()
	_, err := mirror.New(db).EnsureIndexes(ctx)
	require.NoError(t, err)
	l := landingtest.Directory(t)
	rapid.Check(t, func(t *rapid.T) {
		mongodbtest.Clear(ctx, t, db, mongodb.Businesses)
		n := rapid.IntRange(0, 40).Draw(t, "rows")
		shops := make([]shop, n)
		records := make([]landing.Record, n)
		for i := range shops {
			shops[i] = shop{
				key: fmt.Sprintf("%07d-01-001", i), account: fmt.Sprintf("%07d", i/3),
				name: rapid.SampledFrom([]string{
					"Joe's Cafe", "JOES DINER", "Golden Gate Park", "Market Street Deli", "A.B. (C+) * Co", "",
				}).Draw(t, "name"),
				owner:        rapid.SampledFrom([]string{"Wong Holdings", "Marquez Maria", "The Golden Co"}).Draw(t, "owner"),
				street:       rapid.SampledFrom([]string{"1 Market St", "12 Market St", "12 Golden Gate Ave", "Market St"}).Draw(t, "street"),
				neighborhood: rapid.SampledFrom([]string{"", "Mission", "Presidio"}).Draw(t, "neighborhood"),
				sector:       rapid.SampledFrom([]string{"", "722"}).Draw(t, "sector"),
				open:         rapid.Bool().Draw(t, "open"),
			}
			records[i] = shops[i].record(t)
		}
		mirrortest.Load(ctx, t, db, l, records)

		hidden := rapid.SampledFrom([]Hidden{nil, private}).Draw(t, "hidden")
		r := New(db).Businesses(cleaning.Words, hidden)
		r.walked = rapid.SampledFrom([]int{1, 5, 100}).Draw(t, "walked")
		if rapid.Bool().Draw(t, "old sample") {
			old := &sample{at: time.Now()}
			for range rapid.IntRange(0, 8).Draw(t, "sampled") {
				var row sampledRow
				row.Facets.Tokens = rapid.SampledFrom([][]string{nil, {"joes", "market"}, {"golden", "gate"}, {"12", "st"}}).Draw(t, "tokens")
				row.Facets.Neighborhood = rapid.SampledFrom([]string{"", "Mission"}).Draw(t, "of")
				old.rows = append(old.rows, row)
			}
			r.sampler.newest.Store(old) // it costs time only
		}
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		f := Filters{
			Neighborhood: rapid.SampledFrom([]string{"", "", Unknown, "Mission"}).Draw(t, "neighborhood"),
			Sector:       rapid.SampledFrom([]string{"", "", Unknown, "722"}).Draw(t, "sector"),
		}
		if rapid.Bool().Draw(t, "by open") {
			open := rapid.Bool().Draw(t, "open")
			f.Open = &open
		}
		is := func(want, got string) bool { return want == "" || want == got || want == Unknown && got == "" }
		passes := func(s shop) bool {
			return is(f.Neighborhood, s.neighborhood) && is(f.Sector, s.sector) && (f.Open == nil || *f.Open == s.open)
		}
		// all reads every page.
		all := func(read func(after string) (Page, error)) []string {
			keys := []string{}
			for after := ""; ; {
				page, err := read(after)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Rows), limit)
				for _, b := range page.Rows {
					keys = append(keys, b.Key)
					require.Equal(t, hidden != nil, b.Address.MailTo == "" && b.Owner == "")
				}
				if page.Next == "" {
					return keys
				}
				require.Len(t, page.Rows, limit)
				after = page.Next
			}
		}
		want := func(of func(shop) bool) []string {
			keys := []string{}
			for _, s := range shops {
				if of(s) {
					keys = append(keys, s.key)
				}
			}
			return keys
		}
		query := rapid.SampledFrom([]string{
			"joes", "JOE'S", "joe", "j", "market", "mar st", "golden gate", "gate golden!", "12 mark", "0000001", "00000", "wong", "zq",
			"c", "a b c co", "  Deli ", "(market)", ".*", "the",
		}).Draw(t, "query")
		if len(folded(query)) == 0 {
			_, err := r.Search(ctx, query, f, "", limit)
			require.ErrorIs(t, err, ErrNoWords)
		} else {
			require.Equal(t, want(func(s shop) bool { return s.finds(query, hidden) && passes(s) }),
				all(func(after string) (Page, error) { return r.Search(ctx, query, f, after, limit) }), "%q %+v", query, f)
		}
		require.Equal(t, want(passes), all(func(after string) (Page, error) { return r.List(ctx, f, after, limit) }), "%+v", f)
		street := rapid.SampledFrom([]string{"1 Market St", "12 Market St", "Market St", "12", "-"}).Draw(t, "at street")
		require.Equal(t, want(func(s shop) bool { return s.street == street }),
			all(func(after string) (Page, error) { return r.AtAddress(ctx, street, after, limit) }), street)
		require.Equal(t, want(func(s shop) bool { return s.account == "0000002" }),
			all(func(after string) (Page, error) { return r.OfAccount(ctx, "0000002", after, limit) }))
		if n > 0 {
			page, err := r.Search(ctx, shops[n-1].key, Filters{}, "", limit)
			require.NoError(t, err)
			require.Len(t, page.Rows, 1)
			require.Equal(t, shops[n-1].key, page.Rows[0].Key)
		}
	})
}

// TestWordsThatRarelyMeetAreNotWalkedFor: each of two words may be frequent while
// hardly a row has both. Walking the rows would find nothing, and take longer
// than the index.
func TestWordsThatRarelyMeetAreNotWalkedFor(t *testing.T) {
	rows := make([]sampledRow, sampled)
	for i := range rows {
		rows[i].Facets.Tokens = []string{[]string{"good", "corner"}[i%2], "st"}
		rows[i].Facets.Neighborhood = []string{"Mission", "", ""}[i%3]
		rows[i].Facets.Open = i%4 == 0
	}
	r := (&Reader{}).Businesses(cleaning.Words, nil)
	good, corner, street := r.beginning("goo"), r.beginning("cor"), r.beginning("st")
	of := func(f Filters) condition { return filtered(f.conditions()) }
	open := true
	for _, tc := range []struct {
		all  []condition
		met  int
		walk bool
	}{
		{[]condition{good}, 500, true},
		{[]condition{good, street}, 500, true},
		{[]condition{good, corner}, 0, false},
		{[]condition{street, of(Filters{Neighborhood: "Mission"})}, 334, true},
		{[]condition{street, of(Filters{Neighborhood: Unknown})}, 666, true},
		{[]condition{corner, of(Filters{Open: &open})}, 0, false},
		{[]condition{r.beginning("zq")}, 0, false},
	} {
		require.Equal(t, tc.met, count(rows, tc.all))
		require.Equal(t, tc.walk, r.fills(rows, tc.all, 50))
	}
	by, others := rarest(rows, []condition{street, good, of(Filters{Neighborhood: "Mission"})})
	require.Equal(t, of(Filters{Neighborhood: "Mission"}).query, by, "the rarest, by the index")
	require.Len(t, others, 2)
}

// TestSearchesShareWhatIsFrequent: they do not ask the database for it, each for
// each of its words.
func TestSearchesShareWhatIsFrequent(t *testing.T) {
	var sent mongodbtest.Reads
	db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, sent.Attach))
	mirrortest.ThreeDays(t, db)
	r := New(db)
	search := func() error {
		_, err := r.Businesses(cleaning.Words, nil).Search(t.Context(), "joes golden gate", Filters{Neighborhood: "Mission"}, "", 10)
		return err
	}
	require.Len(t, sent.Of(t, search), 1, "the first one reads it")
	known := r.sampler.newest.Load()
	require.NotEmpty(t, known.rows)
	r.sampler.newest.Store(&sample{at: time.Now().Add(time.Hour), rows: known.rows})
	require.Empty(t, sent.Of(t, search))
	r.sampler.newest.Store(&sample{rows: known.rows})
	r.sampler.reading.Store(true)
	require.Empty(t, sent.Of(t, search), "another one reads it anew")
	r.sampler.reading.Store(false)
	require.Len(t, sent.Of(t, search), 1, "it is old")
	require.Less(t, time.Since(r.sampler.newest.Load().at), time.Minute)
}

// TestBusinessesOfTheRegister reads cleaned rows: typed fields, the removed,
// and nothing sensitive anywhere in what was read.
func TestBusinessesOfTheRegister(t *testing.T) {
	db := mongodbtest.Open(t)
	r := New(db)
	ctx := t.Context()
	c := mirrortest.SanFrancisco(t)
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	raw := `{"ttxid":"0000024-01-001","certificate_number":"0000024","ownership_name":"Leaktest Zebulon","dba_name":"Café de l'Été",
		"full_business_address":"1 Main St","city":"Sf","state":"CA","business_zip":"94105","mailing_address_1":"4711 Leaktest Ln",
		"location_start_date":"1985-01-15T00:00:00.000","self_reported_naics_code":"722511","neighborhoods_analysis_boundaries":"Mission",
		"supervisor_district":"9","location":{"type":"Point","coordinates":[-122.41,37.76]}}`
	cleaned, err := c.Clean([]byte(raw))
	require.NoError(t, err)
	record := landing.Record{Key: cleaned.Key, Hash: cleaned.Hash, Document: slices.Clone(cleaned.Document)}
	mirrortest.BeginRuns(ctx, t, db, "r1")
	mirrortest.Load(ctx, t, db, landingtest.Directory(t), []landing.Record{record})

	guarded := r.Businesses(cleaning.Words, spec.Sensitive)
	page, err := guarded.Search(ctx, "cafe lete", Filters{}, "", 10)
	require.NoError(t, err)
	require.Len(t, page.Rows, 1)
	b := page.Rows[0]
	assert.Equal(t, "Café de l'Été", b.Name)
	assert.Equal(t, []any{"0000024", "1 Main St", "San Francisco", "Mission", "722", statistics.District("9"), true, "1985-01", [2]float64{-122.41, 37.76}},
		[]any{
			b.Account, b.Address.Street, b.Address.City, b.Facets.Neighborhood, b.Facets.Sector, b.Facets.District, b.Facets.IsOpen(),
			b.Facets.StartMonth, b.Location.Coordinates,
		})
	assert.Equal(t, time.Date(1985, 1, 15, 0, 0, 0, 0, time.UTC), b.Dates.LocationStart.UTC())
	assert.Equal(t, int32(1), b.Lineage.Version)
	assert.NotContains(t, strings.ToLower(b.Document.String()), "leaktest")
	assert.Empty(t, b.Owner)
	// The owner's name finds the row for those only who may see it.
	page, err = guarded.Search(ctx, "leakt", Filters{}, "", 10)
	require.NoError(t, err)
	assert.Empty(t, page.Rows)
	all := New(db).Businesses(cleaning.Words, nil)
	page, err = all.Search(ctx, "leakt", Filters{}, "", 10)
	require.NoError(t, err)
	assert.Len(t, page.Rows, 1)

	whole, err := all.Business(ctx, b.Key)
	require.NoError(t, err)
	assert.Equal(t, []string{"Leaktest Zebulon", "4711 Leaktest Ln"}, []string{whole.Owner, whole.Address.MailTo})
	assert.False(t, whole.Removed)

	removed, err := mirror.New(db).Remove(ctx, mirror.RemoveInput{Run: "r1", Part: "x", At: mongodbtest.Day(2), Keys: []string{b.Key}})
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	gone, err := guarded.Business(ctx, b.Key)
	require.NoError(t, err)
	assert.True(t, gone.Removed)
	assert.Equal(t, b.Name, gone.Name)
	_, err = guarded.Business(ctx, "9999999-01-001")
	require.ErrorIs(t, err, ErrNoBusiness)
	_, err = guarded.Search(ctx, " - ", Filters{}, "", 10)
	require.ErrorIs(t, err, ErrNoWords)
}
