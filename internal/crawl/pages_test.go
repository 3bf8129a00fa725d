package crawl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/crawl"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/runs"
	"padron/internal/socrata"
)

const run = "run-1"

// pages works in a landing of the test's own, without a mirror: nothing is
// compared.
func pages(t *testing.T) *crawl.Pages {
	t.Helper()
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	return &crawl.Pages{Spec: spec, Zone: landingtest.Directory(t)}
}

// row is a row of the portal; "" is one without a key.
func row(key, name string) string {
	text, _ := json.Marshal(map[string]string{
		"ttxid": key, "certificate_number": "0000001", "ownership_name": "Owner", "dba_name": name, "full_business_address": "1 Main St",
		"dba_start_date": "2010-01-01T00:00:00.000", "location_start_date": "2010-01-01T00:00:00.000",
	})
	return strings.Replace(string(text), `"ttxid":""`, `"ttxid":null`, 1)
}

// land lands a page of rows as the portal serves it.
func land(t *testing.T, p *crawl.Pages, part, nth int, of socrata.Range, more bool, rows ...string) crawl.RawPage {
	t.Helper()
	w, err := p.Zone.Create(t.Context(), landing.Meta{Run: run, Kind: landing.KindRaw, Page: fmt.Sprintf("%s.%d", crawl.Label(part), nth)})
	require.NoError(t, err)
	_, err = io.WriteString(w, "["+strings.Join(rows, "\n,")+"]")
	require.NoError(t, err)
	entry, err := w.Commit(t.Context())
	require.NoError(t, err)
	page := crawl.RawPage{Landed: crawl.Landed{ID: entry.ID, SHA256: entry.SHA256}, Range: of, Rows: len(rows), More: more}
	if more {
		var last map[string]string
		require.NoError(t, json.Unmarshal([]byte(rows[len(rows)-1]), &last))
		page.LastKey = last["ttxid"]
	}
	require.NoError(t, p.Zone.Attach(t.Context(), entry.ID, crawl.RawSummary{Part: part, Nth: nth, Page: page}))
	return page
}

// cleaned cleans a page and reads what it came to.
func cleaned(t *testing.T, p *crawl.Pages, in crawl.CleanInput) (crawl.CleanPage, crawl.Summary) {
	t.Helper()
	in.Run = run
	page, err := p.Clean(t.Context(), in)
	require.NoError(t, err)
	summary, err := p.Summary(t.Context(), page.ID)
	require.NoError(t, err)
	return page, summary
}

func TestCleanSumsAPageUp(t *testing.T) {
	t.Parallel()
	within := socrata.Range{After: "0001", UpTo: "0009"}
	for name, c := range map[string]struct {
		rows        []string
		keys        []string // of documents
		disorder    string
		doubles     int
		quarantined int
	}{
		"in order":       {rows: []string{row("0002", "A"), row("0003", "B")}, keys: []string{"0002", "0003"}},
		"an empty page":  {},
		"out of order":   {rows: []string{row("0003", "A"), row("0002", "B")}, keys: []string{"0003", "0002"}, disorder: "0002"},
		"before a range": {rows: []string{row("0001", "A")}, keys: []string{"0001"}, disorder: "0001"},
		"behind a range": {rows: []string{row("0002", "A"), row("0010", "B")}, keys: []string{"0002", "0010"}, disorder: "0010"},
		// All rows of a key are quarantined but the first, and its key with them.
		"one key twice": {rows: []string{row("0002", "A"), row("0002", "B"), row("0003", "C")}, keys: []string{"0003"}, doubles: 1, quarantined: 1},
		"no key":        {rows: []string{row("0002", "A"), row("", "B")}, keys: []string{"0002"}, quarantined: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pages(t)
			page, s := cleaned(t, p, crawl.CleanInput{Page: land(t, p, 3, 0, within, false, c.rows...), Part: 3})
			assert.Equal(t, len(c.rows), page.Rows)
			assert.Equal(t, "0003.0", page.Label)
			assert.Equal(t, 3, s.Part)
			assert.EqualValues(t, len(c.rows), s.Profile.Rows)
			assert.Equal(t, c.disorder, s.Disorder)
			assert.Equal(t, c.doubles, s.Doubles)
			assert.Equal(t, c.quarantined, s.Quarantined)
			assert.Equal(t, len(c.rows) > 0, s.Work())
			assert.Nil(t, s.Compared)
			keys, err := p.CleanKeys(t.Context(), page)
			require.NoError(t, err)
			assert.Equal(t, c.keys, keys)
		})
	}
}

// TestPoisonedRowIsKeptApart has rows that cannot be stored between rows that
// can: each is kept apart by itself, fit to be stored.
func TestPoisonedRowIsKeptApart(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"half of a pair":  `{"ttxid":"0002","dba_name":"\ud800"}`,
		"invalid UTF-8":   `{"ttxid":"0002","dba_name":"` + "\xff" + `"}`,
		"a column twice":  `{"ttxid":"0002","city":"a","city":"b"}`,
		"NUL":             `{"ttxid":"0002","city":"` + "\x00" + `"}`,
		"nesting":         `{"ttxid":"0002","location":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
		"a large row":     `{"ttxid":"0002","city":"` + strings.Repeat("x", 20<<20) + `"}`,
		"a large value":   `{"ttxid":"0002","city":"` + strings.Repeat("x", 2<<20) + `"}`,
		"an unread key":   `{"ttxid":"0002` + "\xff" + `"}`,
		"a very long key": `{"ttxid":"0002` + strings.Repeat("x", 3000) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pages(t)
			page, s := cleaned(t, p, crawl.CleanInput{Page: land(t, p, 0, 0, socrata.Range{}, false, row("0001", "A"), bad, row("0003", "B"))})
			assert.Equal(t, 3, page.Rows)
			assert.Equal(t, 1, s.Quarantined)
			keys, err := p.CleanKeys(t.Context(), page)
			require.NoError(t, err)
			assert.Equal(t, []string{"0001", "0003"}, keys)

			content, err := p.Zone.Open(t.Context(), page.ID, page.SHA256)
			require.NoError(t, err)
			defer func() { require.NoError(t, content.Close()) }()
			records := landing.NewPageReader(content)
			var rec landing.Record
			for range 2 {
				require.NoError(t, records.Next(&rec))
			}
			assert.True(t, strings.HasPrefix(rec.Key, "0002"))
			assert.NotEmpty(t, rec.Quarantine)
			assert.True(t, utf8.Valid(rec.Raw))
			assert.Less(t, len(rec.Raw), 100<<10)
		})
	}
}

// TestTiesHaveAnOrder reads rows with one key in every order: the same documents
// and the same quarantine come of it.
func TestTiesHaveAnOrder(t *testing.T) {
	t.Parallel()
	p := pages(t)
	tied := []string{row("0002", "Zebra"), row("0002", "A"), `{"ttxid":"0002","dba_name":"\ud800"}`, row("0002", "Middle"), row("0002", "A")}
	// What is not stored decides nothing.
	volatile := strings.NewReplacer(`"Zebra"`, `"Zebra","data_as_of":"2026-10-01"`, `"A"`, `"A","data_as_of":"2026-10-09"`)
	var want crawl.Summary
	var documents string
	for nth, order := range [][]int{{0, 1, 2, 3, 4}, {4, 3, 2, 1, 0}, {2, 0, 4, 1, 3}, {3, 4, 0, 2, 1}} {
		rows := []string{row("0001", "First")}
		for _, i := range order {
			one := tied[i]
			if nth == 3 {
				one = volatile.Replace(one)
			}
			rows = append(rows, one)
		}
		page, s := cleaned(t, p, crawl.CleanInput{Page: land(t, p, 0, nth, socrata.Range{}, false, append(rows, row("0003", "Last"))...), Nth: nth})
		content, err := p.Zone.Open(t.Context(), page.ID, page.SHA256)
		require.NoError(t, err)
		all, err := io.ReadAll(content)
		require.NoError(t, err)
		require.NoError(t, content.Close())
		assert.Equal(t, 3, s.Doubles)
		assert.Equal(t, 4, s.Quarantined)
		if s.Nth = 0; nth == 0 {
			want, documents = s, string(all)
			continue
		}
		if nth == 3 {
			assert.Equal(t, want.Digest, s.Digest)
			continue
		}
		assert.Equal(t, want, s, "order %v", order)
		assert.Equal(t, documents, string(all), "order %v", order)
	}
}

// The digest is of the rows, in whatever pages they came.
func TestDigestsOfPagesAddUp(t *testing.T) {
	t.Parallel()
	p := pages(t)
	_, whole := cleaned(t, p, crawl.CleanInput{Page: land(t, p, 0, 0, socrata.Range{}, false, row("1", "A"), row("2", "B"), row("3", "C"))})
	_, first := cleaned(t, p, crawl.CleanInput{Page: land(t, p, 1, 0, socrata.Range{}, false, row("1", "A"))})
	_, second := cleaned(t, p, crawl.CleanInput{Page: land(t, p, 1, 1, socrata.Range{}, false, row("2", "B"), row("3", "C"))})
	first.Digest.Merge(second.Digest)
	require.Equal(t, whole.Digest, first.Digest)
	_, changed := cleaned(t, p, crawl.CleanInput{Page: land(t, p, 2, 0, socrata.Range{}, false, row("1", "A"), row("2", "B"), row("3", "D"))})
	require.NotEqual(t, whole.Digest, changed.Digest)
}

// Rows behind those that a page is said to have are the next page's.
func TestRowsOfTheNextPageAreLeft(t *testing.T) {
	t.Parallel()
	p := pages(t)
	raw := land(t, p, 0, 0, socrata.Range{}, true, row("1", "A"), row("2", "B"), row("3", "C"))
	raw.Rows, raw.LastKey = 2, "2"
	page, s := cleaned(t, p, crawl.CleanInput{Page: raw})
	require.Equal(t, 2, page.Rows)
	require.Equal(t, "2", s.Last)
}

// Load finds a crawl of two parts, the first of two pages.
func TestLoad(t *testing.T) {
	t.Parallel()
	ranges := []socrata.Range{{UpTo: "5"}, {After: "5"}}
	record := runs.Run{ID: run, Ranges: []runs.Range{{Range: ranges[0]}, {Range: ranges[1]}}}
	second := socrata.Range{After: "1", UpTo: "5"}

	p := pages(t)
	a := land(t, p, 0, 0, ranges[0], true, row("1", "A"))
	_, err := p.Load(t.Context(), record, runs.FromClean)
	require.ErrorIs(t, err, crawl.ErrIncomplete)
	require.ErrorContains(t, err, "start a new run")
	b := land(t, p, 0, 1, second, false, row("2", "B"))
	land(t, p, 1, 0, ranges[1], false, row("6", "C"))
	c := land(t, p, 1, 0, ranges[1], false, row("6", "C")) // of two attempts, the later

	loaded, err := p.Load(t.Context(), record, runs.FromClean)
	require.NoError(t, err)
	require.Equal(t, crawl.Loaded{Ranges: ranges, Raw: [][]crawl.RawPage{{a, b}, {c}}, Clean: make([][]crawl.CleanPage, 2)}, loaded)

	_, err = p.Load(t.Context(), record, runs.FromGate)
	require.ErrorIs(t, err, crawl.ErrIncomplete)
	require.ErrorContains(t, err, "--from clean")
	var clean [][]crawl.CleanPage
	for part, raw := range loaded.Raw {
		var of []crawl.CleanPage
		for nth, page := range raw {
			done, _ := cleaned(t, p, crawl.CleanInput{Page: page, Part: part, Nth: nth})
			of = append(of, done)
		}
		clean = append(clean, of)
	}
	loaded, err = p.Load(t.Context(), record, runs.FromGate)
	require.NoError(t, err)
	require.Equal(t, clean, loaded.Clean)

	other := record
	other.Ranges = []runs.Range{{Range: socrata.Range{UpTo: "4"}}, {Range: socrata.Range{After: "4"}}}
	_, err = p.Load(t.Context(), other, runs.FromClean)
	require.ErrorIs(t, err, crawl.ErrIncomplete, "these are pages of other ranges")
}

// Prune is asked about the end of a run ("own") beside the last crawl ("last"),
// an older one and one that is under way. What is left is named RUN/KIND.
func TestPrune(t *testing.T) {
	t.Parallel()
	kinds := []string{landing.KindRaw, landing.KindClean, landing.KindKeys}
	underWay := []string{"busy/clean", "busy/keys", "busy/raw"}
	for name, c := range map[string]struct {
		in   crawl.PruneInput
		left []string
	}{
		"a crawl that was written": {crawl.PruneInput{Run: "own", IsCrawl: true, Last: "own", Keep: 10}, []string{"last/raw", "old/raw", "own/raw"}},
		"its removals are held":    {crawl.PruneInput{Run: "own", IsCrawl: true, Last: "own", Holds: true, Keep: 10}, []string{"last/raw", "old/raw", "own/keys", "own/raw"}},
		"a crawl that failed": {
			crawl.PruneInput{Run: "own", IsCrawl: true, Failed: true, Last: "last", Keep: 10},
			[]string{"last/raw", "old/raw", "own/clean", "own/raw"},
		},
		"a job beside the crawl whose removals are held": {
			crawl.PruneInput{Run: "own", Last: "last", Holds: true, Keep: 10},
			[]string{"last/keys", "last/raw", "old/raw"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pages(t)
			for _, run := range []string{"old", "last", "own", "busy"} {
				for _, kind := range kinds {
					w, err := p.Zone.Create(t.Context(), landing.Meta{Run: run, Kind: kind, Page: "0000"})
					require.NoError(t, err)
					_, err = w.Commit(t.Context())
					require.NoError(t, err)
				}
			}
			c.in.UnderWay = func(_ context.Context, run string) (bool, error) { return run == "busy", nil }
			kept, err := p.Prune(t.Context(), c.in)
			require.NoError(t, err)
			entries, err := p.Zone.List(t.Context(), "")
			require.NoError(t, err)
			var left, of []string
			for _, e := range entries {
				require.WithinDuration(t, time.Now(), e.Created, time.Hour)
				left, of = append(left, e.Run+"/"+e.Kind), append(of, e.Run)
			}
			slices.Sort(left)
			require.Equal(t, slices.Sorted(slices.Values(slices.Concat(c.left, underWay))), left)
			require.Equal(t, slices.Compact(slices.Sorted(slices.Values(append(of, c.in.Run, c.in.Last)))), kept)
		})
	}
}
