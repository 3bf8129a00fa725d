package portalsim

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/portalsim/register"
	"padron/internal/portalsim/soql"
)

// serve starts a portal on a real port.
func serve(t testing.TB, p *Portal) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return server
}

// get sends a real request; headers come in pairs.
func get(t testing.TB, address string, headers ...string) (*http.Response, []byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	// Without kept connections: on those the client repeats a GET by itself
	// when the connection is reset.
	transport := &http.Transport{DisableKeepAlives: true}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Transport: transport, CheckRedirect: stay}
	response, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

func query1(params ...string) string {
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	return "/resource/" + DefaultID + ".json?" + q.Encode()
}

func portalWith(t testing.TB, n int, o Options) *Portal {
	t.Helper()
	o.Table = register.Generate(n, 1)
	p, err := New(o)
	require.NoError(t, err)
	return p
}

// smallRows have a value of every type, nulls, quotes, a key without duplicates
// and a row without one.
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

func TestPagingByKeyRange(t *testing.T) {
	p := portalWith(t, 5000, Options{})
	server := serve(t, p)
	seen, after := []map[string]any{}, ""
	for {
		where := "ttxid is not null"
		if after != "" {
			where = "ttxid > '" + after + "'"
		}
		_, body, err := get(t, server.URL+query1("$where", where, "$order", "ttxid", "$limit", "700"))
		require.NoError(t, err)
		var page []map[string]any
		require.NoError(t, json.Unmarshal(body, &page))
		seen = append(seen, page...)
		if len(page) < 700 {
			break
		}
		after = page[len(page)-1]["ttxid"].(string)
	}
	i := 0
	for row := range p.SourceRows() {
		require.Equal(t, row, seen[i])
		i++
	}
	assert.Len(t, seen, i)
	assert.Equal(t, 5000, i)
}

func TestPageFramingAndLimits(t *testing.T) {
	p := portalWith(t, 3000, Options{MaxLimit: 2000})
	body := ask(p, map[string]string{"$limit": "2", "$order": "ttxid"}).Body.String()
	assert.Regexp(t, `^\[\{.*\}\n,\{.*\}\]\n$`, body)
	assert.Len(t, rowsOf(t, ask(p, nil)), DefaultLimit)
	assert.Len(t, rowsOf(t, ask(p, map[string]string{"$limit": "9999"})), 2000)
}

// Without an order the rows come in an order that stays while the version does,
// and changes with it.
func TestUnorderedPages(t *testing.T) {
	p := portalWith(t, 3000, Options{})
	keys := func(offset int) (keys []string) {
		for _, row := range rowsOf(t, ask(p, map[string]string{"$select": "ttxid", "$offset": strconv.Itoa(offset)})) {
			keys = append(keys, row["ttxid"].(string))
		}
		return keys
	}
	distinct := map[string]bool{}
	for offset := 0; offset < 3000; offset += 1000 {
		for _, k := range keys(offset) {
			distinct[k] = true
		}
	}
	assert.Len(t, distinct, 3000)
	first := keys(0)
	assert.Equal(t, first, keys(0))
	assert.False(t, sortedStrings(first))
	require.NoError(t, p.Edit(Delete(first[0])))
	second := map[string]bool{}
	for _, k := range append(first, keys(1000)...) {
		second[k] = true
	}
	assert.Less(t, len(second), 2000, "pages of two versions overlap")
}

func sortedStrings(list []string) bool {
	for i := 1; i < len(list); i++ {
		if list[i] < list[i-1] {
			return false
		}
	}
	return true
}

func TestVersionHeaders(t *testing.T) {
	now := time.Date(2026, 10, 5, 3, 0, 0, 123, time.UTC)
	p := portalWith(t, 100, Options{Now: func() time.Time { return now }})
	server := serve(t, p)
	address := server.URL + query1("$select", "count(*)")
	response, _, err := get(t, address)
	require.NoError(t, err)
	for _, name := range []string{"Last-Modified", "X-SODA2-Secondary-Last-Modified", "X-SODA2-Truth-Last-Modified"} {
		assert.Equal(t, "Sun, 04 Oct 2026 11:15:00 GMT", response.Header.Get(name), name)
	}
	assert.Equal(t, "false", response.Header.Get("X-SODA2-Data-Out-Of-Date"))
	assert.Equal(t, `["count"]`, response.Header.Get("X-SODA2-Fields"))
	assert.Equal(t, `["number"]`, response.Header.Get("X-SODA2-Types"))
	assert.NotEmpty(t, response.Header.Get("X-Socrata-RequestId"))
	assert.Equal(t, "application/json;charset=utf-8", response.Header.Get("Content-Type"))
	etag := response.Header.Get("ETag")

	same, body, err := get(t, address, "If-None-Match", etag)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotModified, same.StatusCode)
	assert.Empty(t, body)
	other, _, err := get(t, server.URL+query1("$select", "count(*) as n"), "If-None-Match", etag)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, other.StatusCode, "the ETag is that of one query only")
	plain, _, err := get(t, address, "If-None-Match", etag, "Accept-Encoding", "identity")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, plain.StatusCode, "the ETag is that of one encoding only")

	require.NoError(t, p.Edit(Delete(anyKey(p))))
	changed, _, err := get(t, address, "If-None-Match", etag)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, changed.StatusCode)
	assert.Equal(t, "Mon, 05 Oct 2026 03:00:00 GMT", changed.Header.Get("Last-Modified"))
	require.NoError(t, p.Edit(Republish()))
	truth, served := p.Versions()
	assert.Equal(t, now.Truncate(time.Second).Add(time.Second), truth, "versions are a second apart at least")
	assert.Equal(t, truth, served)
}

func anyKey(p *Portal) string {
	for row := range p.SourceRows() {
		return row["ttxid"].(string)
	}
	return ""
}

func TestGzip(t *testing.T) {
	p := portalWith(t, 1000, Options{})
	server := serve(t, p)
	response, body, err := get(t, server.URL+query1("$order", "ttxid"), "Accept-Encoding", "gzip")
	require.NoError(t, err)
	assert.Equal(t, "gzip", response.Header.Get("Content-Encoding"))
	assert.EqualValues(t, len(body), p.BytesServed())
	z, err := gzip.NewReader(strings.NewReader(string(body)))
	require.NoError(t, err)
	unzipped, err := io.ReadAll(z)
	require.NoError(t, err)
	_, plain, err := get(t, server.URL+query1("$order", "ttxid"), "Accept-Encoding", "identity")
	require.NoError(t, err)
	assert.Equal(t, string(plain), string(unzipped))
}

func TestOtherAddresses(t *testing.T) {
	p := portalWith(t, 10, Options{})
	server := serve(t, p)
	for _, test := range []struct {
		path   string
		status int
		holds  string
	}{
		{"/resource/q8m3-pdis.json", 404, `"code":"dataset.missing"`},
		{"/api/views/q8m3-pdis.json", 404, `"code":"dataset.missing"`},
		{"/resource/nonsense.json", 404, `"error":true`},
		{"/", 404, `"error":true`},
		{"/d/" + DefaultID, 200, "<html>"},
		{"/resource/" + DefaultID, 200, "ttxid"},
	} {
		response, body, err := get(t, server.URL+test.path)
		require.NoError(t, err)
		assert.Equal(t, test.status, response.StatusCode, test.path)
		assert.Contains(t, string(body), test.holds, test.path)
	}
	response, err := http.Post(server.URL+query1(), "text/plain", strings.NewReader("x")) //nolint:noctx // one local request
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
}

func TestMovedHost(t *testing.T) {
	p := portalWith(t, 10, Options{})
	server := serve(t, p)
	old := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	p.MoveHost(strings.TrimPrefix(old, "http://"), server.URL)
	path := query1("$select", "count(*)", "$where", "city = 'San Francisco'")
	response, _, err := get(t, old+path)
	require.NoError(t, err)
	assert.Equal(t, http.StatusMovedPermanently, response.StatusCode)
	assert.Equal(t, server.URL+path, response.Header.Get("Location"))
	response, _, err = get(t, server.URL+path)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 10, 5, 3, 0, 0, 0, time.UTC)
	p := portalWith(t, 10, Options{
		Now: func() time.Time { return now }, Throttle: &Throttle{Requests: 2, Window: time.Minute, RetryAfter: "30"},
	})
	for i, want := range []int{200, 200, 429, 429} {
		w := ask(p, map[string]string{"$limit": "1"})
		assert.Equal(t, want, w.Code, i)
		if want == 429 {
			assert.Equal(t, "30", w.Header().Get("Retry-After"))
		}
	}
	assert.Equal(t, 200, ask(p, map[string]string{"$limit": "1", "$$app_token": "x"}).Code)
	now = now.Add(time.Minute)
	assert.Equal(t, 200, ask(p, map[string]string{"$limit": "1"}).Code)
}

func TestMetadata(t *testing.T) {
	p := portalWith(t, 2000, Options{})
	key := anyKey(p)
	require.NoError(t, p.Edit(SetField(key, "city", "San Francisco"), SetField(key, "dba_name", "Aaa")))
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/views/"+DefaultID+".json", nil))
	require.Equal(t, http.StatusOK, w.Code)
	var m metadata
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &m))
	truth, _ := p.Versions()
	assert.Equal(t, truth.Unix(), m.RowsUpdatedAt)
	assert.NotEmpty(t, m.License.Name)
	assert.NotEmpty(t, m.Attribution)
	assert.Equal(t, truth.Format(http.TimeFormat), w.Header().Get("Last-Modified"))
	rows, distinct := 0, map[string]map[string]int{}
	for row := range p.SourceRows() {
		rows++
		for name, x := range row {
			if distinct[name] == nil {
				distinct[name] = map[string]int{}
			}
			distinct[name][fmt.Sprint(x)]++
		}
	}
	require.Len(t, m.Columns, 36)
	for _, c := range m.Columns {
		nonNull, top := 0, 0
		for _, n := range distinct[c.FieldName] {
			nonNull += n
			top = max(top, n)
		}
		assert.Equal(t, strconv.Itoa(nonNull), c.CachedContents.NonNull, c.FieldName)
		assert.Equal(t, strconv.Itoa(rows-nonNull), c.CachedContents.Null, c.FieldName)
		assert.Equal(t, strconv.Itoa(len(distinct[c.FieldName])), c.CachedContents.Cardinality, c.FieldName)
		if nonNull > 0 {
			assert.Equal(t, strconv.Itoa(top), c.CachedContents.Top[0].Count, c.FieldName)
			assert.LessOrEqual(t, len(c.CachedContents.Top), topItems)
		}
		if c.FieldName == "ttxid" {
			assert.Equal(t, key, c.CachedContents.Smallest)
			assert.Equal(t, "text", c.DataTypeName)
		}
	}
}

func TestHideComputed(t *testing.T) {
	p := portalWith(t, 200, Options{HideComputed: true})
	holds := func(params map[string]string) bool {
		return strings.Contains(ask(p, params).Body.String(), ":@computed_region_")
	}
	assert.True(t, holds(nil))
	assert.False(t, holds(map[string]string{"$order": "ttxid"}))
	assert.True(t, holds(map[string]string{"$order": "ttxid", "$select": "ttxid,:@computed_region_ajp5_b2md"}))
}

func TestCountersAndHook(t *testing.T) {
	p := portalWith(t, 500, Options{})
	server := serve(t, p)
	keys := []string{}
	for row := range p.SourceRows() {
		keys = append(keys, row["ttxid"].(string))
	}
	var mu sync.Mutex
	p.OnRequest(func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/resource/") && len(keys) > 490 {
			assert.NoError(t, p.Edit(Delete(keys[0])))
			keys = keys[1:]
		}
	})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 4 {
				_, _, err := get(t, server.URL+query1("$order", "ttxid"))
				assert.NoError(t, err)
			}
		})
	}
	wait.Wait()
	_, _, err := get(t, server.URL+"/api/views/"+DefaultID+".json")
	require.NoError(t, err)
	assert.Equal(t, 490, p.Len())
	assert.EqualValues(t, 17, p.Requests())
	assert.EqualValues(t, 16, p.PageRequests())
}

// An answer that is under way while the data change is of one version.
func TestAnswerIsOfOneVersion(t *testing.T) {
	t.Run("rendered each time", func(t *testing.T) { answersOfOneVersion(t, portalWith(t, 20_000, Options{})) })
	t.Run("kept, with history", func(t *testing.T) {
		p := portalWith(t, 500, Options{CacheBytes: 1 << 20, History: true})
		answersOfOneVersion(t, p)
		assert.Len(t, p.VersionsOf("9999999-0"), 1+len(p.kept())-2, "there since the first edit, other in each version")
	})
}

func answersOfOneVersion(t *testing.T, p *Portal) {
	server := serve(t, p)
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ctx.Err() == nil && i < 1000; i++ { // so many that memory stays small
			assert.NoError(t, p.Edit(Open(map[string]any{"ttxid": fmt.Sprintf("9999999-%d", i), "city": "New"}), Republish()))
		}
	})
	for range 5 {
		_, body, err := get(t, server.URL+query1(
			"$select", ":updated_at,ttxid", "$where", "city = 'New' or ttxid > '1'", "$order", "ttxid", "$limit", "50000"))
		require.NoError(t, err)
		var rows []map[string]any
		require.NoError(t, json.Unmarshal(body, &rows))
		opened := 0
		for i, row := range rows {
			if i > 0 {
				require.Less(t, rows[i-1]["ttxid"], row["ttxid"])
			}
			if strings.HasPrefix(row["ttxid"].(string), "9999999-") {
				opened++
			}
		}
		first, err := time.Parse(time.RFC3339, rows[0][":updated_at"].(string))
		require.NoError(t, err)
		last, err := time.Parse(time.RFC3339, rows[len(rows)-1][":updated_at"].(string))
		require.NoError(t, err)
		assert.WithinDuration(t, first, last, 2*time.Minute)
	}
	stop()
	wait.Wait()
}

// Rows of one key, and all rows where no order is asked for, come in another
// order from request to request; otherwise the order stands.
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

// What is served in place of a row stands in listings of rows only.
func TestRawRows(t *testing.T) {
	p := portalOf(t, smallRows, Options{CacheBytes: 1 << 20})
	whole := map[string]string{"$order": "id"}
	was := ask(p, whole).Body.String()
	keys := ask(p, map[string]string{"$select": "id", "$order": "id"}).Body.String()
	first := rowsOf(t, ask(p, whole))[0]["id"].(string)
	const raw = `{"id":"\ud800","id":1}`
	p.ServeRaw(first, raw)
	got := ask(p, whole).Body.String()
	assert.Contains(t, got, "["+raw+"\n,")
	_, others, _ := strings.Cut(was, "\n")
	_, now, _ := strings.Cut(got, "\n")
	assert.Equal(t, others, now, "the other rows are as they were")
	assert.Contains(t, ask(p, map[string]string{"$select": "n,id", "$order": "id"}).Body.String(), raw)
	assert.Equal(t, keys, ask(p, map[string]string{"$select": "id", "$order": "id"}).Body.String())
	p.ServeRaw(first, "")
	assert.Equal(t, was, ask(p, whole).Body.String())
}

// A query that cannot be answered gets the portal's error.
func TestRefusedQueries(t *testing.T) {
	p := portalOf(t, smallRows, Options{})
	for _, test := range []struct {
		params map[string]string
		code   string
		data   map[string]any
	}{
		{map[string]string{"$where": "gone is null"}, soql.CodeNoSuchColumn, map[string]any{"column": "gone"}},
		{map[string]string{"$where": "frobnicate(id)"}, soql.CodeNoSuchFunction, map[string]any{"function": "frobnicate"}},
		{map[string]string{"$where": "n = 'abc'"}, soql.CodeTypeMismatch, nil},
		{map[string]string{"$where": "count(*) > 1"}, soql.CodeAggregateInWhere, nil},
		{map[string]string{"$select": "id,count(*)"}, soql.CodeNotGrouped, nil},
		{map[string]string{"$select": "id,id"}, soql.CodeDuplicateAlias, nil},
		{map[string]string{"$where": "id = 'a"}, soql.CodeMalformed, nil},
		{map[string]string{"$limit": "-1"}, soql.CodeMalformed, nil},
		{map[string]string{"$frob": "1"}, soql.CodeUnrecognized, nil},
	} {
		t.Run(fmt.Sprint(test.params), func(t *testing.T) {
			w := ask(p, test.params)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			var envelope struct {
				Code, Message string
				Error         bool
				Data          map[string]any
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &envelope))
			assert.Equal(t, test.code, envelope.Code)
			assert.True(t, envelope.Error)
			assert.Contains(t, envelope.Message, "Query coordinator error: "+test.code+"; ")
			assert.NotEmpty(t, envelope.Data["query"])
			for name, x := range test.data {
				assert.Equal(t, x, envelope.Data[name])
			}
		})
	}
}
