package socratatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// smallRows has a value of every type, nulls, quotes, a duplicate-free key and a row without one.
const smallRows = `[
{"id":"a","city":"Oakland","n":1.5,"open":true,"day":"2020-01-02T00:00:00.000","p":{"type":"Point","coordinates":[-122.4,37.7]}},
{"id":"b","city":"O'Brien \"x\"","n":10.5,"open":false,"day":"2019-01-02T00:00:00.000"},
{"id":"c","n":2.5,"open":true},
{"id":"d","city":"Oakland","day":"2020-06-30T12:30:00.500"},
{"city":"Nowhere","n":7.5}
]`

// portalOf serves rows given as JSON.
func portalOf(t testing.TB, rows string, o Options) *Portal {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.json")
	require.NoError(t, os.WriteFile(path, []byte(rows), 0o600))
	table, err := FromFile(path)
	require.NoError(t, err)
	o.Table = table
	p, err := New(o)
	require.NoError(t, err)
	return p
}

// ask sends a query without a network.
func ask(p *Portal, params map[string]string) *httptest.ResponseRecorder {
	q := url.Values{}
	for k, v := range params {
		q.Set(k, v)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/resource/"+DefaultID+".json?"+q.Encode(), nil)) //nolint:noctx // served in place
	return w
}

// rowsOf decodes an answer that must be a page.
func rowsOf(t require.TestingT, w *httptest.ResponseRecorder) []map[string]any {
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var rows []map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &rows), w.Body.String())
	return rows
}

func TestQueries(t *testing.T) {
	p := portalOf(t, smallRows, Options{})
	for _, test := range []struct {
		name   string
		params map[string]string
		want   string
	}{
		{"ordered by key, nulls last", map[string]string{"$select": "id", "$order": "id"}, `[{"id":"a"},{"id":"b"},{"id":"c"},{"id":"d"},{}]`},
		{"descending, nulls first", map[string]string{"$select": "id", "$order": "id desc"}, `[{},{"id":"d"},{"id":"c"},{"id":"b"},{"id":"a"}]`},
		{"nulls moved", map[string]string{"$select": "id", "$order": "id desc null last"}, `[{"id":"d"},{"id":"c"},{"id":"b"},{"id":"a"},{}]`},
		{"two columns", map[string]string{"$select": "id", "$order": "city desc, day desc", "$where": "id is not null"}, `[{"id":"c"},{"id":"d"},{"id":"a"},{"id":"b"}]`},
		{"page", map[string]string{"$select": "id", "$order": "id", "$limit": "2", "$offset": "1"}, `[{"id":"b"},{"id":"c"}]`},
		{"past the end", map[string]string{"$select": "id", "$order": "id", "$offset": "9"}, `[]`},
		{"no rows", map[string]string{"$limit": "0"}, `[]`},
		{"key range", map[string]string{"$select": "id", "$where": "id > 'a' and id <= 'c'", "$order": "id"}, `[{"id":"b"},{"id":"c"}]`},
		{"key range written the other way", map[string]string{"$select": "id", "$where": "'a' < id and 'c' >= id", "$order": "id"}, `[{"id":"b"},{"id":"c"}]`},
		{"empty key range", map[string]string{"$select": "id", "$where": "id > 'c' and id <= 'a'"}, `[]`},
		{"key equal", map[string]string{"$select": "id", "$where": "id = 'b'"}, `[{"id":"b"}]`},
		{"key unequal", map[string]string{"$select": "id", "$where": "id != 'b'", "$order": "id"}, `[{"id":"a"},{"id":"c"},{"id":"d"}]`},
		{"null keys", map[string]string{"$select": "city", "$where": "id is null"}, `[{"city":"Nowhere"}]`},
		{"key at", map[string]string{"$select": "id", "$where": "id is not null", "$order": "id", "$limit": "1", "$offset": "3"}, `[{"id":"d"}]`},
		{"keys in a list", map[string]string{"$select": "id", "$where": "id in ('d','zz','a','d')", "$order": "id"}, `[{"id":"a"},{"id":"d"}]`},
		{"list within a range", map[string]string{"$select": "id", "$where": "id in ('d','a','b') and id > 'a' and n is not null"}, `[{"id":"b"}]`},
		{"not in", map[string]string{"$select": "id", "$where": "id not in ('a','b')", "$order": "id"}, `[{"id":"c"},{"id":"d"}]`},
		{"quote in a literal", map[string]string{"$select": "city", "$where": `city = 'O''Brien "x"'`}, `[{"city":"O'Brien \"x\""}]`},
		{"numbers compare by size", map[string]string{"$select": "id,n", "$where": "n > 2", "$order": "n"}, `[{"id":"c","n":"2.5"},{"n":"7.5"},{"id":"b","n":"10.5"}]`},
		{"number as text", map[string]string{"$select": "id", "$where": "n = '1.50'"}, `[{"id":"a"}]`},
		{"negative number", map[string]string{"$select": "count(*)", "$where": "n > -1"}, `[{"count":"4"}]`},
		{"date", map[string]string{"$select": "id,day", "$where": "day >= '2020-01-02'", "$order": "id"}, `[{"id":"a","day":"2020-01-02T00:00:00.000"},{"id":"d","day":"2020-06-30T12:30:00.500"}]`},
		{"between", map[string]string{"$select": "id", "$where": "day between '2019-01-01' and '2020-01-02T00:00:00'", "$order": "id"}, `[{"id":"a"},{"id":"b"}]`},
		{"checkbox", map[string]string{"$select": "id", "$where": "open", "$order": "id"}, `[{"id":"a"},{"id":"c"}]`},
		{"checkbox negated: null stays out", map[string]string{"$select": "id", "$where": "not open"}, `[{"id":"b"}]`},
		{"or with null", map[string]string{"$select": "id", "$where": "open = true or city = 'Oakland'", "$order": "id"}, `[{"id":"a"},{"id":"c"},{"id":"d"}]`},
		{"equal to null is never true", map[string]string{"$select": "id", "$where": "city = null"}, `[]`},
		{"simple filter", map[string]string{"$select": "id", "city": "Oakland", "open": "true"}, `[{"id":"a"}]`},
		{"like", map[string]string{"$select": "id", "$where": "city like 'O%k_a%'", "$order": "id"}, `[{"id":"a"},{"id":"d"}]`},
		{"not like", map[string]string{"$select": "id", "$where": "city not like 'Oak%' and id is not null"}, `[{"id":"b"}]`},
		{"functions", map[string]string{"$select": "upper(city) as u, date_trunc_ym(day) as m", "$where": "starts_with(city, 'Oak')", "$order": "m"}, `[{"u":"OAKLAND","m":"2020-01-01T00:00:00.000"},{"u":"OAKLAND","m":"2020-06-01T00:00:00.000"}]`},
		{"point", map[string]string{"$select": "p", "$where": "p is not null"}, `[{"p":{"type":"Point","coordinates":[-122.4,37.7]}}]`},
		{"count", map[string]string{"$select": "count(*)"}, `[{"count":"5"}]`},
		{"count of a column", map[string]string{"$select": "count(city), count(distinct city) as c"}, `[{"count_city":"4","c":"3"}]`},
		{"min and max", map[string]string{"$select": "min(n),max(n),min(day),max(id)"}, `[{"min_n":"1.5","max_n":"10.5","min_day":"2019-01-02T00:00:00.000","max_id":"d"}]`},
		{"aggregates of nothing", map[string]string{"$select": "count(*),max(n)", "$where": "n > 99"}, `[{"count":"0"}]`},
		{"sum and avg", map[string]string{"$select": "sum(n),avg(n)"}, `[{"sum_n":"22","avg_n":"5.5"}]`},
		{"group", map[string]string{"$select": "city,count(*)", "$group": "city", "$order": "count desc, city"}, `[{"city":"Oakland","count":"2"},{"city":"Nowhere","count":"1"},{"city":"O'Brien \"x\"","count":"1"},{"count":"1"}]`},
		{"group by alias", map[string]string{"$select": "date_extract_y(day) as y, count(*) as n2", "$group": "y", "$order": "y", "$where": "day is not null"}, `[{"y":"2019","n2":"1"},{"y":"2020","n2":"2"}]`},
		{"names in any case and backquotes", map[string]string{"$select": "`ID`", "$where": "ID = 'a'"}, `[{"id":"a"}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := ask(p, test.params)
			assert.Equal(t, http.StatusOK, w.Code)
			assert.JSONEq(t, test.want, w.Body.String())
		})
	}
}

func TestQueryErrors(t *testing.T) {
	p := portalOf(t, smallRows, Options{})
	for _, test := range []struct {
		params map[string]string
		code   string
	}{
		{map[string]string{"$select": "naic_code"}, codeNoSuchColumn},
		{map[string]string{"$where": "gone is null"}, codeNoSuchColumn},
		{map[string]string{"$order": "gone"}, codeNoSuchColumn},
		{map[string]string{"gone": "x"}, codeNoSuchColumn},
		{map[string]string{"$where": "n = 'abc'"}, codeTypeMismatch},
		{map[string]string{"$where": "id = 5"}, codeTypeMismatch},
		{map[string]string{"$where": "id > n"}, codeTypeMismatch},
		{map[string]string{"$where": "open = 'Y'"}, codeTypeMismatch},
		{map[string]string{"$where": "id"}, codeTypeMismatch},
		{map[string]string{"$where": "day > 'soon'"}, codeTypeMismatch},
		{map[string]string{"$where": "frobnicate(id)"}, codeNoSuchFunction},
		{map[string]string{"$where": "count(*) > 1"}, codeAggregateInWhere},
		{map[string]string{"$select": "id,count(*)"}, codeNotGrouped},
		{map[string]string{"$select": "*", "$group": "id"}, codeNotGrouped},
		{map[string]string{"$select": "id,id"}, codeDuplicateAlias},
		{map[string]string{"$where": "id = 'a"}, codeMalformed},
		{map[string]string{"$where": "id ="}, codeMalformed},
		{map[string]string{"$where": "id = 'a' id"}, codeMalformed},
		{map[string]string{"$where": strings.Repeat("(", 1000)}, codeMalformed},
		{map[string]string{"$limit": "-1"}, codeMalformed},
		{map[string]string{"$offset": "x"}, codeMalformed},
		{map[string]string{"$frob": "1"}, codeUnrecognized},
	} {
		t.Run(fmt.Sprint(test.params), func(t *testing.T) {
			w := ask(p, test.params)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			var envelope struct {
				Code, Message string
				Error         bool
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &envelope))
			assert.Equal(t, test.code, envelope.Code)
			assert.True(t, envelope.Error)
			assert.NotEmpty(t, envelope.Message)
		})
	}
}

func TestSystemColumns(t *testing.T) {
	p := portalOf(t, smallRows, Options{})
	rows := rowsOf(t, ask(p, map[string]string{"$select": ":*,*", "$order": "id"}))
	for _, row := range rows {
		assert.Regexp(t, `^row-[a-z0-9]{4}[~._-][a-z0-9]{4}[~._-][a-z0-9]{4}$`, row[":id"])
		assert.Regexp(t, `^rv-`, row[":version"])
		assert.Regexp(t, `^\d{4}-.*Z$`, row[":created_at"])
	}
	again := rowsOf(t, ask(p, map[string]string{"$select": "*,:*", "$order": "id"}))
	assert.Equal(t, rows, again)
	byID := rowsOf(t, ask(p, map[string]string{"$select": "id", "$where": fmt.Sprintf(":id = '%s'", rows[1][":id"])}))
	assert.Equal(t, []map[string]any{{"id": "b"}}, byID)
}

// model is a condition as text and as a function of a row that follows three-valued logic: nil is unknown.
type model struct {
	soql string
	eval func(map[string]any) *bool
}

func truth(b bool) *bool { return &b }

func conditions() *rapid.Generator[model] {
	keys := rapid.StringMatching(`[a-d]{0,3}'?`)
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	leaf := rapid.Custom(func(t *rapid.T) model {
		column := rapid.SampledFrom([]string{"id", "city"}).Draw(t, "column")
		text := func(row map[string]any) (string, bool) {
			s, ok := row[column].(string)
			return s, ok
		}
		switch rapid.IntRange(0, 4).Draw(t, "leaf") {
		case 0:
			not := rapid.Bool().Draw(t, "not")
			return model{column + map[bool]string{false: " is null", true: " is not null"}[not], func(row map[string]any) *bool {
				_, ok := text(row)
				return truth(ok == not)
			}}
		case 1:
			list := rapid.SliceOfN(keys, 1, 4).Draw(t, "list")
			not := rapid.Bool().Draw(t, "not")
			quoted := []string{}
			for _, s := range list {
				quoted = append(quoted, quote(s))
			}
			return model{column + map[bool]string{false: " in (", true: " not in ("}[not] + strings.Join(quoted, ",") + ")", func(row map[string]any) *bool {
				s, ok := text(row)
				if !ok {
					return nil
				}
				return truth(slices.Contains(list, s) != not)
			}}
		case 2:
			limit := rapid.IntRange(-3, 3).Draw(t, "limit")
			return model{fmt.Sprintf("n >= %d", limit), func(row map[string]any) *bool {
				n, ok := row["n"].(float64)
				if !ok {
					return nil
				}
				return truth(n >= float64(limit))
			}}
		default:
			op := rapid.SampledFrom([]string{"=", "!=", "<", "<=", ">", ">="}).Draw(t, "op")
			k := keys.Draw(t, "literal")
			return model{column + " " + op + " " + quote(k), func(row map[string]any) *bool {
				s, ok := text(row)
				if !ok {
					return nil
				}
				return truth(map[string]bool{"=": s == k, "!=": s != k, "<": s < k, "<=": s <= k, ">": s > k, ">=": s >= k}[op])
			}}
		}
	})
	var tree func(depth int) *rapid.Generator[model]
	tree = func(depth int) *rapid.Generator[model] {
		return rapid.Custom(func(t *rapid.T) model {
			shape := rapid.IntRange(0, 3).Draw(t, "shape")
			if depth == 0 || shape == 0 {
				return leaf.Draw(t, "leaf")
			}
			a := tree(depth-1).Draw(t, "a")
			if shape == 1 {
				return model{"not (" + a.soql + ")", func(row map[string]any) *bool {
					v := a.eval(row)
					if v == nil {
						return nil
					}
					return truth(!*v)
				}}
			}
			b := tree(depth-1).Draw(t, "b")
			op, decisive := " and ", false
			if shape == 3 {
				op, decisive = " or ", true
			}
			// Only or needs parentheses around it; leaving them out for and reaches the key index more often.
			soql := a.soql + op + b.soql
			if decisive || strings.Contains(soql, " or ") {
				soql = "(" + a.soql + ")" + op + "(" + b.soql + ")"
			}
			return model{soql, func(row map[string]any) *bool {
				x, y := a.eval(row), b.eval(row)
				switch {
				case x != nil && *x == decisive, y != nil && *y == decisive:
					return truth(decisive)
				case x == nil || y == nil:
					return nil
				default:
					return truth(!decisive)
				}
			}}
		})
	}
	return tree(3)
}

// The key index, the filter and the order together answer as reading every row would.
func TestWhereAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d]{1,3}'?`), 0, 12, rapid.ID[string]).Draw(t, "keys")
		rows := []map[string]any{}
		for i := range len(keys) + rapid.IntRange(0, 2).Draw(t, "keyless") {
			row := map[string]any{"serial": fmt.Sprintf("s%d", i)}
			if i < len(keys) {
				row["id"] = keys[i]
			}
			if rapid.Bool().Draw(t, "has city") {
				row["city"] = rapid.StringMatching(`[a-d]{0,2}`).Draw(t, "city")
			}
			if rapid.Bool().Draw(t, "has n") {
				row["n"] = float64(rapid.IntRange(-3, 3).Draw(t, "n"))
			}
			rows = append(rows, row)
		}
		b, err := newBuilder([]column{{name: "id"}, {name: "city"}, {name: "n", kind: kindNumber}, {name: "serial"}})
		require.NoError(t, err)
		for _, row := range rows {
			cells := make([]value, 4)
			for i, c := range b.table.columns {
				cells[i], err = toValue(c.kind, row[c.name])
				require.NoError(t, err)
			}
			b.add(cells)
		}
		p, err := New(Options{Table: b.done(), Seed: rapid.Uint64().Draw(t, "seed")})
		require.NoError(t, err)
		condition := conditions().Draw(t, "condition")
		want := []string{}
		slices.SortStableFunc(rows, func(a, b map[string]any) int {
			x, hasX := a["id"].(string)
			y, hasY := b["id"].(string)
			switch {
			case hasX && hasY:
				return strings.Compare(x, y)
			case hasX:
				return -1
			case hasY:
				return 1
			}
			return strings.Compare(a["serial"].(string), b["serial"].(string))
		})
		for _, row := range rows {
			if v := condition.eval(row); v != nil && *v {
				want = append(want, row["serial"].(string))
			}
		}
		serials := func(params map[string]string) []string {
			params["$select"], params["$where"] = "serial", condition.soql
			got := []string{}
			for _, row := range rowsOf(t, ask(p, params)) {
				got = append(got, row["serial"].(string))
			}
			return got
		}
		assert.Equal(t, want, serials(map[string]string{"$order": "id,serial"}), condition.soql)
		assert.ElementsMatch(t, want, serials(map[string]string{}), condition.soql)
		assert.ElementsMatch(t, want, serials(map[string]string{"$order": "id"}), condition.soql)
		paged := []string{}
		for offset := 0; ; offset += 2 {
			page := serials(map[string]string{"$order": "id,serial", "$limit": "2", "$offset": fmt.Sprint(offset)})
			paged = append(paged, page...)
			if len(page) < 2 {
				break
			}
		}
		assert.Equal(t, want, paged, condition.soql)
		count := rowsOf(t, ask(p, map[string]string{"$select": "count(*)", "$where": condition.soql}))
		assert.Equal(t, fmt.Sprint(len(want)), count[0]["count"])
	})
}

func FuzzSoQL(f *testing.F) {
	for _, seed := range []string{
		"id > 'a' and id <= 'b'", "not (a or b) and c is not null", "x in ('1', -2, null)", "count(distinct `a`)", ":*",
		"a between 1 and 2 or b like '%'", "upper(city) = 'É'", "((((", "'", ":@computed_region_x = 1", "- 1", "a::b",
	} {
		f.Add(seed, seed, seed, seed)
	}
	p := portalOf(f, smallRows, Options{})
	f.Fuzz(func(t *testing.T, sel, where, group, order string) {
		for _, params := range []map[string]string{
			{"$select": sel}, {"$where": where}, {"$order": order}, {"$select": sel, "$group": group, "$where": where, "$order": order},
		} {
			w := ask(p, params)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Fatalf("%v: status %d", params, w.Code)
			}
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%v: no JSON: %s", params, w.Body.String())
			}
		}
	})
}
