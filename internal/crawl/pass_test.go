package crawl_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/crawl"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/quarantine"
	"padron/internal/socrata"
)

// TestRowsThatComeAsBeforeArePassedOver crawls a register again and again, each
// time with and without passing rows over: both must land the same page, with the
// same counts, whatever happens to the rows in between.
func TestRowsThatComeAsBeforeArePassedOver(t *testing.T) {
	t.Parallel()
	db := mongodbtest.Open(t)
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	text, err := os.ReadFile("../dataset/specs/sf-business.yaml")
	require.NoError(t, err)
	other, err := dataset.Parse(bytes.Replace(text, []byte("data_loaded_at"), []byte("data_loaded_on"), 1), "other.yaml")
	require.NoError(t, err)
	require.NotEqual(t, spec.Digest(), other.Digest())
	p := &crawl.Pages{Spec: spec, Zone: landingtest.Directory(t), Mirror: mirror.New(db), Quarantine: quarantine.NewReader(db)}

	rows := map[int]string{}
	for i := range 8 {
		rows[i] = row(fmt.Sprintf("000%d", i), fmt.Sprintf("Shop %d", i))
	}
	before := rows[6]
	for n, step := range []struct {
		what   string
		edit   func()
		passed int
		noted  int
		work   bool
	}{
		{"first load", func() {}, 0, 0, true},
		{"nothing", func() {}, 8, 0, false},
		{"one renamed, one new, one gone", func() {
			rows[3], rows[8] = row("0003", "Other"), row("0008", "New")
			delete(rows, 2)
		}, 6, 0, true},
		{"columns in another order", func() {
			rows[4] = strings.Replace(rows[4], `{`, `{"city":null,`, 1)
		}, 7, 1, true},
		{"nothing after that", func() {}, 8, 0, false},
		{"a second row of a key, before the first in order", func() { rows[5] += "\n," + row("0005", "A") }, 7, 0, true},
		{"the same again", func() {}, 7, 0, true}, // rows of one key are cleaned each time
		{"the first one is gone", func() { rows[5] = row("0005", "A") }, 8, 0, false},
		{"a row in quarantine", func() { rows[6] = `{"ttxid":"0006","dba_name":"\ud800"}` }, 7, 0, true},
		{"the row as it was before", func() { rows[6] = before }, 7, 0, true}, // it is no longer stale
		{"nothing after the quarantine", func() {}, 8, 0, false},
		{"keys that cannot be seen, and such that seem to be others", func() {
			rows[0] = strings.Replace(rows[0], `"ttxid":"0000"`, `"ttxid": "0000"`, 1)
			rows[1] = strings.Replace(rows[1], `{`, `{"location":{"ttxid":"0009"},`, 1)
		}, 0, 1, true},
		{"the same of these", func() {}, 0, 0, false},
		{"another spec", func() {
			rows[0], rows[1] = row("0000", "Shop 0"), row("0001", "Shop 1")
			p.Spec = other
		}, 0, 7, true},
		{"nothing with that spec", func() {}, 8, 0, false},
		{"a column that the spec does not know", func() { rows[7] = strings.Replace(rows[7], `{`, `{"brand_new":"x",`, 1) }, 7, 0, false},
		{"the same with it", func() {}, 7, 0, false},
	} {
		step.edit()
		var served []string
		for i := range 10 {
			if text, ok := rows[i]; ok {
				served = append(served, strings.Split(text, "\n,")...)
			}
		}
		raw := land(t, p, 0, n, socrata.Range{}, false, served...)
		whole, want := cleaned(t, p, crawl.CleanInput{Page: raw, Nth: n, Compare: true})
		page, got := cleaned(t, p, crawl.CleanInput{Page: raw, Nth: n, Compare: true, Pass: true})
		t.Logf("%s: %d of %d passed over", step.what, got.Passed, len(served))
		require.Equal(t, step.passed, got.Passed, step.what)
		require.Zero(t, want.Passed)
		if want.Compared.Stored != nil {
			require.Equal(t, step.noted, got.Compared.Noted, step.what)
		}
		require.NotEmpty(t, want.Sketch, step.what)
		require.Equal(t, got.Passed == 0, got.Sketch != nil, "a page with rows that were passed over describes nothing")
		require.Equal(t, got.Passed > 0, got.Unsketched != "", step.what)
		got.Passed, got.Sketch, got.Unsketched, want.Sketch = 0, nil, "", nil
		require.Equal(t, want, got, step.what)
		require.Equal(t, step.work, got.Work(), step.what)
		require.Equal(t, whole.SHA256, page.SHA256, step.what)

		id := fmt.Sprintf("run-%d", n)
		mirrortest.BeginRuns(t.Context(), t, db, id)
		written, err := p.Mirror.Upsert(t.Context(), p.Zone, mirror.UpsertInput{
			Run: id, Part: "0", Spec: p.Spec.Digest(), At: mongodbtest.Day(n + 1), Classify: mirrortest.Classify, Ordered: want.Compared.Stored != nil,
			Pages: []landing.Ref{page.Ref()},
		})
		require.NoError(t, err, step.what)
		require.Equal(t, got.Compared.Changed, written.Replaced, step.what)
		if got.Compared.Missing > 0 {
			_, err := p.Mirror.Remove(t.Context(), mirror.RemoveInput{Run: id, Part: "removals", At: mongodbtest.Day(n + 1), Keys: []string{"0002"}})
			require.NoError(t, err)
		}
	}
	events, err := db.Collection(mongodb.Changes).CountDocuments(t.Context(), bson.D{})
	require.NoError(t, err)
	require.NotZero(t, events)
}
