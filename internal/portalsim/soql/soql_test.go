package soql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/portalsim/store"
)

// smallRows have a value of every type, nulls, quotes, a key without duplicates
// and a row without one.
const smallRows = `[
{"id":"a","city":"Oakland","n":1.5,"open":true,"day":"2020-01-02T00:00:00.000","p":{"type":"Point","coordinates":[-122.4,37.7]}},
{"id":"b","city":"O'Brien \"x\"","n":10.5,"open":false,"day":"2019-01-02T00:00:00.000"},
{"id":"c","n":2.5,"open":true},
{"id":"d","city":"Oakland","day":"2020-06-30T12:30:00.500"},
{"city":"Nowhere","n":7.5}
]`

func smallSnapshot(t require.TestingT) *store.Snapshot {
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(smallRows), &rows))
	return snapshotOf(t, []store.Column{
		{Name: "id"},
		{Name: "city"},
		{Name: "n", Kind: store.KindNumber},
		{Name: "open", Kind: store.KindCheckbox},
		{Name: "day", Kind: store.KindCalendarDate},
		{Name: "p", Kind: store.KindPoint},
	}, rows, 1)
}

// snapshotOf makes a dataset of decoded rows, keyed by id.
func snapshotOf(t require.TestingT, columns []store.Column, rows []map[string]any, seed uint64) *store.Snapshot {
	b, err := store.NewBuilder(columns, len(rows))
	require.NoError(t, err)
	for _, row := range rows {
		cells := b.Row()
		for _, c := range b.Columns() {
			cells[c.Slot], err = store.FromGo(c.Kind, row[c.Name])
			require.NoError(t, err)
		}
		b.Add(cells)
	}
	s, err := store.NewSnapshot(b.Table(), store.Options{
		Key: "id", Seed: seed, Published: time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC),
	})
	require.NoError(t, err)
	return s
}

type params map[string]string

// ask answers a query, with pages as large as the portal's.
func ask(s *store.Snapshot, q params, o Options) (string, error) {
	values := url.Values{}
	for name, text := range q {
		values.Set(name, text)
	}
	query, err := Parse(values, 1000, 50_000)
	if err != nil {
		return "", err
	}
	plan, err := query.Plan(s, o)
	if err != nil {
		return "", err
	}
	var answer bytes.Buffer
	err = plan.Write(&answer)
	return answer.String(), err
}

// rowsOf decodes the answer of a query that must not be refused.
func rowsOf(t require.TestingT, s *store.Snapshot, q params) []map[string]any {
	answer, err := ask(s, q, Options{})
	require.NoError(t, err)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(answer), &rows), answer)
	return rows
}

// Long for its table alone.
func TestQueries(t *testing.T) {
	s := smallSnapshot(t)
	for _, test := range []struct {
		name   string
		params params
		want   string
	}{
		{
			"ordered by key, nulls last",
			params{"$select": "id", "$order": "id"},
			`[{"id":"a"},{"id":"b"},{"id":"c"},{"id":"d"},{}]`,
		},
		{
			"descending, nulls first",
			params{"$select": "id", "$order": "id desc"},
			`[{},{"id":"d"},{"id":"c"},{"id":"b"},{"id":"a"}]`,
		},
		{
			"nulls moved",
			params{"$select": "id", "$order": "id desc null last"},
			`[{"id":"d"},{"id":"c"},{"id":"b"},{"id":"a"},{}]`,
		},
		{
			"two columns",
			params{"$select": "id", "$order": "city desc, day desc", "$where": "id is not null"},
			`[{"id":"c"},{"id":"d"},{"id":"a"},{"id":"b"}]`,
		},
		{
			"page",
			params{"$select": "id", "$order": "id", "$limit": "2", "$offset": "1"},
			`[{"id":"b"},{"id":"c"}]`,
		},
		{
			"past the end",
			params{"$select": "id", "$order": "id", "$offset": "9"},
			`[]`,
		},
		{
			"no rows",
			params{"$limit": "0"},
			`[]`,
		},
		{
			"key range",
			params{"$select": "id", "$where": "id > 'a' and id <= 'c'", "$order": "id"},
			`[{"id":"b"},{"id":"c"}]`,
		},
		{
			"key range written the other way",
			params{"$select": "id", "$where": "'a' < id and 'c' >= id", "$order": "id"},
			`[{"id":"b"},{"id":"c"}]`,
		},
		{
			"empty key range",
			params{"$select": "id", "$where": "id > 'c' and id <= 'a'"},
			`[]`,
		},
		{
			"key equal",
			params{"$select": "id", "$where": "id = 'b'"},
			`[{"id":"b"}]`,
		},
		{
			"key unequal",
			params{"$select": "id", "$where": "id != 'b'", "$order": "id"},
			`[{"id":"a"},{"id":"c"},{"id":"d"}]`,
		},
		{
			"null keys",
			params{"$select": "city", "$where": "id is null"},
			`[{"city":"Nowhere"}]`,
		},
		{
			"key at",
			params{"$select": "id", "$where": "id is not null", "$order": "id", "$limit": "1", "$offset": "3"},
			`[{"id":"d"}]`,
		},
		{
			"keys in a list",
			params{"$select": "id", "$where": "id in ('d','zz','a','d')", "$order": "id"},
			`[{"id":"a"},{"id":"d"}]`,
		},
		{
			"list within a range",
			params{"$select": "id", "$where": "id in ('d','a','b') and id > 'a' and n is not null"},
			`[{"id":"b"}]`,
		},
		{
			"not in",
			params{"$select": "id", "$where": "id not in ('a','b')", "$order": "id"},
			`[{"id":"c"},{"id":"d"}]`,
		},
		{
			"quote in a literal",
			params{"$select": "city", "$where": `city = 'O''Brien "x"'`},
			`[{"city":"O'Brien \"x\""}]`,
		},
		{
			"numbers compare by size",
			params{"$select": "id,n", "$where": "n > 2", "$order": "n"},
			`[{"id":"c","n":"2.5"},{"n":"7.5"},{"id":"b","n":"10.5"}]`,
		},
		{
			"number as text",
			params{"$select": "id", "$where": "n = '1.50'"},
			`[{"id":"a"}]`,
		},
		{
			"negative number",
			params{"$select": "count(*)", "$where": "n > -1"},
			`[{"count":"4"}]`,
		},
		{
			"date",
			params{"$select": "id,day", "$where": "day >= '2020-01-02'", "$order": "id"},
			`[{"id":"a","day":"2020-01-02T00:00:00.000"},{"id":"d","day":"2020-06-30T12:30:00.500"}]`,
		},
		{
			"between",
			params{"$select": "id", "$where": "day between '2019-01-01' and '2020-01-02T00:00:00'", "$order": "id"},
			`[{"id":"a"},{"id":"b"}]`,
		},
		{
			"checkbox",
			params{"$select": "id", "$where": "open", "$order": "id"},
			`[{"id":"a"},{"id":"c"}]`,
		},
		{
			"checkbox negated: null stays out",
			params{"$select": "id", "$where": "not open"},
			`[{"id":"b"}]`,
		},
		{
			"or with null",
			params{"$select": "id", "$where": "open = true or city = 'Oakland'", "$order": "id"},
			`[{"id":"a"},{"id":"c"},{"id":"d"}]`,
		},
		{
			"equal to null is never true",
			params{"$select": "id", "$where": "city = null"},
			`[]`,
		},
		{
			"simple filter",
			params{"$select": "id", "city": "Oakland", "open": "true"},
			`[{"id":"a"}]`,
		},
		{
			"like",
			params{"$select": "id", "$where": "city like 'O%k_a%'", "$order": "id"},
			`[{"id":"a"},{"id":"d"}]`,
		},
		{
			"not like",
			params{"$select": "id", "$where": "city not like 'Oak%' and id is not null"},
			`[{"id":"b"}]`,
		},
		{
			"functions",
			params{"$select": "upper(city) as u, date_trunc_ym(day) as m", "$where": "starts_with(city, 'Oak')", "$order": "m"},
			`[{"u":"OAKLAND","m":"2020-01-01T00:00:00.000"},{"u":"OAKLAND","m":"2020-06-01T00:00:00.000"}]`,
		},
		{
			"point",
			params{"$select": "p", "$where": "p is not null"},
			`[{"p":{"type":"Point","coordinates":[-122.4,37.7]}}]`,
		},
		{
			"count",
			params{"$select": "count(*)"},
			`[{"count":"5"}]`,
		},
		{
			"count of a column",
			params{"$select": "count(city), count(distinct city) as c"},
			`[{"count_city":"4","c":"3"}]`,
		},
		{
			"min and max",
			params{"$select": "min(n),max(n),min(day),max(id)"},
			`[{"min_n":"1.5","max_n":"10.5","min_day":"2019-01-02T00:00:00.000","max_id":"d"}]`,
		},
		{
			"aggregates of nothing",
			params{"$select": "count(*),max(n)", "$where": "n > 99"},
			`[{"count":"0"}]`,
		},
		{
			"sum and avg",
			params{"$select": "sum(n),avg(n)"},
			`[{"sum_n":"22","avg_n":"5.5"}]`,
		},
		{
			"group",
			params{"$select": "city,count(*)", "$group": "city", "$order": "count desc, city"},
			`[{"city":"Oakland","count":"2"},{"city":"Nowhere","count":"1"},{"city":"O'Brien \"x\"","count":"1"},{"count":"1"}]`,
		},
		{
			"group by alias",
			params{"$select": "date_extract_y(day) as y, count(*) as n2", "$group": "y", "$order": "y", "$where": "day is not null"},
			`[{"y":"2019","n2":"1"},{"y":"2020","n2":"2"}]`,
		},
		{
			"names in any case and backquotes",
			params{"$select": "`ID`", "$where": "ID = 'a'"},
			`[{"id":"a"}]`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := ask(s, test.params, Options{})
			require.NoError(t, err)
			assert.JSONEq(t, test.want, answer)
		})
	}
}

func TestQueryErrors(t *testing.T) {
	s := smallSnapshot(t)
	for _, test := range []struct {
		params params
		code   string
	}{
		{params{"$select": "naic_code"}, CodeNoSuchColumn},
		{params{"$where": "gone is null"}, CodeNoSuchColumn},
		{params{"$order": "gone"}, CodeNoSuchColumn},
		{params{"gone": "x"}, CodeNoSuchColumn},
		{params{"$where": "n = 'abc'"}, CodeTypeMismatch},
		{params{"$where": "id = 5"}, CodeTypeMismatch},
		{params{"$where": "id > n"}, CodeTypeMismatch},
		{params{"$where": "open = 'Y'"}, CodeTypeMismatch},
		{params{"$where": "id"}, CodeTypeMismatch},
		{params{"$where": "day > 'soon'"}, CodeTypeMismatch},
		{params{"$where": "frobnicate(id)"}, CodeNoSuchFunction},
		{params{"$where": "count(*) > 1"}, CodeAggregateInWhere},
		{params{"$select": "id,count(*)"}, CodeNotGrouped},
		{params{"$select": "*", "$group": "id"}, CodeNotGrouped},
		{params{"$select": "id,id"}, CodeDuplicateAlias},
		{params{"$where": "id = 'a"}, CodeMalformed},
		{params{"$where": "id ="}, CodeMalformed},
		{params{"$where": "id = 'a' id"}, CodeMalformed},
		{params{"$where": strings.Repeat("(", 1000)}, CodeMalformed},
		{params{"$limit": "-1"}, CodeMalformed},
		{params{"$offset": "x"}, CodeMalformed},
		{params{"$frob": "1"}, CodeUnrecognized},
	} {
		t.Run(fmt.Sprint(test.params), func(t *testing.T) {
			_, err := ask(s, test.params, Options{})
			var refused *Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.code, refused.Code)
			assert.NotEmpty(t, refused.Message)
		})
	}
}

func TestSystemColumns(t *testing.T) {
	s := smallSnapshot(t)
	rows := rowsOf(t, s, params{"$select": ":*,*", "$order": "id"})
	for _, row := range rows {
		assert.Regexp(t, `^row-[a-z0-9]{4}[~._-][a-z0-9]{4}[~._-][a-z0-9]{4}$`, row[":id"])
		assert.Regexp(t, `^rv-`, row[":version"])
		assert.Regexp(t, `^\d{4}-.*Z$`, row[":created_at"])
	}
	again := rowsOf(t, s, params{"$select": "*,:*", "$order": "id"})
	assert.Equal(t, rows, again)
	byID := rowsOf(t, s, params{"$select": "id", "$where": fmt.Sprintf(":id = '%s'", rows[1][":id"])})
	assert.Equal(t, []map[string]any{{"id": "b"}}, byID)
}

// Numbers that are equal are one value however they are written. Null is not
// the empty text.
func TestGroupsOfEqualValues(t *testing.T) {
	x := func(x, city any) map[string]any { return map[string]any{"id": "k", "x": x, "city": city} }
	columns := []store.Column{{Name: "id"}, {Name: "x", Kind: store.KindNumber}, {Name: "city"}}
	s := snapshotOf(t, columns, []map[string]any{x("1.50", "Oakland"), x("1.5", nil), x("2", ""), x(nil, ""), x(nil, "Nowhere")}, 1)
	for _, test := range []struct {
		params params
		want   string
	}{
		{params{"$select": "count(distinct x) as c"}, `[{"c":"2"}]`},
		{params{"$select": "count(*)", "$group": "x", "$order": "x"}, `[{"count":"2"},{"count":"1"},{"count":"2"}]`},
		{
			params{"$select": "city,count(*)", "$group": "city", "$order": "city"},
			`[{"city":"","count":"2"},{"city":"Nowhere","count":"1"},{"city":"Oakland","count":"1"},{"count":"1"}]`,
		},
	} {
		answer, err := ask(s, test.params, Options{})
		require.NoError(t, err)
		assert.JSONEq(t, test.want, answer)
	}
}

// A plan says whether an answer may be kept, and whether a kept one is still
// right.
func TestRepeatableAnswers(t *testing.T) {
	s := smallSnapshot(t)
	at := s.Published().Add(time.Hour)
	edit := func(change func(*store.Edit) error) *store.Snapshot {
		e := s.Edit(at)
		require.NoError(t, change(e))
		return e.Finish()
	}
	low, high := params{"$order": "id", "$where": "id <= 'b'"}, params{"$order": "id", "$where": "id > 'b'"}
	filtered, counted := params{"$order": "id", "$where": "id <= 'b' and n > 0"}, params{"$select": "count(*)"}
	plan := func(s *store.Snapshot, q params, salt uint64) *Plan {
		values := url.Values{}
		for name, text := range q {
			values.Set(name, text)
		}
		query, err := Parse(values, 10, 10)
		require.NoError(t, err)
		p, err := query.Plan(s, Options{Salt: salt})
		require.NoError(t, err)
		return p
	}
	assert.True(t, plan(s, low, 7).Repeatable(), "the order tells all rows apart")
	assert.False(t, plan(s, params{}, 7).Repeatable())
	assert.True(t, plan(s, params{}, 0).Repeatable())

	renamed := edit(func(e *store.Edit) error { return e.Update("d", map[string]any{"city": "Daly City"}) })
	replaced := edit(func(e *store.Edit) error { e.ReplaceAll(); return nil })
	widened := edit(func(e *store.Edit) error { return e.AddColumn("x", "text") })
	for name, test := range map[string]struct {
		q    params
		next *store.Snapshot
		same bool
	}{
		"the same version":           {filtered, s, true},
		"rows that were not edited":  {low, renamed, true},
		"an edited row":              {high, renamed, false},
		"a filter that may change":   {filtered, renamed, false},
		"a count":                    {counted, renamed, false},
		"new system columns":         {low, replaced, false},
		"a new column":               {low, widened, false},
		"rows in an arbitrary order": {params{}, renamed, false},
		"an order that needs a sort": {params{"$order": "city"}, renamed, false},
	} {
		assert.Equal(t, test.same, plan(test.next, test.q, 0).SameAnswer(plan(s, test.q, 0)), name)
	}
}

func TestFields(t *testing.T) {
	query, err := Parse(url.Values{"$select": {"id,count(*) as rows"}, "$group": {"id"}}, 10, 10)
	require.NoError(t, err)
	plan, err := query.Plan(smallSnapshot(t), Options{})
	require.NoError(t, err)
	assert.Equal(t, []Field{{"id", store.KindText}, {"rows", store.KindNumber}}, plan.Fields())
}

// model is a condition as text and as a function of a row that follows
// three-valued logic: nil is unknown.
type model struct {
	soql string
	eval func(map[string]any) *bool
}

func truth(b bool) *bool { return &b }

// conditions draws trees of conditions. It is long because the text and the
// meaning of each condition stand side by side.
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
			test := map[bool]string{false: " is null", true: " is not null"}[not]
			return model{column + test, func(row map[string]any) *bool {
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
			test := map[bool]string{false: " in (", true: " not in ("}[not]
			return model{column + test + strings.Join(quoted, ",") + ")", func(row map[string]any) *bool {
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
				return truth(map[string]bool{
					"=": s == k, "!=": s != k, "<": s < k, "<=": s <= k, ">": s > k, ">=": s >= k,
				}[op])
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
			// Only or needs parentheses around it; leaving them out for and
			// reaches the key index more often.
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

// The key index, the filter and the order together answer as reading every row
// would.
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
		s := snapshotOf(t, []store.Column{
			{Name: "id"}, {Name: "city"}, {Name: "n", Kind: store.KindNumber}, {Name: "serial"},
		}, rows, rapid.Uint64().Draw(t, "seed"))
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
		serials := func(q params) []string {
			q["$select"], q["$where"] = "serial", condition.soql
			got := []string{}
			for _, row := range rowsOf(t, s, q) {
				got = append(got, row["serial"].(string))
			}
			return got
		}
		assert.Equal(t, want, serials(params{"$order": "id,serial"}), condition.soql)
		assert.ElementsMatch(t, want, serials(params{}), condition.soql)
		assert.ElementsMatch(t, want, serials(params{"$order": "id"}), condition.soql)
		paged := []string{}
		for offset := 0; ; offset += 2 {
			page := serials(params{"$order": "id,serial", "$limit": "2", "$offset": fmt.Sprint(offset)})
			paged = append(paged, page...)
			if len(page) < 2 {
				break
			}
		}
		assert.Equal(t, want, paged, condition.soql)
		count := rowsOf(t, s, params{"$select": "count(*)", "$where": condition.soql})
		assert.Equal(t, fmt.Sprint(len(want)), count[0]["count"])
	})
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"id > 'a' and id <= 'b'", "not (a or b) and c is not null", "x in ('1', -2, null)", "count(distinct `a`)", ":*",
		"a between 1 and 2 or b like '%'", "upper(city) = 'É'", "((((", "'", ":@computed_region_x = 1", "- 1", "a::b",
		"*", ":*,*", "id,count(*) as n", "city desc null last, id", "n in (1, 2.5)", "open = true", "null", "day > '2020-01-01'",
		"date_trunc_ym(day)", "max(n), avg(n)", "p is null", "not not open", "`a``b`", "n = 1.2.3", "id == 'a' or id != 'b'",
	} {
		f.Add(seed, seed, seed, seed)
	}
	f.Add("city,count(*) as n", "id is not null", "city", "n desc")
	s := smallSnapshot(f)
	f.Fuzz(func(t *testing.T, sel, where, group, order string) {
		for _, q := range []params{
			{"$select": sel},
			{"$where": where},
			{"$order": order},
			{"$select": sel, "$group": group, "$where": where, "$order": order},
			{"$limit": sel, "$offset": where},
			{"$where": where, group: order},
		} {
			answer, err := ask(s, q, Options{})
			var refused *Error
			if err != nil && (!errors.As(err, &refused) || refused.Code == "" || refused.Message == "") {
				t.Fatalf("%v: no error of a query: %v", q, err)
			}
			if err == nil && !json.Valid([]byte(answer)) {
				t.Fatalf("%v: no JSON: %s", q, answer)
			}
		}
	})
}

// TestReservedWords refuses as bare names what the real parser refuses, and takes
// the same names in backquotes.
func TestReservedWords(t *testing.T) {
	words := strings.Fields("select distinct except as where group having order limit offset search asc desc filter from full in inner join" +
		" left right on outer lateral and or not is between like union intersect minus")
	for _, word := range append(words, "year-end") {
		s := snapshotOf(t, []store.Column{{Name: "id"}, {Name: word}}, []map[string]any{{"id": "a", word: "x"}}, 1)
		for _, p := range []params{
			{"$select": word},
			{"$select": "id," + word + ",id"},
			{"$where": word + " = 'x'"},
			{"$where": word + " is not null"},
			{"$select": "count(" + word + ")"},
			{"$select": word + ",count(*)", "$group": word},
			{"$order": word},
		} {
			var refused *Error
			_, err := ask(s, p, Options{})
			require.ErrorAs(t, err, &refused, "%s: %v", word, p)
			require.Equal(t, CodeMalformed, refused.Code, "%v", p)
			for name, text := range p {
				p[name] = strings.Replace(text, word, "`"+word+"`", 1)
			}
			_, err = ask(s, p, Options{})
			if p["$select"] != "id,`"+word+"`,id" { // asks for a column twice
				require.NoError(t, err, "%v", p)
			}
		}
	}
	for _, quoted := range []string{"`1a`", "`a b`", "`a.b`", "``", "`:`", "`a``b`"} {
		_, err := ask(smallSnapshot(t), params{"$select": quoted}, Options{})
		var refused *Error
		require.ErrorAs(t, err, &refused, quoted)
		require.Equal(t, CodeMalformed, refused.Code, quoted)
	}
}
