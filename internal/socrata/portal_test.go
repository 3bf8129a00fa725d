package socrata_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/backfill"
	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
	"padron/internal/portalsim/store"
	"padron/internal/socrata"
)

// client is a client of a simulated portal.
func client(t testing.TB, o portalsim.Options) (*portalsim.Portal, *socrata.Client) {
	t.Helper()
	p, err := portalsim.New(o)
	require.NoError(t, err)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	c, err := socrata.New(socrata.Options{BaseURL: server.URL, ID: portalsim.DefaultID, HTTPClient: server.Client()})
	require.NoError(t, err)
	return p, c
}

func keysOf(p *portalsim.Portal) (keys []string) {
	for row := range p.SourceRows() {
		if k, ok := row["ttxid"].(string); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

func TestCountsOfThePortal(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(3000, 1)})
	keys := keysOf(p)
	require.NoError(t, p.Edit(
		portalsim.Open(map[string]any{"ttxid": keys[0], "city": "Sf"}), // a key that comes twice
		portalsim.Open(map[string]any{"city": ""}),                     // a row without a key, and the empty text
		portalsim.SetField(keys[1], "city", nil),
	))
	want := map[socrata.GroupCount]int64{}
	distinct := map[string]bool{}
	for row := range p.SourceRows() {
		city, ok := row["city"].(string)
		want[socrata.GroupCount{Value: city, Null: !ok}]++
		if k, ok := row["ttxid"].(string); ok {
			distinct[k] = true
		}
	}
	n, version, err := c.CountDistinct(t.Context(), "ttxid")
	require.NoError(t, err)
	assert.Equal(t, int64(len(distinct)), n)
	_, served := p.Versions()
	assert.Equal(t, served, version.Served)
	assert.NotEmpty(t, version.RequestID)

	groups, version, err := c.GroupCounts(t.Context(), "city")
	require.NoError(t, err)
	assert.Equal(t, served, version.Served)
	assert.True(t, slices.IsSortedFunc(groups, func(a, b socrata.GroupCount) int { return strings.Compare(a.Value, b.Value) }))
	assert.True(t, groups[0].Null, "null comes first")
	assert.False(t, groups[1].Null)
	assert.Empty(t, groups[1].Value, "the empty text is a value")
	got := map[socrata.GroupCount]int64{}
	for _, g := range groups {
		got[socrata.GroupCount{Value: g.Value, Null: g.Null}] = g.Rows
	}
	assert.Equal(t, want, got)

	groups, _, err = c.GroupCounts(t.Context(), "parking_tax")
	require.NoError(t, err)
	for _, g := range groups {
		assert.True(t, g.Null || g.Value == "true" || g.Value == "false", "%+v", g)
	}
}

// More values than an answer can hold are never taken for all.
func TestTooManyGroups(t *testing.T) {
	_, c := client(t, portalsim.Options{Table: register.Generate(socrata.MaxPage+1000, 1)})
	_, _, err := c.GroupCounts(t.Context(), "ttxid")
	require.ErrorIs(t, err, socrata.ErrTooManyGroups)
}

func TestKeysOfThePortal(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(1000, 1)})
	keys := keysOf(p)
	require.NoError(t, p.Edit(
		portalsim.Open(map[string]any{"ttxid": "O'Brien, 'x' & y+%"}),
		portalsim.Open(map[string]any{"ttxid": keys[5]}),
		portalsim.Open(map[string]any{"city": "a row without a key"}),
		portalsim.Delete(keys[6]),
	))
	_, served := p.Versions()
	for name, test := range map[string]struct{ asked, want []string }{
		"one":                 {keys[:1], keys[:1]},
		"none of them":        {[]string{"nothing", ""}, []string{}},
		"quotes":              {[]string{"O'Brien, 'x' & y+%", "O'Brien"}, []string{"O'Brien, 'x' & y+%"}},
		"twice on the portal": {keys[4:6], keys[4:6]},
		"twice asked for":     {[]string{keys[2], keys[1], keys[2]}, []string{keys[2], keys[1]}},
		"one that is gone":    {keys[6:8], keys[7:8]},
		"as many as can be":   {keys[100 : 100+socrata.MaxKeys], keys[100 : 100+socrata.MaxKeys]},
	} {
		t.Run(name, func(t *testing.T) {
			before := p.Requests()
			present, version, err := c.Present(t.Context(), "ttxid", test.asked)
			require.NoError(t, err)
			assert.Equal(t, test.want, present)
			assert.Equal(t, served, version.Served)
			assert.Equal(t, before+1, p.Requests())

			var body bytes.Buffer
			info, err := c.PageOfKeys(t.Context(), "ttxid", []string{"ttxid", "dba_name"}, test.asked, &body)
			require.NoError(t, err)
			assert.Equal(t, served, info.Version.Served)
			assert.Equal(t, int64(body.Len()), info.Bytes)
			var rows []map[string]any
			require.NoError(t, json.Unmarshal(body.Bytes(), &rows))
			assert.Len(t, rows, info.Rows)
			came := map[string]bool{}
			for _, row := range rows {
				came[row["ttxid"].(string)] = true
			}
			assert.Len(t, came, len(test.want))
			for _, k := range test.want {
				assert.True(t, came[k], k)
			}
		})
	}
	for _, keys := range [][]string{nil, keys[:socrata.MaxKeys+1], {strings.Repeat("é", 2000)}} {
		before := p.Requests()
		_, _, err := c.Present(t.Context(), "ttxid", keys)
		require.ErrorContains(t, err, "must be")
		_, err = c.PageOfKeys(t.Context(), "ttxid", nil, keys, io.Discard)
		require.ErrorContains(t, err, "must be")
		assert.Equal(t, before, p.Requests())
	}
}

// An address stays well below what servers take, with all columns of the
// register and the longest batch.
func TestAddressOfKeys(t *testing.T) {
	longest := 0
	p, c := client(t, portalsim.Options{Table: register.Generate(1000, 1)})
	p.OnRequest(func(r *http.Request) { longest = max(longest, len(r.URL.RequestURI())) })
	columns := register.Generate(1, 1).Columns()
	_, err := c.PageOfKeys(t.Context(), "ttxid", columns, keysOf(p)[:socrata.MaxKeys], io.Discard)
	require.NoError(t, err)
	assert.Less(t, longest, 6<<10)
}

func TestKeyBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringMatching(`\d{7}-\d\d-\d{3}`)), 0, 700).Draw(t, "keys")
		var all []string
		for batch := range socrata.KeyBatches(keys) {
			require.NotEmpty(t, batch)
			require.LessOrEqual(t, len(batch), socrata.MaxKeys)
			if len(batch) > 1 {
				require.Less(t, len(url.QueryEscape("'"+strings.ReplaceAll(strings.Join(batch, "','"), "'", "''")+"'")), 8<<10)
			}
			all = append(all, batch...)
		}
		require.Len(t, all, len(keys))
		for i := range keys {
			require.Equal(t, keys[i], all[i])
		}
	})
}

// Counts and keys say which version they are of, as pages do, while copies lag.
func TestAnswersOfALaggingCopy(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(100, 1)})
	key := keysOf(p)[0]
	old, _ := p.Versions()
	p.Lag(true)
	require.NoError(t, p.Edit(portalsim.Delete(key), portalsim.DropColumn("lic")))
	truth, _ := p.Versions()
	stale := func(v socrata.Version) {
		t.Helper()
		assert.Equal(t, old, v.Served)
		assert.Equal(t, truth, v.Truth)
		assert.True(t, v.OutOfDate)
	}
	present, v, err := c.Present(t.Context(), "ttxid", []string{key})
	require.NoError(t, err)
	assert.Equal(t, []string{key}, present)
	stale(v)
	n, v, err := c.CountDistinct(t.Context(), "ttxid")
	require.NoError(t, err)
	assert.Equal(t, int64(100), n)
	stale(v)
	_, v, err = c.GroupCounts(t.Context(), "lic")
	require.NoError(t, err, "the copy still has the column")
	stale(v)
	info, err := c.PageOfKeys(t.Context(), "ttxid", []string{"ttxid", "lic"}, []string{key}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 1, info.Rows)
	stale(info.Version)
	m, _, err := c.Metadata(t.Context())
	require.NoError(t, err)
	assert.False(t, slices.ContainsFunc(m.Columns, func(c socrata.Column) bool { return c.FieldName == "lic" }), "metadata is ahead of the copies")

	p.CatchUp()
	present, v, err = c.Present(t.Context(), "ttxid", []string{key})
	require.NoError(t, err)
	assert.Empty(t, present)
	assert.False(t, v.OutOfDate)
	for name, ask := range map[string]func() error{
		"group": func() error { _, _, err := c.GroupCounts(t.Context(), "lic"); return err },
		"count": func() error { _, _, err := c.CountDistinct(t.Context(), "lic"); return err },
		"key":   func() error { _, _, err := c.Present(t.Context(), "lic", []string{key}); return err },
		"select": func() error {
			_, err := c.PageOfKeys(t.Context(), "ttxid", []string{"lic"}, []string{key}, io.Discard)
			return err
		},
		"page": func() error {
			_, err := c.Page(t.Context(), "ttxid", []string{"ttxid", "lic"}, socrata.Range{}, 10, io.Discard)
			return err
		},
	} {
		var e *socrata.Error
		require.ErrorAs(t, ask(), &e, name)
		assert.Equal(t, socrata.BadQuery, e.Kind, name)
		assert.Equal(t, "query.soql.no-such-column", e.Code, name)
	}
}

// asks are all questions of a client, with what they say of an answer.
func asks(c *socrata.Client, t testing.TB) map[string]func() error {
	return map[string]func() error{
		"count":    func() error { _, _, err := c.Count(t.Context(), ""); return err },
		"distinct": func() error { _, _, err := c.CountDistinct(t.Context(), "ttxid"); return err },
		"groups":   func() error { _, _, err := c.GroupCounts(t.Context(), "city"); return err },
		"key at":   func() error { _, _, err := c.KeyAt(t.Context(), "ttxid", "", 3); return err },
		"present":  func() error { _, _, err := c.Present(t.Context(), "ttxid", []string{"a"}); return err },
		"keys":     func() error { _, err := c.PageOfKeys(t.Context(), "ttxid", nil, []string{"a"}, io.Discard); return err },
		"page":     func() error { _, err := c.Page(t.Context(), "ttxid", nil, socrata.Range{}, 2, io.Discard); return err },
		"metadata": func() error { _, _, err := c.Metadata(t.Context()); return err },
	}
}

// Every fault of a portal is the same error, whatever was asked.
func TestFaultsOfAnyQuestion(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(300, 1)})
	date := time.Now().Add(40 * time.Second).UTC().Format(http.TimeFormat)
	for name, test := range map[string]struct {
		fault portalsim.Fault
		kind  socrata.Kind
		code  string
	}{
		"202":            {portalsim.Fault{Status: 202}, socrata.Computing, ""},
		"301":            {portalsim.Fault{Status: 301, Location: "https://login.example.org/"}, socrata.Moved, ""},
		"304":            {portalsim.Fault{Status: 304}, socrata.NotModified, ""},
		"400":            {portalsim.Fault{Status: 400}, socrata.BadQuery, "query.compiler.malformed"},
		"400 of a type":  {portalsim.Fault{Status: 400, Code: "query.soql.type-mismatch"}, socrata.BadQuery, "query.soql.type-mismatch"},
		"401":            {portalsim.Fault{Status: 401}, socrata.Refused, "authentication_required"},
		"403":            {portalsim.Fault{Status: 403}, socrata.Refused, ""},
		"404":            {portalsim.Fault{Status: 404}, socrata.NotFound, "dataset.missing"},
		"408":            {portalsim.Fault{Status: 408}, socrata.Timeout, "query.execution.queryTimeout"},
		"429, seconds":   {portalsim.Fault{Status: 429, RetryAfter: "40"}, socrata.Throttled, "too_many_requests"},
		"429, a date":    {portalsim.Fault{Status: 429, RetryAfter: date}, socrata.Throttled, "too_many_requests"},
		"500":            {portalsim.Fault{Status: 500}, socrata.Unavailable, "internal_error"},
		"503, HTML":      {portalsim.Fault{Status: 503, HTML: true}, socrata.Unavailable, ""},
		"200, HTML":      {portalsim.Fault{HTML: true}, socrata.Garbage, ""},
		"200, envelope":  {portalsim.Fault{Body: `{"error":true,"message":"no"}`}, socrata.Garbage, ""},
		"200, cut":       {portalsim.Fault{TruncateAfter: 1}, socrata.Garbage, ""},
		"200, no JSON":   {portalsim.Fault{Body: "[{nonsense"}, socrata.Garbage, ""},
		"200, nothing":   {portalsim.Fault{Body: " "}, socrata.Garbage, ""},
		"reset":          {portalsim.Fault{Reset: true}, socrata.Network, ""},
		"reset, in it":   {portalsim.Fault{Reset: true, ResetAfter: 12}, socrata.Garbage, ""},
		"a row too many": {portalsim.Fault{Body: `[{"ttxid":"x"},{"ttxid":"y"},{"ttxid":"z"}]`}, socrata.Garbage, ""},
	} {
		for question, ask := range asks(c, t) {
			if name == "a row too many" && question == "groups" {
				continue // three groups, as far as anybody can tell; not of this column
			}
			t.Run(name+"/"+question, func(t *testing.T) {
				test.fault.Times = -1 // Go's client repeats by itself what was reset
				p.Fail(test.fault)
				defer p.Heal()
				err := ask()
				var e *socrata.Error
				require.ErrorAs(t, err, &e)
				if test.kind == socrata.Garbage && strings.HasPrefix(name, "reset") {
					assert.True(t, e.Kind == socrata.Garbage || e.Kind == socrata.Network, err)
					return
				}
				assert.Equal(t, test.kind, e.Kind, err)
				assert.Equal(t, test.code, e.Code)
				if test.fault.RetryAfter != "" {
					assert.InDelta(t, 40, e.RetryAfter.Seconds(), 5)
				}
			})
		}
	}
	p.Fail(portalsim.Fault{Pace: 2 * time.Millisecond, Times: -1})
	for question, ask := range asks(c, t) {
		assert.NoError(t, ask(), "%s: slow, but coming", question)
	}
}

// Whatever a portal answers, no error repeats what it says of its rows. Keys
// that were asked for may be told.
func TestErrorsDoNotTellValues(t *testing.T) {
	const secret = "Xanthippe"
	p, c := client(t, portalsim.Options{Table: register.Generate(3, 1)})
	bodies := []string{
		secret, "<" + secret + ">", `"` + secret + `"`, `{"` + secret + `":1}`, `[`, `[{"ttxid":"` + secret, `[{"ttxid":` + secret + `}]`,
		`[{"ttxid":"a","` + secret + `":1,"` + secret + `":2}]`, `[{"` + secret + `":"1"}]`, `[{"count":"` + secret + `"}]`,
		`[{"count":"1","city":"` + secret + `"},{"count":"1","city":"` + secret + `"}]`, `[{"ttxid":"` + secret + `"},{"ttxid":"` + secret + `"},{}]`,
		`[{"ttxid":"a","x":{"` + secret + `":"` + secret + `" 1}}]`, `[{"ttxid":"a"}] "` + secret + `"`, `[{"ttxid":"a"}{"` + secret + `":1}]`,
		`[{"ttxid":"a","b":"\u` + secret + `"}]`, `[{"ttxid":"a","` + secret + `"}]`, `["` + secret + `"]`,
		`{"id":"` + portalsim.DefaultID + `","columns":[{"id":"` + secret + `"}]}`, `{"id":"` + secret + `","columns":[{}]}`,
		`{"id":"` + portalsim.DefaultID + `","columns":[{"cachedContents":{"top":"` + secret + `"}}]}`,
	}
	for _, body := range bodies {
		for question, ask := range asks(c, t) {
			p.Fail(portalsim.Fault{Body: body})
			if err := ask(); err != nil {
				require.NotContains(t, err.Error(), secret[:4], "%s: %s", question, body)
			}
			p.Heal()
		}
	}
	// Rows of any kind, cut and spoiled anywhere.
	row := `[{"ttxid":"k1","city":"Xanthippe","location":{"type":"Xanthippe","coordinates":[1,2]}},{"ttxid":"Xanthippe","count":"1"}]`
	rapid.Check(t, func(rt *rapid.T) {
		at := rapid.IntRange(0, len(row)-1).Draw(rt, "at")
		body := row[:at] + rapid.SampledFrom([]string{"", `"`, "\\", "}", "]", ",", "\x00", "\xff", row}).Draw(rt, "with") + row[min(len(row), at+rapid.IntRange(0, 3).Draw(rt, "less")):]
		p.Heal()
		p.Fail(portalsim.Fault{Body: body, Times: -1})
		for question, ask := range asks(c, t) {
			if err := ask(); err != nil {
				require.NotContains(rt, err.Error(), "Xant", "%s: %s", question, body)
			}
		}
	})
	p.Heal()
}

// A server that ends an answer too early in its headers' words leaves rows
// where the next answer should begin.
func TestMalformedAnswersAreNotQuoted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if assert.NoError(t, err) {
			_, err = io.WriteString(conn, `{"ownership_name":"Xanthippe"}`+"\r\n\r\n")
			assert.NoError(t, err)
			assert.NoError(t, conn.Close())
		}
	}))
	defer server.Close()
	c, err := socrata.New(socrata.Options{BaseURL: server.URL, ID: portalsim.DefaultID})
	require.NoError(t, err)
	_, _, err = c.Count(t.Context(), "")
	var e *socrata.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, socrata.Network, e.Kind)
	assert.NotContains(t, err.Error(), "Xanthippe")
}

func TestGroupCountsOfAnyServer(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(3, 1)})
	for body, want := range map[string][]socrata.GroupCount{
		`[]`: nil,
		`[{"city":"B","count":"2"},{"count_1":3,"city":"A"},{"count":"1"}]`:   {{Null: true, Rows: 1}, {Value: "A", Rows: 3}, {Value: "B", Rows: 2}},
		`[{"city":null,"count":"2"},{"city":1.50,"count":"4"}]`:               {{Null: true, Rows: 2}, {Value: "1.50", Rows: 4}},
		`[{"city":true,"count":"2"},{"city":false,"count":"4"}]`:              {{Value: "false", Rows: 4}, {Value: "true", Rows: 2}},
		`[{"city":"","count":"2"},{"count":"4"},{"city":"\u0041","count":1}]`: {{Null: true, Rows: 4}, {Rows: 2}, {Value: "A", Rows: 1}},
	} {
		p.Fail(portalsim.Fault{Body: body})
		groups, _, err := c.GroupCounts(t.Context(), "city")
		require.NoError(t, err, body)
		assert.Equal(t, want, groups, body)
	}
	for _, body := range []string{
		`[{}]`, `[{"city":"A"}]`, `[{"city":"A","count":"many"}]`, `[{"city":"A","count":"0"}]`, `[{"city":"A","count":null}]`, `[{"city":"A","count":"1","x":"2"}]`,
		`[{"city":{"type":"Point"},"count":"1"}]`, `[{"city":["A"],"count":"1"}]`, `[{"city":"A","count":"1"},{"city":"\u0041","count":"1"}]`,
		`[{"count":"1"},{"count":"1"}]`, `[{"city":"A","count":"1"}`, `{"city":"A","count":"1"}`,
	} {
		p.Fail(portalsim.Fault{Body: body})
		_, _, err := c.GroupCounts(t.Context(), "city")
		var e *socrata.Error
		require.ErrorAs(t, err, &e, body)
		assert.Equal(t, socrata.Garbage, e.Kind, body)
	}
}

// An answer about other keys is never taken for one about those asked for.
func TestPresentOfAnyServer(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(3, 1)})
	full := "[" + strings.TrimSuffix(strings.Repeat(`{"ttxid":"a"},`, socrata.MaxPage), ",") + "]"
	for _, body := range []string{`[{"ttxid":"c"}]`, `[{"ttxid":"a"},{}]`, `[{"ttxid":"a"},{"ttxid":null}]`, `[{"ttxid":"A"}]`, `[{"uniqueid":"a"}]`, full} {
		short := body[:min(len(body), 50)]
		p.Fail(portalsim.Fault{Body: body, Times: 2})
		_, _, err := c.Present(t.Context(), "ttxid", []string{"a", "b"})
		var e *socrata.Error
		require.ErrorAs(t, err, &e, short)
		assert.Equal(t, socrata.Garbage, e.Kind, short)
		_, err = c.PageOfKeys(t.Context(), "ttxid", nil, []string{"a", "b"}, io.Discard)
		require.ErrorAs(t, err, &e, short)
		assert.Equal(t, socrata.Garbage, e.Kind, short)
	}
	p.Fail(portalsim.Fault{Body: `[{"ttxid":"b"},{"ttxid":"a"},{"ttxid":"b"}]`})
	present, _, err := c.Present(t.Context(), "ttxid", []string{"a", "c", "b"})
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, present)
}

// Paging by key finds every row once, in any order of keys that a portal may
// have.
func TestPagingInAnotherCollation(t *testing.T) {
	p, c := client(t, portalsim.Options{Table: register.Generate(1, 1), Collate: portalsim.Dictionary, ShuffleTies: true, Seed: 3})
	want := keysOf(p)
	var ops []portalsim.Op
	for i := range 300 {
		k := fmt.Sprintf("%c%02d-%c", "aAbBzZ09é"[i%9], i%37, 'a'+i%5)
		ops = append(ops, portalsim.Open(map[string]any{"ttxid": k}))
		want = append(want, strings.ToValidUTF8(k, "�"))
	}
	require.NoError(t, p.Edit(ops...))
	assert.False(t, slices.IsSorted(keysOf(p)))
	slices.Sort(want)
	want = slices.Compact(want)
	var cuts []string
	for offset := int64(50); ; offset += 50 {
		k, _, err := c.KeyAt(t.Context(), "ttxid", "", offset)
		if err != nil {
			require.ErrorIs(t, err, socrata.ErrPastEnd)
			break
		}
		cuts = append(cuts, k)
	}
	require.GreaterOrEqual(t, len(cuts), 4)
	got := []string{}
	after, unordered := "", 0
	for i := range len(cuts) + 1 {
		r := socrata.Range{After: after}
		if i < len(cuts) {
			r.UpTo, after = cuts[i], cuts[i]
		}
		var body bytes.Buffer
		info, err := c.Page(t.Context(), "ttxid", []string{"ttxid"}, r, 1000, &body)
		require.NoError(t, err)
		if !info.Ordered {
			unordered++
		}
		var rows []map[string]string
		require.NoError(t, json.Unmarshal(body.Bytes(), &rows))
		n, _, err := c.Count(t.Context(), r.Where("ttxid"))
		require.NoError(t, err)
		assert.Len(t, rows, int(n))
		for _, row := range rows {
			got = append(got, row["ttxid"])
		}
	}
	assert.NotZero(t, unordered, "a client notices")
	slices.Sort(got)
	assert.Equal(t, want, slices.Compact(got))
}

// The whole way of a page of 50,000 rows over a socket, in CPU time of both
// sides; the portal's answer is kept, so that its side is next to nothing.
func BenchmarkPageOfThePortal(b *testing.B) {
	_, c := client(b, portalsim.Options{Table: register.Generate(socrata.MaxPage, 1), CacheBytes: 1 << 30})
	page := func() {
		info, err := c.Page(b.Context(), "ttxid", nil, socrata.Range{}, socrata.MaxPage, io.Discard)
		require.NoError(b, err)
		require.Equal(b, socrata.MaxPage, info.Rows)
	}
	page()
	cpu := func() time.Duration {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := cpu()
	for b.Loop() {
		page()
	}
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/1e3/float64(socrata.MaxPage*b.N), "cpu-us/row")
}

// TestColumnsNamedLikeWords asks everything of columns whose names are words of
// SoQL, or have a hyphen, the key among them.
func TestColumnsNamedLikeWords(t *testing.T) {
	for _, name := range []string{"group", "union", "desc", "order", "left", "null", "select", "in", "year-end"} {
		t.Run(name, func(t *testing.T) {
			b, err := store.NewBuilder([]store.Column{{Name: name}, {Name: "from", Kind: store.KindCalendarDate}}, 2)
			require.NoError(t, err)
			for _, key := range []string{"a", "b"} {
				cells := b.Row()
				for i, value := range []any{key, "2020-01-02T00:00:00.000"} {
					column := b.Columns()[i]
					cells[column.Slot], err = store.FromGo(column.Kind, value)
					require.NoError(t, err)
				}
				b.Add(cells)
			}
			_, c := client(t, portalsim.Options{Table: b.Table(), Key: name})
			n, _, err := c.CountDistinct(t.Context(), name)
			require.NoError(t, err)
			assert.EqualValues(t, 2, n)
			groups, _, err := c.GroupCounts(t.Context(), name)
			require.NoError(t, err)
			assert.Len(t, groups, 2)
			key, _, err := c.KeyAt(t.Context(), name, "", 1)
			require.NoError(t, err)
			assert.Equal(t, "b", key)
			present, _, err := c.Present(t.Context(), name, []string{"a", "x"})
			require.NoError(t, err)
			assert.Equal(t, []string{"a"}, present)
			info, err := c.PageOfKeys(t.Context(), name, []string{name, "from"}, []string{"b"}, io.Discard)
			require.NoError(t, err)
			assert.Equal(t, 1, info.Rows)
			for _, r := range []socrata.Range{{}, {After: "a"}, {UpTo: "b"}, {After: "a", UpTo: "b"}, {NullKeys: true}} {
				_, err = c.PageWhere(t.Context(), name, []string{name, "from"}, r, socrata.Name("from")+" is not null", 10, io.Discard)
				require.NoError(t, err, r)
			}
			columns := backfill.DateColumns{Start: "from", Ends: []string{"from"}}
			windows := []backfill.Window{{Since: "2020-01-01", Until: "2020-02-01"}}
			counts, err := backfill.Count(t.Context(), c, columns, windows, backfill.EveryMonth)
			require.NoError(t, err)
			assert.EqualValues(t, 2, counts.Windows[0])
		})
	}
}
