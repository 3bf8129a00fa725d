package dashboard_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/net/html"

	"padron/dashboard"
	"padron/dashboard/chart"
	"padron/internal/mongodb"
	"padron/internal/portalsim"
	"padron/internal/query"
	"padron/internal/runs"
)

const (
	owner = "ZEBULON LEAKTEST"
	home  = "4711 LEAKTEST LN"
)

// TestDashboard checks all pages and data of one mirror, after a first load, a
// reconstructed history, and a run that saw changes.
func TestDashboard(t *testing.T) {
	t.Parallel()
	s := newStack(t, 3000)
	first := s.load()
	s.reconstruct(first, day(2010, 1), day(2015, 1), day(2016, 1), day(2016, 2))
	doc := s.someDocument()
	key := doc.Lookup("_id").StringValue()
	// The edits are of the day of the first version: charts show the later one of
	// its two snapshots.
	loaded, err := s.reader.Runs.Run(t.Context(), first)
	require.NoError(t, err)
	require.NoError(t, s.portal.EditAt(loaded.Version.Served.Add(time.Minute),
		portalsim.Close(key, time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)),
		portalsim.SetField(key, "ownership_name", owner), portalsim.SetField(key, "mailing_address_1", home),
		portalsim.Rename(s.otherKey(key), "Corner Canteen"),
	))
	second := s.load()
	counted := s.documents()

	pages := []string{
		"", "neighborhoods", "neighborhoods/Mission", "neighborhoods/" + url.PathEscape("Financial District/South Beach"),
		"sectors", "sectors/722", "sectors/44-45", "survival",
		"businesses", "businesses?q=corner+cant", "businesses?neighborhood=Mission&open=yes", "businesses?sector=-&open=no",
		"businesses/" + key, "changes", "changes?kind=closed", "profile", "runs", "runs/" + first, "runs/" + second,
		"?from=2015-01&to=2016-12&sort=churn",
	}
	t.Run("pages", func(t *testing.T) {
		for _, lang := range dashboard.Languages() {
			for _, page := range pages {
				a := s.ok("/" + lang + "/" + page)
				require.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
				requireGoodPage(t, lang, "/"+lang+"/"+page, a.body)
			}
		}
	})
	t.Run("freshness", func(t *testing.T) {
		a := s.ok("/en/")
		require.Contains(t, a.body, `<section class="fresh green"`)
		require.Contains(t, a.body, `href="/en/runs/`+second+`#certificate"`)
	})
	t.Run("kept charts", func(t *testing.T) {
		// A chart that was made for one request has the addresses of the other
		// request's page.
		s.ok("/en/?sort=name")
		a := s.ok("/en/?sort=churn&from=2015-01")
		require.NotContains(t, a.body, "sort=name&amp;")
		require.Contains(t, a.body, `href="/data/overview/map.csv?from=2015-01&amp;lang=en&amp;sort=churn&amp;bom=1"`)
	})
	t.Run("links", func(t *testing.T) { s.requireLinksLead(t) })
	t.Run("headers", func(t *testing.T) { s.requireHeaders(t, second) })
	t.Run("neighborhoods", func(t *testing.T) { s.requireNeighborhoods(t, counted) })
	t.Run("months", func(t *testing.T) { s.requireMonths(t, counted) })
	t.Run("history", func(t *testing.T) { s.requireHistory(t) })
	t.Run("embed", func(t *testing.T) {
		a := s.ok("/en/?embed=1&chart=neighborhoods")
		require.Contains(t, a.header.Get("Content-Security-Policy"), "frame-ancestors *")
		require.Empty(t, a.header.Get("X-Frame-Options"))
		requireGoodPage(t, "en", "embed", a.body)
		require.Equal(t, 1, strings.Count(a.body, "<figure"))
		require.Contains(t, a.body, s.spec.Attribution)
	})
	t.Run("search", func(t *testing.T) { s.requireSearch(t, key) })
	t.Run("changes", func(t *testing.T) { s.requireChanges(t, key, second) })
	t.Run("sensitive", func(t *testing.T) { s.requireNothingSensitive(t, key, pages) })
	t.Run("bad input", func(t *testing.T) { s.requireBadInput(t) })
	t.Run("access", func(t *testing.T) { s.requireAccess(t) })
	t.Run("slow readers", func(t *testing.T) { s.requireSlowReadersHoldNothing(t, second) })
	t.Run("live", func(t *testing.T) {
		var p struct {
			Run     string
			Ended   bool
			Percent int
		}
		s.readJSON(&p, "/data/runs/"+second+"/live.json")
		require.Equal(t, second, p.Run)
		require.True(t, p.Ended)
	})
}

// requireSlowReadersHoldNothing has readers of every kind of answer who read
// nothing after the first byte, over connections like those of far networks, whose
// buffers are small: others are served meanwhile.
func (s *stack) requireSlowReadersHoldNothing(t *testing.T, run string) {
	d, err := dashboard.New(s.options)
	require.NoError(t, err)
	l, err := dashboard.Listen(d, "127.0.0.1:0")
	require.NoError(t, err)
	// Stopping waits for readers, and closes the connections of those who stay.
	t.Cleanup(func() { _ = l.Stop(context.WithoutCancel(t.Context())) })
	u, err := url.Parse(l.URL)
	require.NoError(t, err)
	far := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = errors.Join(syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096))
		})
		return errors.Join(err, failed)
	}}
	for range 3 {
		for _, path := range []string{
			"/data/businesses.csv", "/data/businesses.json", "/data/boundaries.json", "/data/changes.json", "/changes.rss",
			"/data/overview/months.csv", "/data/overview/map.json", "/data/runs/" + run + "/live.json", "/en/", "/es/profile", "/en/businesses",
		} {
			conn, err := far.DialContext(t.Context(), "tcp", u.Host)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, u.Host)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = conn.Read(make([]byte, 1))
			require.NoError(t, err, "%s is answered", path)
		}
	}
	require.Equal(t, http.StatusOK, get(t, strings.TrimSuffix(l.URL, "/"), "/en/businesses").status)
}

func day(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// someDocument is an open location with a name and a neighborhood.
func (s *stack) someDocument() bson.Raw {
	for _, doc := range s.documents() {
		open, _ := doc.Lookup("facets", "open").BooleanOK()
		if open && lookup(doc, "dba_name") != "" && lookup(doc, "facets.neighborhood") != "" {
			return doc
		}
	}
	require.FailNow(s.t, "no open document")
	return nil
}

func (s *stack) otherKey(key string) string {
	for _, doc := range s.documents() {
		if k := lookup(doc, "_id"); k != key && lookup(doc, "dba_name") != "" {
			return k
		}
	}
	require.FailNow(s.t, "no other document")
	return ""
}

func lookup(doc bson.Raw, path string) string {
	v, _ := doc.Lookup(strings.Split(path, ".")...).StringValueOK()
	return v
}

// requireGoodPage checks what must hold for every page.
func requireGoodPage(t *testing.T, lang, where, body string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err, where)
	require.NotContains(t, body, "ZgotmplZ", where)
	requireHeadings(t, root, where)
	requireTexts(t, root, where)
	var (
		ids              = map[string]bool{}
		tables, captions int
		labels           = map[string]bool{}
		inputs           []string
		mains            int
	)
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		id := attribute(n, "id")
		if id != "" {
			require.False(t, ids[id], "%s: the id %s is there twice", where, id)
			ids[id] = true
		}
		require.Empty(t, attribute(n, "style"), where)
		switch n.Data {
		case "html":
			require.Equal(t, lang, attribute(n, "lang"), where)
		case "main":
			mains++
		case "table":
			tables++
		case "caption":
			captions++
			require.NotEmpty(t, strings.TrimSpace(text(n)), where)
		case "th":
			require.Contains(t, []string{"col", "row"}, attribute(n, "scope"), where)
		case "label":
			labels[attribute(n, "for")] = true
		case "input", "select":
			if attribute(n, "type") != "hidden" {
				inputs = append(inputs, id)
			}
		case "script":
			if attribute(n, "type") == "application/json" {
				requireContract(t, attribute(n.Parent, "data-kind"), text(n), where)
			} else {
				require.NotEmpty(t, attribute(n, "src"), "%s: inline script", where)
			}
		case "figure":
			require.NotEmpty(t, id, where)
		case "a":
			require.NotEmpty(t, strings.TrimSpace(text(n)), "%s: a link without text", where)
		}
		for _, a := range n.Attr {
			require.False(t, strings.HasPrefix(a.Key, "on"), "%s: %s is script", where, a.Key)
			if a.Key == "src" || n.Data == "link" && a.Key == "href" {
				own := strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "data:")
				require.True(t, own, "%s asks elsewhere for %s", where, a.Val)
			}
		}
	}
	require.Equal(t, 1, mains, where)
	require.Equal(t, tables, captions, "%s: each table has a caption", where)
	for _, input := range inputs {
		require.True(t, labels[input], "%s: %s has no label", where, input)
	}
}

// requireHeadings: a page begins with its only first-level heading, and skips
// no level after it.
func requireHeadings(t *testing.T, root *html.Node, where string) {
	t.Helper()
	var headings []int
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && slices.Contains([]string{"h1", "h2", "h3", "h4"}, n.Data) {
			headings = append(headings, int(n.Data[1]-'0'))
			require.NotEmpty(t, strings.TrimSpace(text(n)), where)
		}
	}
	require.NotEmpty(t, headings, where)
	require.Equal(t, 1, headings[0], where)
	for i := 1; i < len(headings); i++ {
		require.LessOrEqual(t, headings[i], headings[i-1]+1, "%s: headings %v", where, headings)
		require.NotEqual(t, 1, headings[i], where)
	}
}

// requireContract: the data of a chart is of the type of its kind, and nothing
// else is in it.
func requireContract(t *testing.T, kind, data, where string) {
	t.Helper()
	of := map[chart.Kind]any{
		chart.KindLines: &chart.Lines{}, chart.KindBars: &chart.Bars{}, chart.KindHexbin: &chart.Hexbin{},
		chart.KindHeatmap: &chart.Heatmap{}, chart.KindBoxes: &chart.Boxes{},
	}[chart.Kind(kind)]
	require.NotNil(t, of, "%s: %q is not a kind", where, kind)
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(of), "%s: %.80s", where, data)
}

// requireTexts: no key is shown in place of its text.
func requireTexts(t *testing.T, root *html.Node, where string) {
	t.Helper()
	key := regexp.MustCompile(`^\s*(column|figure|note|nav|title|outcome|kind|error|basis|run|live|lead|table|state|filter|unit)` +
		`\.[a-z_.]+\s*$`)
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "code" {
			require.NotRegexp(t, key, n.Data, where)
		}
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// requireLinksLead follows the links of a few pages, each once: none is broken.
func (s *stack) requireLinksLead(t *testing.T) {
	seen := map[string]bool{}
	follow := []string{"/en/", "/es/"}
	for depth := 0; depth < 2; depth++ {
		var found []string
		for _, page := range follow {
			if seen[page] {
				continue
			}
			seen[page] = true
			a := s.ok(page)
			if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
				continue
			}
			root, err := html.Parse(strings.NewReader(a.body))
			require.NoError(t, err)
			for n := range root.Descendants() {
				href, _, _ := strings.Cut(attribute(n, "href"), "#")
				if n.Data == "a" && strings.HasPrefix(href, "/") && !seen[href] && !slices.Contains(found, href) {
					found = append(found, href)
				}
			}
		}
		follow = found
	}
	for _, page := range follow[:min(len(follow), 150)] {
		s.ok(page)
	}
}

// requireHeaders checks the headers of a page and what depends on them.
func (s *stack) requireHeaders(t *testing.T, run string) {
	a := s.ok("/en/", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", a.header.Get("Content-Encoding"))
	require.Contains(t, a.header.Values("Vary"), "Accept-Encoding")
	policy := a.header.Get("Content-Security-Policy")
	for _, part := range []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
	} {
		require.Contains(t, policy, part)
	}
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", a.header.Get("X-Frame-Options"))
	require.Equal(t, "no-referrer", a.header.Get("Referrer-Policy"))

	etag := a.header.Get("ETag")
	require.NotEmpty(t, etag)
	again := get(t, s.server.URL, "/en/", "If-None-Match", etag)
	require.Equal(t, http.StatusNotModified, again.status)
	require.Empty(t, again.body)
	require.NotEqual(t, etag, s.ok("/en/?sort=name").header.Get("ETag"), "of the query")
	require.NotEqual(t, etag, s.ok("/es/").header.Get("ETag"), "of the page")
	require.NoError(t, runs.NewStore(s.db).SetRun(t.Context(), run, bson.D{{Key: "stats.peak_memory_bytes", Value: int64(1)}}))
	require.Eventually(t, func() bool {
		return get(t, s.server.URL, "/en/", "If-None-Match", etag).status == http.StatusOK
	}, 10*time.Second, 50*time.Millisecond, "of what runs wrote")

	head := ask(t, http.MethodHead, s.server.URL, "/en/")
	require.Equal(t, http.StatusOK, head.status)
	require.Empty(t, head.body)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		refused := ask(t, method, s.server.URL, "/en/")
		require.Equal(t, http.StatusMethodNotAllowed, refused.status)
		require.Equal(t, "GET, HEAD", refused.header.Get("Allow"))
	}
	for language, to := range map[string]string{"": "/en/", "es-MX,es;q=0.9": "/es/", "fr": "/en/", "de, es;q=0.5": "/es/"} {
		a := get(t, s.server.URL, "/", "Accept-Language", language)
		require.Equal(t, http.StatusFound, a.status)
		require.Equal(t, to, a.header.Get("Location"), language)
	}
	require.Equal(t, "ok\n", s.ok("/healthz").body)
}

// table reads the CSV of a chart: its lines by their first column.
func (s *stack) table(t *testing.T, path string) map[string]map[string]string {
	t.Helper()
	a := s.ok(path)
	lines, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	require.NoError(t, err)
	by := map[string]map[string]string{}
	for _, line := range lines[1:] {
		by[line[0]] = map[string]string{}
		for i, name := range lines[0] {
			by[line[0]][name] = line[i]
		}
	}
	return by
}

// requireNeighborhoods compares a chart with counts of the documents.
func (s *stack) requireNeighborhoods(t *testing.T, documents []bson.Raw) {
	type counts struct{ open, closed, admin int }
	want := map[string]counts{}
	for _, doc := range documents {
		n := lookup(doc, "facets.neighborhood")
		c := want[n]
		open, _ := doc.Lookup("facets", "open").BooleanOK()
		admin, _ := doc.Lookup("administratively_closed").BooleanOK()
		switch {
		case open:
			c.open++
		case admin:
			c.admin++
			fallthrough
		default:
			c.closed++
		}
		want[n] = c
	}
	got := s.table(t, "/data/overview/neighborhoods.csv")
	require.Len(t, got, len(want))
	for name, c := range want {
		require.Equal(t, map[string]string{
			"neighborhood": name, "open": strconv.Itoa(c.open),
			"closed": strconv.Itoa(c.closed), "administratively_closed": strconv.Itoa(c.admin),
		}, got[name], name)
	}
	// The page shows the numbers of the file.
	page := s.ok("/en/").body
	mission := fmt.Sprintf(`<a href="/en/neighborhoods/Mission">Mission</a></th><td class="num">%d</td>`, want["Mission"].open)
	require.Contains(t, page, mission)
}

// requireMonths compares charts by month with counts of the documents.
func (s *stack) requireMonths(t *testing.T, documents []bson.Raw) {
	type counts struct{ opened, closed, admin int }
	want, mission := map[string]counts{}, map[string]counts{}
	add := func(to map[string]counts, doc bson.Raw) {
		if m := lookup(doc, "facets.start_month"); m != "" {
			c := to[m]
			c.opened++
			to[m] = c
		}
		if m := lookup(doc, "facets.end_month"); m != "" {
			c := to[m]
			if admin, _ := doc.Lookup("administratively_closed").BooleanOK(); admin {
				c.admin++
			} else {
				c.closed++
			}
			to[m] = c
		}
	}
	for _, doc := range documents {
		add(want, doc)
		if lookup(doc, "facets.neighborhood") == "Mission" {
			add(mission, doc)
		}
	}
	compare := func(want map[string]counts, got map[string]map[string]string) {
		t.Helper()
		require.Greater(t, len(got), 100)
		for month, line := range got {
			c := want[month]
			require.Equal(t, []string{strconv.Itoa(c.opened), strconv.Itoa(c.closed), strconv.Itoa(c.admin)},
				[]string{line["opened"], line["closed_otherwise"], line["administratively_closed"]}, month)
		}
	}
	got := s.table(t, "/data/overview/months.csv?from=1990-01")
	compare(want, got)
	require.Equal(t, "survivors_only", got["2010-01"]["state"])
	require.Equal(t, "final", got["2016-01"]["state"])
	require.Len(t, s.table(t, "/data/overview/months.csv?from=2015-01&to=2015-12"), 12)
	compare(mission, s.table(t, "/data/neighborhoods/Mission/months.csv"))
}

// requireHistory: reconstructed counts are told apart from observed ones.
func (s *stack) requireHistory(t *testing.T) {
	got := s.table(t, "/data/overview/history.csv")
	require.Equal(t, "survivors", got["2010-01-01"]["basis"])
	require.Equal(t, "reconstructed", got["2015-01-01"]["basis"])
	snap, err := s.reader.Statistics.Snapshot(t.Context(), "latest")
	require.NoError(t, err)
	last := got[snap.AsOf.UTC().Format(time.DateOnly)]
	require.Equal(t, "observed", last["basis"])
	require.Equal(t, strconv.FormatInt(snap.Totals.Open, 10), last["open"])
	require.Len(t, s.table(t, "/data/neighborhoods/Mission/history.csv"), 4, "Januaries and now")
}

// requireSearch: a search finds rows by what people type, page by page.
func (s *stack) requireSearch(t *testing.T, key string) {
	type page struct {
		Rows []struct {
			Key, Name, Owner string
			Facets           struct{ Open bool }
		}
		Next string
	}
	var found page
	s.readJSON(&found, "/data/businesses.json?q=CORNER+cante")
	require.Len(t, found.Rows, 1)
	require.Equal(t, "Corner Canteen", found.Rows[0].Name)
	s.readJSON(&found, "/data/businesses.json?q="+key)
	require.Len(t, found.Rows, 1)
	require.Equal(t, key, found.Rows[0].Key)

	want := map[string]bool{}
	for _, doc := range s.documents() {
		open, _ := doc.Lookup("facets", "open").BooleanOK()
		if open && lookup(doc, "facets.neighborhood") == "Mission" {
			want[lookup(doc, "_id")] = true
		}
	}
	got := map[string]bool{}
	for next := "/data/businesses.json?neighborhood=Mission&open=yes"; next != ""; {
		var p page
		s.readJSON(&p, next)
		for _, row := range p.Rows {
			require.False(t, got[row.Key], "each row once")
			got[row.Key] = true
		}
		next = p.Next
	}
	require.Equal(t, want, got)
	require.Len(t, s.table(t, "/data/businesses.csv?neighborhood=Mission&open=yes"), len(want))
	require.Len(t, s.table(t, "/data/businesses.csv"), len(s.documents()))
}

// requireChanges: the run's changes are listed as JSON and as RSS.
func (s *stack) requireChanges(t *testing.T, key, run string) {
	var list struct {
		Changes []struct {
			Key   string
			Run   string
			Kinds []string
		}
	}
	s.readJSON(&list, "/data/changes.json?kind=closed")
	require.Len(t, list.Changes, 1)
	require.Equal(t, key, list.Changes[0].Key)
	require.Equal(t, run, list.Changes[0].Run)
	s.readJSON(&list, "/data/changes.json?since=2099-01-01")
	require.Empty(t, list.Changes)

	var feed struct {
		Channel struct {
			Title string `xml:"title"`
			Items []struct {
				Title string `xml:"title"`
				Link  string `xml:"link"`
				GUID  string `xml:"guid"`
			} `xml:"item"`
		} `xml:"channel"`
	}
	a := s.ok("/changes.rss?lang=es")
	require.Equal(t, "application/rss+xml; charset=utf-8", a.header.Get("Content-Type"))
	require.NoError(t, xml.Unmarshal([]byte(a.body), &feed))
	require.Len(t, feed.Channel.Items, 2)
	require.Contains(t, a.body, "cambio de nombre: Corner Canteen")
	for _, item := range feed.Channel.Items {
		require.True(t, strings.HasPrefix(item.Link, s.server.URL+"/es/businesses/"), item.Link)
	}
}

// requireNothingSensitive: no page and no data has an owner's name or home.
func (s *stack) requireNothingSensitive(t *testing.T, key string, pages []string) {
	all := []string{
		"/data/businesses.csv", "/data/businesses.json?q=" + key, "/data/changes.json", "/changes.rss",
		"/data/businesses.json?q=LEAKTEST",
		"/en/businesses?q=LEAKTEST", "/data/profile/flags.json",
	}
	for _, page := range pages {
		all = append(all, "/en/"+page, "/es/"+page)
	}
	for _, path := range all {
		body := strings.ToUpper(strings.ReplaceAll(s.ok(path).body, "value=\"LEAKTEST\"", ""))
		body = strings.ReplaceAll(body, "Q=LEAKTEST", "")
		require.NotContains(t, body, "LEAKTEST", path)
	}
	var found struct{ Rows []struct{ Key string } }
	s.readJSON(&found, "/data/businesses.json?q=LEAKTEST")
	require.Empty(t, found.Rows, "nor does a search tell who owns what")

	open := s.serve(func(o *dashboard.Options) { o.Sensitive = true })
	for _, path := range []string{
		"/en/businesses/" + key, "/data/businesses.csv", "/data/businesses.json?q=LEAKTEST", "/data/changes.json",
	} {
		a := get(t, open.URL, path)
		require.Equal(t, http.StatusOK, a.status)
		require.Contains(t, strings.ToUpper(a.body), "LEAKTEST", "%s: the operator says so", path)
	}
}

// requireBadInput: wrong addresses get the right status and a good page.
func (s *stack) requireBadInput(t *testing.T) {
	for path, status := range map[string]int{
		"/en/?from=yesterday":                          400,
		"/en/?from=2020-01&to=2019-01":                 400,
		"/en/?sort=luck":                               400,
		"/en/?embed=1&chart=none":                      400,
		"/en/businesses?open=maybe":                    400,
		"/en/businesses?neighborhood=Oz":               400,
		"/en/businesses?q=" + strings.Repeat("x", 201): 400,
		"/en/businesses?q=%ff%fe":                      400,
		"/en/businesses?after=%00":                     400,
		"/en/changes?kind=exploded":                    400,
		"/en/changes?since=1.1.2026":                   400,
		"/en/changes?after=somewhere":                  400,
		"/en/runs?after=somewhere":                     400,
		"/en/survival?sector=nonsense":                 404,
		"/en/neighborhoods/Oz":                         404,
		"/en/sectors/xx":                               404,
		"/en/businesses/nobody":                        404,
		"/en/runs/none":                                404,
		"/en/nothing":                                  404,
		"/nothing":                                     404,
		"/data/overview/nothing.csv":                   404,
		"/data/overview/months.exe":                    404,
		"/data/nothing/months.csv":                     404,
		"/data/overview/months.csv?lang=x":             400,
		"/data/businesses.csv?q=%21%21":                400,
		"/static/nothing.js":                           404,
	} {
		a := get(t, s.server.URL, path)
		require.Equal(t, status, a.status, "%s: %s", path, a.body)
		require.NotContains(t, a.body, "error.", path)
		if strings.HasPrefix(path, "/en/") {
			requireGoodPage(t, "en", path, a.body)
			requireGoodPage(t, "es", path, get(t, s.server.URL, strings.Replace(path, "/en/", "/es/", 1)).body)
		}
	}
}

// requireAccess: only those may read whom the settings allow to.
func (s *stack) requireAccess(t *testing.T) {
	require.Equal(t, http.StatusForbidden, get(t, s.server.URL, "/en/", "Host", "evil.example").status, "a name that is not this machine's")
	public := s.serve(func(o *dashboard.Options) { o.Public = true })
	require.Equal(t, http.StatusOK, get(t, public.URL, "/en/", "Host", "data.example").status)

	const token = "0123456789abcdef"
	closed := s.serve(func(o *dashboard.Options) { o.Token = token })
	for _, path := range []string{"/en/", "/data/overview/months.csv", "/changes.rss", "/en/?token=wrong", "/nothing"} {
		a := get(t, closed.URL, path)
		require.Equal(t, http.StatusUnauthorized, a.status, path)
		require.NotContains(t, a.body, token)
	}
	require.Equal(t, http.StatusUnauthorized, get(t, closed.URL, "/en/", "Authorization", "Bearer 0123456789abcdeX").status)
	require.Equal(t, http.StatusOK, get(t, closed.URL, "/en/", "Authorization", "Bearer "+token).status)
	require.Equal(t, http.StatusOK, get(t, closed.URL, "/healthz").status)
	feed := get(t, closed.URL, "/changes.rss?token="+token)
	require.Equal(t, http.StatusOK, feed.status, "feed readers have nothing but the address")
	require.NotContains(t, feed.body, token)
	enter := get(t, closed.URL, "/en/?sort=name&token="+token)
	require.Equal(t, http.StatusSeeOther, enter.status)
	require.Equal(t, "/en/?sort=name", enter.header.Get("Location"))
	cookie := enter.header.Get("Set-Cookie")
	require.NotContains(t, cookie, token)
	require.Contains(t, cookie, "HttpOnly")
	name, _, _ := strings.Cut(cookie, ";")
	require.Equal(t, http.StatusOK, get(t, closed.URL, "/en/", "Cookie", name).status)
	require.Equal(t, "/evil.example", get(t, closed.URL, "//evil.example?token="+token).header.Get("Location"), "never another server's")
	require.NotContains(t, get(t, closed.URL, "/en/?embed=1&chart=months&token="+token).body, token)
	requireKeys(t, closed.URL, token)
}

// requireKeys: a derived key opens one chart, data or feed, in every language and
// with any of its parameters, and nothing else.
func requireKeys(t *testing.T, base, token string) {
	t.Helper()
	status := func(path string) int { return get(t, base, path).status }
	addresses := []string{
		"/en/?embed=1&chart=months", "/en/?embed=1&chart=map", "/en/neighborhoods/Mission?embed=1&chart=months", "/changes.rss?lang=es", "/data/changes.json",
		"/data/overview/months.csv?from=2015-01", "/data/businesses.json?q=corner",
	}
	for _, address := range addresses {
		require.Equal(t, http.StatusUnauthorized, status(address), address)
		shared, err := dashboard.Share(token, address)
		require.NoError(t, err)
		require.NotContains(t, shared, token)
		require.Equal(t, http.StatusOK, status(shared), shared)
		u, err := url.Parse(shared)
		require.NoError(t, err)
		key := u.Query().Get("key")
		for _, other := range append([]string{"/en/", "/en/businesses", "/data/overview/neighborhoods.csv", "/en/?embed=1&chart=history", "/en/runs"}, addresses...) {
			if other == address {
				continue
			}
			join := "?"
			if strings.Contains(other, "?") {
				join = "&"
			}
			require.Equal(t, http.StatusUnauthorized, status(other+join+"key="+key), "%s with the key of %s", other, address)
		}
		require.Equal(t, http.StatusUnauthorized, status(strings.Replace(shared, key, key[1:]+key[:1], 1)))
	}
	spanish, err := dashboard.Share(token, "/en/?embed=1&chart=months")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status(strings.Replace(spanish, "/en/", "/es/", 1)+"&from=2015-01"))

	// What an embedded chart links to as its own opens with what it was given: its
	// numbers, and the outlines of the map.
	chart := get(t, base, spanish)
	link := regexp.MustCompile(`href="(/data/overview/months\.csv[^"]*)"`).FindStringSubmatch(chart.body)
	require.NotEmpty(t, link)
	require.Equal(t, http.StatusOK, status(html.UnescapeString(link[1])))
	require.NotContains(t, chart.body, token)
	shared, err := dashboard.Share(token, "/en/?embed=1&chart=map")
	require.NoError(t, err)
	outlines := regexp.MustCompile(`"/data/boundaries\.json[^"]*"`).FindString(get(t, base, shared).body)
	if outlines != "" { // the mirror has them
		var address string
		require.NoError(t, json.Unmarshal([]byte(outlines), &address))
		require.Equal(t, http.StatusOK, status(address))
	}
	// Lists go on with the key that they began with.
	listed, err := dashboard.Share(token, "/data/businesses.json")
	require.NoError(t, err)
	var list struct{ Next string }
	require.NoError(t, json.Unmarshal([]byte(get(t, base, listed).body), &list))
	require.Equal(t, http.StatusOK, status(list.Next))

	for _, address := range []string{"/en/", "/en/businesses", "/en/?chart=months", "/static/x", "%zz", ""} {
		_, err := dashboard.Share(token, address)
		require.ErrorIs(t, err, dashboard.ErrNotShared, address)
	}
}

// TestRunningRun checks the pages of a run while it runs and after its end.
func TestRunningRun(t *testing.T) {
	t.Parallel()
	s := newStack(t, 10)
	ctx := t.Context()
	_, err := runs.NewStore(s.db).BeginRun(ctx, runs.Run{
		ID: "r1", Trigger: runs.TriggerManual, Mode: "full", Probe: runs.Probe{Decision: "full", Rows: 2000},
		Progress: runs.Progress{"fetch": {"0": 2000}, "clean": {"0": 500, "1": 250}},
	})
	require.NoError(t, err)
	type progress struct {
		Key     string
		Text    string
		Percent int
		Ended   bool
		Steps   []struct {
			Name string
			Rows int64
		}
	}
	var p progress
	s.readJSON(&p, "/data/runs/r1/live.json")
	require.False(t, p.Ended)
	require.Equal(t, 37, p.Percent, "of the step that is furthest behind")
	require.Equal(t, "cleaned: 750 rows", p.Text)
	require.Len(t, p.Steps, 2)
	for _, page := range []string{"/en/runs", "/en/runs/r1", "/es/runs/r1"} {
		a := s.ok(page)
		require.Contains(t, a.body, `<noscript><meta http-equiv="refresh"`, page)
		address := "/data/runs/r1/live.json"
		if page == "/en/runs" {
			address = "/data/runs/live.json"
		}
		require.Contains(t, a.body, `data-live="`+address+`?lang=`, page)
		var live progress
		s.readJSON(&live, address+"?lang=en")
		require.Contains(t, a.body, `data-key="`+live.Key+`"`, page)
		require.Contains(t, a.body, "r1", page)
		requireGoodPage(t, page[1:3], page, a.body)
	}
	require.NoError(t, runs.NewStore(s.db).SetRun(ctx, "r1", bson.D{
		{Key: "status", Value: runs.StatusFailed}, {Key: "reason", Value: "the portal is gone"},
	}))
	require.Eventually(t, func() bool {
		s.readJSON(&p, "/data/runs/r1/live.json")
		return p.Ended
	}, 10*time.Second, 100*time.Millisecond)
	a := s.ok("/en/runs/r1")
	require.NotContains(t, a.body, `http-equiv="refresh"`)
	require.Contains(t, a.body, "the portal is gone")
	require.NotContains(t, a.body, "data-live", "nothing more will come")
	before := p.Key
	require.Eventually(t, func() bool {
		s.readJSON(&p, "/data/runs/live.json")
		return p.Text == ""
	}, 10*time.Second, 100*time.Millisecond, "no run is under way")
	require.NotEqual(t, before, p.Key)
}

// TestEmbedSetting: the setting says whose pages may show charts in frames.
func TestEmbedSetting(t *testing.T) {
	t.Parallel()
	s := newStack(t, 10)
	const origins = "https://www.sf.gov https://*.example.org"
	for setting, want := range map[string]string{"": "*", "*": "*", "none": "'none'", origins: origins} {
		server := s.serve(func(o *dashboard.Options) { o.Embed = setting })
		a := get(t, server.URL, "/en/?embed=1&chart=months")
		require.True(t, strings.HasSuffix(a.header.Get("Content-Security-Policy"), "; frame-ancestors "+want), setting)
		require.Equal(t, setting == "none", a.header.Get("X-Frame-Options") == "DENY", setting)
		a = get(t, server.URL, "/en/")
		require.True(t, strings.HasSuffix(a.header.Get("Content-Security-Policy"), "; frame-ancestors 'none'"), setting)
	}
}

// TestDashboardWithoutMirror: before the first run, pages say what to do.
func TestDashboardWithoutMirror(t *testing.T) {
	t.Parallel()
	s := newStack(t, 10)
	for _, path := range []string{"/en/", "/en/profile", "/data/overview/months.csv"} {
		a := get(t, s.server.URL, path)
		require.Equal(t, http.StatusServiceUnavailable, a.status, path)
		require.Contains(t, a.body, "starter run --wait")
	}
	for _, path := range []string{"/en/runs", "/en/changes", "/en/businesses"} {
		requireGoodPage(t, "en", path, s.ok(path).body)
	}
	none := s.serve(func(o *dashboard.Options) {
		o.Open = func(context.Context) (*query.Reader, error) { return nil, mongodb.ErrNoMirror }
	})
	a := get(t, none.URL, "/es/")
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Contains(t, a.body, "Aún no hay copia")
}
