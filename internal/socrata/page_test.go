package socrata

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/testenv"
)

// registerPage is a page of n rows as the register's portal serves it today,
// about 1,000 bytes each.
func registerPage(n int) []byte {
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteString("\n,")
		}
		fmt.Fprintf(&b, `{"uniqueid":"%07[1]d-01-001-0%07[1]d","certificate_number":"%07[1]d","ttxid":"%07[1]d-01-001","ownership_name":"Flyers Energy Co Llc","dba_name":"Richmond's \"Super\" Shell #%[1]d","full_business_address":"4501 Geary Blvd","city":"San Francisco","state":"CA","business_zip":"94118","dba_start_date":"1983-01-01T00:00:00.000","location_start_date":"1994-10-01T00:00:00.000","mailing_address_1":"4501 Geary Blvd","mail_city":"San Francisco","mail_zipcode":"94118","mail_state":"CA","self_reported_naics_code":"4400-4599","lic":"D08 D13 D19 D24 H31","lic_code_description":"Multiple","parking_tax":false,"transient_occupancy_tax":false,"location":{"type":"Point","coordinates":[-122.467739,37.780803]},"neighborhoods_analysis_boundaries":"Inner Richmond","supervisor_district":"1","data_as_of":"2026-10-03T00:00:00.000","data_loaded_at":"2026-10-03T04:15:22.000",":@computed_region_6qbp_sg9q":"5",":@computed_region_qgnn_b9vv":"8",":@computed_region_26cr_cadq":"4",":@computed_region_ajp5_b2md":"11"}`, i)
	}
	b.WriteString("]\n")
	return b.Bytes()
}

// Measured on one core of a busy 2-core machine: 330,000 rows/s, 330 MB/s.
func BenchmarkScan(b *testing.B) {
	const rows = 20_000
	page := registerPage(rows)
	b.ReportAllocs()
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		body := &tee{src: bytes.NewReader(page), dst: io.Discard, buf: make([]byte, copyBytes)}
		info, err := scan(body, []byte(`"ttxid"`), rows, false, nil)
		require.NoError(b, err)
		require.Equal(b, rows, info.Rows)
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkPage(b *testing.B) {
	const rows = 20_000
	page := registerPage(rows)
	for name, encoding := range map[string]string{"plain": "", "gzip": "gzip"} {
		b.Run(name, func(b *testing.B) {
			body := page
			if encoding != "" {
				body = zip(b, page)
			}
			c := clientOf(b, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if encoding != "" {
					w.Header().Set("Content-Encoding", encoding)
				}
				_, _ = w.Write(body)
			})
			b.ReportAllocs()
			b.SetBytes(int64(len(page)))
			for b.Loop() {
				info, err := c.Page(b.Context(), "ttxid", nil, Range{}, rows, io.Discard)
				require.NoError(b, err)
				require.Equal(b, rows, info.Rows)
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func zip(t testing.TB, body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestPageAsksForItsRangeInKeyOrder(t *testing.T) {
	var asked []string
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("$select")+" | "+q.Get("$where")+" | "+q.Get("$order")+" | "+q.Get("$limit"))
		assert.Equal(t, "/resource/g8m3-pdis.json", r.URL.Path)
		_, _ = io.WriteString(w, "[]")
	})
	columns := []string{"ttxid", ":@computed_region_26cr_cadq"}
	for _, r := range []Range{{}, {After: "a", UpTo: "b"}, {NullKeys: true}} {
		info, err := c.Page(t.Context(), "ttxid", columns, r, 50_000, io.Discard)
		require.NoError(t, err)
		assert.Zero(t, info.Rows)
		assert.True(t, info.Ordered)
	}
	assert.Equal(t, []string{
		"`ttxid`,`:@computed_region_26cr_cadq` | `ttxid` is not null | `ttxid` | 50000",
		"`ttxid`,`:@computed_region_26cr_cadq` | `ttxid` > 'a' and `ttxid` <= 'b' | `ttxid` | 50000",
		"`ttxid`,`:@computed_region_26cr_cadq` | `ttxid` is null | `:id` | 50000",
	}, asked)

	for _, limit := range []int{-1, 0, 50_001} {
		_, err := c.Page(t.Context(), "ttxid", nil, Range{}, limit, io.Discard)
		require.ErrorContains(t, err, "1 to 50000")
	}
	assert.Len(t, asked, 3, "a page that cannot be is not asked for")
}

func TestPageInfo(t *testing.T) {
	for name, test := range map[string]struct {
		body     string
		nullKeys bool
		want     PageInfo
	}{
		"no rows":        {body: " [ ] ", want: PageInfo{Ordered: true}},
		"ascending":      {body: `[{"k":"a"},{"x":{"k":"z"},"k":"b"}]`, want: PageInfo{Rows: 2, FirstKey: "a", LastKey: "b", LastRows: 1, KeyBefore: "a", Ordered: true}},
		"descending":     {body: `[{"k":"b"},{"k":"a"}]`, want: PageInfo{Rows: 2, FirstKey: "b", LastKey: "a", LastRows: 1, KeyBefore: "b"}},
		"twice the same": {body: `[{"k":"a"},{"k":"a"}]`, want: PageInfo{Rows: 2, FirstKey: "a", LastKey: "a", LastRows: 2}},
		"the last twice": {
			body: `[{"k":"a"},{"k":"b"},{"k":"c"},{"k":"c"}]`, want: PageInfo{Rows: 4, FirstKey: "a", LastKey: "c", LastRows: 2, KeyBefore: "b"},
		},
		"bytes, not a language's order": {
			body: `[{"k":"Z"},{"k":"a"},{"k":"é"}]`, want: PageInfo{Rows: 3, FirstKey: "Z", LastKey: "é", LastRows: 1, KeyBefore: "a", Ordered: true},
		},
		"escapes":          {body: `[{"k":"\u0041\""},{"k":"B\n"}]`, want: PageInfo{Rows: 2, FirstKey: `A"`, LastKey: "B\n", LastRows: 1, KeyBefore: `A"`, Ordered: true}},
		"empty key":        {body: `[{"k":""},{"k":"a"}]`, want: PageInfo{Rows: 2, LastKey: "a", LastRows: 1, Ordered: true}},
		"number":           {body: `[{"k":9},{"k":10}]`, want: PageInfo{Rows: 2, FirstKey: "9", LastKey: "10", LastRows: 1, KeyBefore: "9"}},
		"a row without":    {body: `[{"k":"a"},{"x":1},{"k":"b"}]`, want: PageInfo{Rows: 3, FirstKey: "a", LastKey: "b", LastRows: 1, KeyBefore: "a"}},
		"a null key":       {body: `[{"k":null}]`, want: PageInfo{Rows: 1}},
		"a composite key":  {body: `[{"k":{"k":"a"}}]`, want: PageInfo{Rows: 1}},
		"null keys":        {body: `[{"x":1},{"k":null},{}]`, nullKeys: true, want: PageInfo{Rows: 3, Ordered: true}},
		"null keys, a key": {body: `[{"x":1},{"k":"a"}]`, nullKeys: true, want: PageInfo{Rows: 2, FirstKey: "a", LastKey: "a", LastRows: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.body) })
			var dst bytes.Buffer
			info, err := c.Page(t.Context(), "k", nil, Range{NullKeys: test.nullKeys}, 10, &dst)
			require.NoError(t, err)
			assert.WithinDuration(t, time.Now(), info.Version.Answered, time.Minute)
			info.Version.Answered = time.Time{}
			test.want.Bytes, test.want.WireBytes = int64(len(test.body)), int64(len(test.body))
			assert.Equal(t, test.want, info)
			assert.Equal(t, test.body, dst.String())
		})
	}
}

func TestPageCompressed(t *testing.T) {
	page := registerPage(2_000)
	wire := zip(t, page)
	c := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		w.Header().Set("Last-Modified", "Sat, 03 Oct 2026 11:15:00 GMT")
		_, _ = w.Write(wire)
	})
	var dst bytes.Buffer
	info, err := c.Page(t.Context(), "ttxid", nil, Range{}, MaxPage, &dst)
	require.NoError(t, err)
	info.Version.Answered = time.Time{} // now
	assert.Equal(t, PageInfo{
		Rows:      2_000,
		FirstKey:  "0000000-01-001",
		LastKey:   "0001999-01-001",
		LastRows:  1,
		KeyBefore: "0001998-01-001",
		Ordered:   true,
		Version:   Version{Served: time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)},
		Bytes:     int64(len(page)),
		WireBytes: int64(len(wire)),
	}, info)
	assert.True(t, bytes.Equal(page, dst.Bytes()))
}

func TestPageGarbage(t *testing.T) {
	page := registerPage(500)
	zipped := zip(t, page)
	badMiddle := bytes.Clone(zipped)
	for i := range 64 {
		badMiddle[len(badMiddle)/2+i] ^= 0x5a
	}
	badSum := bytes.Clone(zipped)
	badSum[len(badSum)-6] ^= 0xff
	for name, test := range map[string]struct {
		contentType, encoding string
		body                  []byte
		says                  string
	}{
		"HTML":                    {contentType: "text/html; charset=utf-8", body: []byte("<html>…"), says: "an HTML page"},
		"HTML that does not say":  {contentType: "application/json", body: []byte("<!DOCTYPE html>\n<title>Oops"), says: "begins like HTML"},
		"nothing":                 {says: "an empty body"},
		"an envelope":             {body: []byte(`{"error":true,"message":"Internal error"}`), says: "instead of an array"},
		"an array of arrays":      {body: []byte(`[[1]]`), says: "instead of an object"},
		"truncated in a row":      {body: page[:len(page)/2], says: "unexpected EOF"},
		"truncated between rows":  {body: page[:bytes.LastIndexByte(page, '\n')-1], says: "unexpected EOF"},
		"two answers":             {body: append(bytes.Clone(page), page...), says: "more after the end"},
		"invalid JSON":            {body: bytes.Replace(page, []byte(`"0000400-01-001"`), []byte(`"0000400`), 1), says: "after 400 rows"},
		"no JSON in a row":        {body: []byte(`[{"ttxid":"a"},{"ttxid":b}]`), says: "after 1 rows: invalid JSON at byte"},
		"brackets of two kinds":   {body: []byte(`[{"ttxid":"a"]`), says: "invalid JSON at byte"},
		"more than asked for":     {body: registerPage(501), says: "more rows than the 500 asked for"},
		"truncated gzip":          {encoding: "gzip", body: zipped[:len(zipped)/2], says: "truncated"},
		"gzip without its end":    {encoding: "gzip", body: zipped[:len(zipped)-1], says: "truncated"},
		"gzip that breaks":        {encoding: "gzip", body: badMiddle},
		"gzip with a wrong sum":   {encoding: "gzip", body: badSum, says: "not gzip as announced"},
		"gzip that is not":        {encoding: "gzip", body: page, says: "not gzip as announced"},
		"gzip of nothing":         {encoding: "gzip", says: "truncated"},
		"an encoding of its own":  {encoding: "br", body: page, says: `"br"`},
		"an endless row":          {body: []byte(`[{"k":"` + strings.Repeat("x", maxOversizeBytes+1<<20)), says: "a row of more than"},
		"endless space":           {body: []byte(`[` + strings.Repeat(" ", maxRowBytes+1<<20)), says: "bytes of white space"},
		"the body the token says": {body: []byte(`secret-token`), says: "does not begin like JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.contentType != "" {
					w.Header().Set("Content-Type", test.contentType)
				}
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				w.Header().Set("X-Socrata-RequestId", "r1")
				_, _ = w.Write(test.body)
			})
			info, err := c.Page(t.Context(), "ttxid", nil, Range{}, 500, io.Discard)
			var e *Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, Garbage, e.Kind)
			assert.Equal(t, 200, e.Status)
			assert.Equal(t, "r1", e.RequestID)
			assert.True(t, e.Retryable())
			assert.True(t, e.DestinationDown())
			assert.Contains(t, e.Error(), test.says)
			assert.NotContains(t, e.Error(), "secret-token")
			assert.NotContains(t, e.Error(), "\n")
			assert.Zero(t, info)
		})
	}
}

// TestPageWithAPoisonedRow has a row that cannot be stored between two that can:
// the page is whole, and the row is handed on with the others.
func TestPageWithAPoisonedRow(t *testing.T) {
	const before, after = `{"ttxid":"0001","dba_name":"A"}`, `{"ttxid":"0003","dba_name":"C"}`
	deep := strings.Repeat(`[`, 20_000) + strings.Repeat(`]`, 20_000)
	for name, test := range map[string]struct{ row, key string }{
		"half of a surrogate pair":   {`{"ttxid":"0002","dba_name":"\ud800"}`, "0002"},
		"another half":               {`{"dba_name":"a\udc00b","ttxid":"0002"}`, "0002"},
		"invalid UTF-8":              {`{"ttxid":"0002","dba_name":"Ge` + "\xff" + `ry"}`, "0002"},
		"invalid UTF-8 in a name":    {`{"` + "\xff" + `":1,"ttxid":"0002"}`, "0002"},
		"a member twice":             {`{"ttxid":"0002","city":"a","city":"b"}`, "0002"},
		"a key twice":                {`{"ttxid":"0002","ttxid":"0004"}`, "0002"},
		"NUL as it is":               {`{"ttxid":"0002","city":"a` + "\x00" + `b"}`, "0002"},
		"NUL, escaped":               {`{"ttxid":"0002","city":"a\u0000b"}`, "0002"},
		"nesting without end":        {`{"ttxid":"0002","location":` + deep + `}`, "0002"},
		"a row that is too large":    {`{"ttxid":"0002","city":"` + strings.Repeat("\\\"x", maxRowBytes/2) + `"}`, "0002"},
		"a key that is no text":      {`{"ttxid":"\ud8002"}`, ""},
		"a key that is far too long": {`{"ttxid":"0002` + strings.Repeat("x", MaxKey) + `"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := "[" + before + "\n," + test.row + "\n," + after + "]"
			c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			var landed bytes.Buffer
			info, err := c.Page(t.Context(), "ttxid", nil, Range{}, 500, &landed)
			require.NoError(t, err)
			require.Equal(t, body, landed.String(), "verbatim")
			assert.Equal(t, 3, info.Rows)
			assert.Equal(t, []string{"0001", "0003"}, []string{info.FirstKey, info.LastKey})
			assert.Equal(t, test.key != "", info.Ordered)
			if assert.Equal(t, 1, info.LastRows); test.key != "" {
				assert.Equal(t, test.key, info.KeyBefore)
			}
			for _, read := range []func(io.Reader) iter.Seq2[jsontext.Value, error]{Rows, SplitRows} {
				var rows []string
				for row, err := range read(iotest.HalfReader(bytes.NewReader(landed.Bytes()))) {
					require.NoError(t, err)
					rows = append(rows, string(row))
				}
				require.Len(t, rows, 3)
				assert.Equal(t, []string{before, after}, []string{rows[0], rows[2]})
				assert.True(t, strings.HasPrefix(test.row, rows[1]))
				assert.Len(t, rows[1], min(len(test.row), max(len(rows[1]), maxRowBytes+1)))
			}
		})
	}

	// One at the end of a full page is the next page's, with the row before it.
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `[`+before+`,`+after+`,{"ttxid":"\ud800"}]`)
	})
	info, err := c.Page(t.Context(), "ttxid", nil, Range{}, 3, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 2, info.LastRows)
	assert.Equal(t, "0001", info.KeyBefore)
}

func TestPageCutOffOnTheWire(t *testing.T) {
	page := registerPage(500)
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(page)))
		_, _ = w.Write(page[:len(page)/2])
	})
	_, err := c.Page(t.Context(), "ttxid", nil, Range{}, 500, io.Discard)
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Garbage, e.Kind)
	assert.Contains(t, e.Error(), "truncated")
}

type brokenDisk struct{ after int }

var errDiskFull = errors.New("disk full")

func (d *brokenDisk) Write(p []byte) (int, error) {
	d.after -= len(p)
	if d.after < 0 {
		return 0, errDiskFull
	}
	return len(p), nil
}

func TestPageWriteFailsOnOurSide(t *testing.T) {
	page := registerPage(500)
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	_, err := c.Page(t.Context(), "ttxid", nil, Range{}, 500, &brokenDisk{after: len(page) / 2})
	require.ErrorIs(t, err, errDiskFull)
	var e *Error
	assert.NotErrorAs(t, err, &e)
}

// rowsOf draws a JSON array of objects in any layout, and how many there are.
func rowsOf(t *rapid.T) (body []byte, rows int) {
	space := rapid.StringOfN(rapid.RuneFrom([]rune(" \n\t\r")), 0, 3, -1)
	value := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f }),
		rapid.Just[any](nil), rapid.Just[any](true), rapid.Just[any]([]any{map[string]any{"k": "}]"}, 1}),
	)
	body = append(body, space.Draw(t, "space")+"["...)
	rows = rapid.IntRange(0, 200).Draw(t, "rows")
	for i := range rows {
		row, err := json.Marshal(rapid.MapOfN(rapid.SampledFrom([]string{"k", "a", `"`, "é", ""}), value, 0, 4).Draw(t, "row"))
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, space.Draw(t, "space")...)
		body = append(body, row...)
		body = append(body, space.Draw(t, "space")...)
	}
	return append(body, "]"+space.Draw(t, "space")...), rows
}

func TestPageIsVerbatim(t *testing.T) {
	var body []byte
	var zipped bool
	c := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		if !zipped {
			_, _ = w.Write(body)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(zip(t, body))
	})
	rapid.Check(t, func(rt *rapid.T) {
		var rows int
		body, rows = rowsOf(rt)
		zipped = rapid.Bool().Draw(rt, "zipped")
		var dst bytes.Buffer
		info, err := c.Page(t.Context(), "k", nil, Range{}, MaxPage, &dst)
		if err != nil {
			rt.Fatal(err)
		}
		if info.Rows != rows || !bytes.Equal(dst.Bytes(), body) || info.Bytes != int64(len(body)) {
			rt.Fatalf("%d rows for %d, %q for %q", info.Rows, rows, dst.Bytes(), body)
		}
	})
}

// A cut anywhere is an error: half a page is never taken for a whole one.
func TestRowsCutAnywhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		body, _ := rowsOf(rt)
		whole := bytes.LastIndexByte(body, ']')
		cut := rapid.IntRange(0, whole).Draw(rt, "cut")
		var last error
		for _, err := range Rows(bytes.NewReader(body[:cut])) {
			last = err
		}
		if !errors.Is(last, io.ErrUnexpectedEOF) {
			rt.Fatalf("%q: %v", body[:cut], last)
		}
	})
}

func TestRowsStopsWhenAsked(t *testing.T) {
	n := 0
	for row, err := range Rows(strings.NewReader(`[{"a":1},{"a":2},`)) {
		require.NoError(t, err)
		assert.JSONEq(t, fmt.Sprintf(`{"a":%d}`, n+1), string(row))
		if n++; n == 2 {
			break
		}
	}
	assert.Equal(t, 2, n)
}

func TestRowsOfTheRegister(t *testing.T) {
	for _, path := range testenv.Files(t, "sf/soda_2017-08_98rows.json") {
		file, err := os.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, file.Close()) })
		n := 0
		for row, err := range Rows(file) {
			require.NoError(t, err)
			assert.True(t, row.IsValid())
			n++
		}
		assert.Equal(t, 98, n, path)
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(`[{"ttxid":"0000024-01-001","location":{"type":"Point","coordinates":[-122.4,37.7]}},{}]`), "ttxid")
	f.Add([]byte(" [\n] \n"), ":id")
	f.Add([]byte(`[{"a":"\ud800"}]`), "a")
	f.Add([]byte(`[{"a":1},{"a":2`), "a")
	f.Add([]byte(`<html>`), "a")
	f.Fuzz(func(t *testing.T, body []byte, key string) {
		rows := 0
		var failed error
		for row, err := range Rows(bytes.NewReader(body)) {
			if err != nil {
				require.Nil(t, row)
				require.NoError(t, failed, "an error ends the sequence")
				failed = err
				continue
			}
			require.NoError(t, failed)
			require.Equal(t, jsontext.Kind('{'), row.Kind())
			rows++
		}
		// The same, decoded whole by the library.
		var whole []map[string]jsontext.Value
		err := json.Unmarshal(body, &whole, lenient...)
		isArray := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("["))
		if err == nil && isArray && failed != nil {
			for _, row := range whole {
				if row == nil { // null is no object
					return
				}
			}
		}
		if failed == nil && bytes.ContainsFunc(body, isControl) {
			return // which Rows lets pass within strings
		}
		require.Equal(t, err == nil && isArray, failed == nil, "%v / %v", err, failed)

		quoted, err := jsontext.AppendQuote(nil, key)
		if err != nil || failed != nil {
			return
		}
		require.Len(t, whole, rows)
		var dst bytes.Buffer
		info, err := scan(&tee{src: bytes.NewReader(body), dst: &dst, buf: make([]byte, 16)}, quoted, MaxPage, false, nil)
		require.NoError(t, err)
		require.Equal(t, rows, info.Rows)
		require.Equal(t, body, dst.Bytes())
	})
}

// TestOnlySingleRowsAreBounded reads a body that is longer than a row may be.
func TestOnlySingleRowsAreBounded(t *testing.T) {
	row := `{"k":"` + strings.Repeat("a", 10<<20) + `"}`
	body := "[" + row + "," + row + "]"
	for name, read := range map[string]func(io.Reader) iter.Seq2[jsontext.Value, error]{"Rows": Rows, "SplitRows": SplitRows} {
		n := 0
		for got, err := range read(strings.NewReader(body)) {
			require.NoError(t, err, name)
			require.Len(t, got, len(row), name)
			n++
		}
		require.Equal(t, 2, n, name)
	}
}

func TestRowsSayHowFarTheyCame(t *testing.T) {
	broken := errors.New("the line is cut")
	for want, read := range map[string]func(io.Reader) iter.Seq2[jsontext.Value, error]{
		"read rows, after 2 of them: the line is cut": Rows, "split rows, after 2 of them: the line is cut": SplitRows,
	} {
		var last error
		for _, err := range read(io.MultiReader(strings.NewReader(`[{"k":1},{"k":2},`), iotest.ErrReader(broken))) {
			last = err
		}
		require.ErrorIs(t, last, broken)
		require.EqualError(t, last, want)
	}
}
