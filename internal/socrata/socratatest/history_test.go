package socratatest

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// randomEdit is some edit of a portal with a few dozen rows.
func randomEdit(t *rapid.T, p *Portal) Op {
	keys := slices.Compact(slices.DeleteFunc(keysOf(p), func(k string) bool { return k == "" }))
	anyOf := func() string { return rapid.SampledFrom(keys).Draw(t, "key") }
	kind := rapid.IntRange(0, 7).Draw(t, "edit")
	if len(keys) == 0 {
		kind = 0
	}
	_, hasLic := p.truth.column("lic")
	switch kind {
	case 0:
		return Open(map[string]any{"ttxid": rapid.StringMatching(`[a-cA-C0-2]{1,3}`).Draw(t, "new key"), "city": "C"})
	case 1:
		return Open(map[string]any{"city": rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "city of a row without a key")})
	case 2:
		return Delete(anyOf())
	case 3:
		return SetField(anyOf(), "ttxid", rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "other key"))
	case 4:
		return Republish()
	case 5:
		if hasLic {
			return DropColumn("lic")
		}
		return AddColumn("lic", "text")
	default:
		return Rename(anyOf(), rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "name"))
	}
}

// What a portal remembers of its versions is what its rows were at the time.
func TestHistory(t *testing.T) {
	table := Generate(12, 3)
	rapid.Check(t, func(t *rapid.T) {
		p, err := New(Options{Table: table, History: true})
		require.NoError(t, err)
		want := [][]map[string]any{slices.Collect(p.SourceRows())}
		for range rapid.IntRange(0, 12).Draw(t, "edits") {
			require.Error(t, p.Edit(Rename("no such key", "x")), "an edit that fails leaves nothing behind")
			require.NoError(t, p.Edit(randomEdit(t, p)))
			want = append(want, slices.Collect(p.SourceRows()))
		}
		past := p.Past()
		require.Len(t, past, len(want))
		everHeld := map[string][]map[string]any{}
		for i, at := range past {
			rows, err := p.RowsAt(at)
			require.NoError(t, err)
			got := slices.Collect(rows)
			require.Equal(t, want[i], got)
			for _, row := range got {
				if k, ok := row["ttxid"].(string); ok {
					everHeld[k] = append(everHeld[k], row)
				}
			}
		}
		for key, held := range everHeld {
			versions := p.VersionsOf(key)
			for i, at := range past {
				// The last item that is not later says what was there.
				n := 0
				for n < len(versions) && !versions[n].Since.After(at) {
					n++
				}
				var told []map[string]any
				if n > 0 {
					told = versions[n-1].Rows
				}
				var was []map[string]any
				for _, row := range want[i] {
					if row["ttxid"] == key {
						was = append(was, row)
					}
				}
				require.Equal(t, was, told)
			}
			for i := 1; i < len(versions); i++ {
				require.False(t, reflect.DeepEqual(versions[i-1].Rows, versions[i].Rows), "an item for each change only")
			}
			for _, row := range held {
				require.True(t, slices.ContainsFunc(versions, func(v KeyVersion) bool {
					return slices.ContainsFunc(v.Rows, func(r map[string]any) bool {
						return maps.EqualFunc(r, row, reflect.DeepEqual)
					})
				}))
			}
		}
		require.Empty(t, p.VersionsOf("never there"))
		_, err = p.RowsAt(past[0].Add(time.Millisecond))
		require.Error(t, err)
	})
}

func TestWithoutHistory(t *testing.T) {
	p := portalWith(t, 10, Options{})
	first, _ := p.Versions()
	key := keysOf(p)[0]
	require.NoError(t, p.Edit(Rename(key, "Other")))
	now, _ := p.Versions()
	assert.Equal(t, []time.Time{now}, p.Past())
	_, err := p.RowsAt(first)
	require.Error(t, err)
	rows, err := p.RowsAt(now)
	require.NoError(t, err)
	assert.Len(t, slices.Collect(rows), 10)
	assert.Len(t, p.VersionsOf(key), 1)
}

// Thousands of versions of a small table stay modest.
func TestHistoryIsSmall(t *testing.T) {
	p := portalWith(t, 100, Options{History: true})
	keys := keysOf(p)
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	const edits = 5000
	for i := range edits {
		require.NoError(t, p.Edit(Rename(keys[i%len(keys)], fmt.Sprintf("Name %d", i))))
	}
	each := (int64(held()) - int64(before)) / edits
	t.Logf("%d bytes a version", each)
	assert.Less(t, each, int64(6<<10))
	assert.Len(t, p.Past(), edits+1)
	assert.Len(t, p.VersionsOf(keys[3]), edits/100+1)
}

// A portal that keeps its answers gives the same ones as a portal that does not, edits or not.
func TestKeptAnswersAreTheSame(t *testing.T) {
	table := Generate(40, 3)
	rapid.Check(t, func(t *rapid.T) {
		now := func() time.Time { return time.Date(2026, 10, 3, 20, 0, 0, 0, time.UTC) }
		cold, err := New(Options{Table: table, Now: now})
		require.NoError(t, err)
		warm, err := New(Options{Table: table, Now: now, CacheBytes: rapid.SampledFrom([]int64{1, 5000, 1 << 20}).Draw(t, "bytes")})
		require.NoError(t, err)
		keys := keysOf(cold)
		bound := rapid.SampledFrom(append(keys, "", "a", "'"))
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				op := randomEdit(t, cold)
				require.NoError(t, cold.Edit(op))
				require.NoError(t, warm.Edit(op))
				continue
			case 1:
				lag := rapid.Bool().Draw(t, "lag")
				cold.Lag(lag)
				warm.Lag(lag)
				continue
			}
			params := rapid.SampledFrom([]map[string]string{
				{"$order": "ttxid", "$where": "ttxid > '%s'"},
				{"$order": "ttxid", "$where": "ttxid <= '%s'", "$select": "ttxid,dba_name"},
				{"$order": "ttxid", "$where": "ttxid > '%s'", "$limit": "3", "$select": ":*,*"},
				{"$order": "ttxid", "$where": "ttxid > '%s' and city is not null"},
				{"$order": "ttxid desc"},
				{"$order": ":id", "$where": "ttxid is null"},
				{"$select": "count(*)"},
				{"$select": "city,count(*)", "$group": "city"},
				{"$select": "count(distinct ttxid)"},
				{},
			}).Draw(t, "query")
			params = maps.Clone(params)
			if where := params["$where"]; where != "" && where != "ttxid is null" {
				params["$where"] = fmt.Sprintf(where, bound.Draw(t, "bound"))
			}
			encoding := rapid.SampledFrom([]string{"gzip", "identity"}).Draw(t, "encoding")
			var answers [2]*httptest.ResponseRecorder
			for i, p := range []*Portal{cold, warm} {
				list := []string{}
				for k, v := range params {
					list = append(list, k, v)
				}
				r := httptest.NewRequest(http.MethodGet, query1(list...), nil) //nolint:noctx // no context in a property
				r.Header.Set("Accept-Encoding", encoding)
				answers[i] = httptest.NewRecorder()
				p.ServeHTTP(answers[i], r)
				answers[i].Header().Del("X-Socrata-RequestId")
			}
			require.Equal(t, answers[0].Code, answers[1].Code)
			require.Equal(t, answers[0].Header(), answers[1].Header())
			require.Equal(t, unzipped(t, answers[0]), unzipped(t, answers[1]))
		}
	})
}

// Only an answer whose rows were edited is made anew.
func TestEditsInvalidateWhatTheyTouch(t *testing.T) {
	p := portalWith(t, 1000, Options{CacheBytes: 1 << 30})
	keys := keysOf(p)
	low := map[string]string{"$order": "ttxid", "$where": "ttxid <= '" + keys[499] + "'"}
	high := map[string]string{"$order": "ttxid", "$where": "ttxid > '" + keys[499] + "'"}
	body := func(params map[string]string) *byte {
		ask(p, params)
		list := []string{}
		for k, v := range params {
			list = append(list, k, v)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, query1(list...), nil)
		return &p.cache.answers[r.URL.Query().Encode()].body[0]
	}
	wasLow, wasHigh := body(low), body(high)
	require.NoError(t, p.Edit(Rename(keys[700], "Other")))
	assert.Same(t, wasLow, body(low))
	assert.NotSame(t, wasHigh, body(high))
	wasHigh = body(high)
	p.Fail(Fault{TruncateAfter: 10})
	assert.Len(t, ask(p, low).Body.Bytes(), 10, "a fault befalls a kept answer, too")
	assert.Same(t, wasHigh, body(high))
}

// In any collation, the order of rows, comparisons with the key and with other columns, and the smallest and largest
// value agree.
func TestCollation(t *testing.T) {
	table := Generate(1, 3)
	rapid.Check(t, func(t *rapid.T) {
		p, err := New(Options{Table: table, Collate: Dictionary, Seed: rapid.Uint64().Draw(t, "seed")})
		require.NoError(t, err)
		require.NoError(t, p.Edit(Delete(keysOf(p)[0])))
		texts := rapid.StringMatching(`[aAbB01é-]{0,4}`)
		for _, k := range rapid.SliceOfN(texts, 1, 30).Draw(t, "keys") {
			require.NoError(t, p.Edit(Open(map[string]any{"ttxid": k, "city": k})))
		}
		sorted := keysOf(p)
		for i := 1; i < len(sorted); i++ {
			require.LessOrEqual(t, Dictionary(sorted[i-1], sorted[i]), 0)
		}
		keys := func(params map[string]string) (list []string) {
			params["$order"] = "ttxid"
			for _, row := range rowsOf(t, ask(p, params)) {
				list = append(list, row["ttxid"].(string))
			}
			return list
		}
		require.Equal(t, sorted, keys(map[string]string{}))
		bound := texts.Draw(t, "bound")
		below, above, equal := keys(map[string]string{"$where": "ttxid < '" + bound + "'"}), keys(map[string]string{"$where": "ttxid > '" + bound + "'"}), keys(map[string]string{"$where": "ttxid in ('" + bound + "')"})
		require.Equal(t, sorted, slices.Concat(below, equal, above))
		for _, k := range equal {
			require.Equal(t, bound, k)
		}
		require.Equal(t, below, keys(map[string]string{"$where": "city < '" + bound + "'"}), "no index, same order")
		require.Equal(t, above, keys(map[string]string{"$where": "city > '" + bound + "'"}))
		extremes := rowsOf(t, ask(p, map[string]string{"$select": "min(city) as a, max(ttxid) as b"}))
		require.Equal(t, []map[string]any{{"a": sorted[0], "b": sorted[len(sorted)-1]}}, extremes)
	})
}

func TestDictionary(t *testing.T) {
	sorted := []string{"", "-", "a", "A", "a-b", "ab", "B", "b-1", "b1", "é", "0", "-0", "1", "1a"}
	for i := range sorted {
		for j := range sorted {
			if c := Dictionary(sorted[i], sorted[j]); i < j {
				assert.LessOrEqual(t, c, 0, "%s %s", sorted[i], sorted[j])
			} else if i > j {
				assert.GreaterOrEqual(t, c, 0, "%s %s", sorted[i], sorted[j])
			}
		}
	}
	assert.Zero(t, Dictionary("ab", "A-B"))
	assert.Negative(t, Dictionary("b", "c"))
	assert.Positive(t, Dictionary("1", "z"))
}

// Rows of one key, and all rows where no order is asked for, come in another order from request to request; otherwise
// the order stands.
func TestShuffledTies(t *testing.T) {
	for _, shuffled := range []bool{false, true} {
		p := portalWith(t, 20, Options{ShuffleTies: shuffled})
		key := keysOf(p)[7]
		require.NoError(t, p.Edit(Open(map[string]any{"ttxid": key, "city": "A"}), Open(map[string]any{"ttxid": key, "city": "B"})))
		orders := map[string]bool{}
		unordered := map[string]bool{}
		for range 40 {
			rows := rowsOf(t, ask(p, map[string]string{"$order": "ttxid"}))
			got := []string{}
			for _, row := range rows {
				got = append(got, row["ttxid"].(string))
			}
			assert.Equal(t, keysOf(p), got)
			orders[fmt.Sprint(rows[7]["city"], rows[8]["city"], rows[9]["city"])] = true
			unordered[fmt.Sprint(rowsOf(t, ask(p, map[string]string{"$select": "ttxid"})))] = true
		}
		assert.Equal(t, shuffled, len(orders) > 1)
		assert.Equal(t, shuffled, len(unordered) > 1)
	}
}

// Numbers that are equal are one value however they are written; null is not the empty text.
func TestGroupsOfEqualValues(t *testing.T) {
	p := portalOf(t, smallRows, Options{})
	require.NoError(t, p.Edit(AddColumn("x", "number")))
	require.NoError(t, p.Edit(SetField("a", "x", "1.50"), SetField("b", "x", "1.5"), SetField("c", "x", "2"), SetField("d", "city", ""), SetField("c", "city", "")))
	assert.JSONEq(t, `[{"c":"2"}]`, ask(p, map[string]string{"$select": "count(distinct x) as c"}).Body.String())
	assert.JSONEq(t, `[{"count":"2"},{"count":"1"},{"count":"2"}]`, ask(p, map[string]string{"$select": "count(*)", "$group": "x", "$order": "x"}).Body.String())
	require.NoError(t, p.Edit(SetField("a", "city", nil), SetField("b", "city", nil)))
	assert.JSONEq(t, `[{"city":"","count":"2"},{"city":"Nowhere","count":"1"},{"count":"2"}]`, ask(p, map[string]string{"$select": "city,count(*)", "$group": "city", "$order": "city"}).Body.String())
}

func unzipped(t require.TestingT, w *httptest.ResponseRecorder) string {
	if w.Header().Get("Content-Encoding") != "gzip" {
		return w.Body.String()
	}
	z, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(body)
}
