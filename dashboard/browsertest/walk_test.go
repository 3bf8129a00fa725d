package browsertest_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/dashboard"
	"padron/internal/mongodb"
	"padron/internal/runs"
	"padron/internal/statistics"
	"padron/internal/testenv"
)

// screenshots is a folder for pictures of every page, for people to look at:
// go test ./dashboard/browsertest -screenshots DIR
var screenshots = flag.String("screenshots", "", "write pictures of every page into this folder")

// TestDashboard walks through the dashboard as readers do.
func TestDashboard(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	s := newStack(t)
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, *stack, *tab){
		"every page":                   everyPage,
		"the first key":                firstKey,
		"charts show the database":     chartsShowTheDatabase,
		"outlines on the map":          outlines,
		"filters and drill-down":       filters,
		"search":                       search,
		"embedded charts":              embedded,
		"legend, period and keyboard":  controls,
		"theme":                        theme,
		"sorting":                      sorting,
		"a chart that cannot be drawn": broken,
		"without scripts":              withoutScripts,
		"print":                        onPaper,
		"a run is followed":            followed,
		"the list of runs is followed": listFollowed,
		"another site's frame":         foreignFrame,
		"maps by keyboard":             cellsByKeyboard,
		"inline scripts do not run":    inlineScripts,
		"the bundle is small":          small,
	} {
		t.Run(name, func(t *testing.T) {
			own := *s
			own.t = t
			test(t, &own, newTab(browser, t, s.origin))
		})
	}
	if *screenshots != "" {
		t.Run("screenshots", func(t *testing.T) { takeScreenshots(t, s, newTab(browser, t, s.origin)) })
	}
}

// pages are one of each kind in a language, by name.
func (s *stack) pages(lang string) map[string]string {
	s.t.Helper()
	sector := ""
	for _, row := range series[[]statistics.Tallied](s, statistics.SeriesSector) {
		if sector == "" && row.Name != "" {
			sector = row.Name
		}
	}
	listed, err := s.reader.Runs.Runs(s.t.Context(), 1, time.Time{})
	require.NoError(s.t, err)
	base := "/" + lang + "/"
	return map[string]string{
		"overview": base, "neighborhoods": base + "neighborhoods", "neighborhood": base + "neighborhoods/" + path(s.largest()),
		"sectors": base + "sectors", "sector": base + "sectors/" + path(sector), "survival": base + "survival",
		"businesses": base + "businesses", "search": base + "businesses?q=brand+new", "business": base + "businesses/9999999-01-261",
		"changes": base + "changes", "profile": base + "profile", "runs": base + "runs", "run": base + "runs/" + path(listed[0].ID),
	}
}

// walk is one way through the pages: a page is loaded once, for all that is held
// of it.
type walk struct {
	lang, scheme string
	all          bool // every page; else a few, which together have every kind of chart, a long table and a form
}

// walks are in both languages and both looks. The first one visits every page,
// and with -long the others do as well.
func walks() []walk { return []walk{{"en", "light", true}, {"es", "dark", testenv.Long()}} }

// pages are those that a walk visits.
func (w walk) pages(s *stack) map[string]string {
	all := s.pages(w.lang)
	if !w.all {
		maps.DeleteFunc(all, func(name, _ string) bool {
			return !slices.Contains([]string{"overview", "survival", "profile", "businesses"}, name)
		})
	}
	return all
}

// largest is the neighborhood with the most open locations.
func (s *stack) largest() string {
	s.t.Helper()
	named := slices.DeleteFunc(series[[]statistics.Tallied](s, statistics.SeriesNeighborhood), func(r statistics.Tallied) bool { return r.Name == "" })
	require.NotEmpty(s.t, named)
	return slices.MaxFunc(named, func(a, b statistics.Tallied) int { return int(a.Open - b.Open) }).Name
}

// drawnChart is what the bundle's hook tells of a chart.
type drawnChart struct {
	Kind   string
	Places []string
	Series []struct {
		Name   string
		Values []json.RawMessage
	}
}

func (b *tab) charts() map[string]drawnChart {
	b.t.Helper()
	return eval[map[string]drawnChart](b, "window.padron.charts()")
}

// numbers are the values of a chart's series; nil is unknown.
func (c drawnChart) numbers(t *testing.T, name string) []*float64 {
	t.Helper()
	for _, s := range c.Series {
		if s.Name == name {
			values := make([]*float64, len(s.Values))
			for i, v := range s.Values {
				require.NoError(t, json.Unmarshal(v, &values[i]))
			}
			return values
		}
	}
	require.Failf(t, "no such series", "%s in %v", name, c.Series)
	return nil
}

// figures are what the page says of its charts, without the script.
type figure struct {
	ID, Kind, Title string
	Data            json.RawMessage
	CSV, Embed      string
	Columns         []string
	Numbers         []bool // of columns: they hold numbers
	Rows            [][]string
}

func (b *tab) figures() []figure {
	b.t.Helper()
	return eval[[]figure](b, `[...document.querySelectorAll("figure.chart")].map(f => ({
		ID: f.id, Kind: f.dataset.kind, Title: f.querySelector("figcaption")?.textContent.trim() ?? "",
		Data: JSON.parse(f.querySelector('script[type="application/json"]').textContent),
		CSV: f.querySelector('.links a[href*=".csv"]')?.getAttribute("href") ?? "",
		Embed: f.querySelector('.links a[href*="embed=1"]')?.getAttribute("href") ?? "",
		Columns: [...f.querySelectorAll(".numbers thead th")].map(c => c.textContent.trim()),
		Numbers: [...f.querySelectorAll(".numbers thead th")].map(c => c.classList.contains("num")),
		Rows: [...f.querySelectorAll(".numbers tbody tr")].map(r => [...r.cells].map(c => c.textContent.trim())),
	}))`)
}

func everyPage(t *testing.T, s *stack, b *tab) {
	axe, err := os.ReadFile("../web/node_modules/axe-core/axe.min.js")
	require.NoError(t, err, "axe-core is installed by npm ci in dashboard/web")
	for _, w := range walks() {
		b.prefer(w.scheme)
		for name, address := range w.pages(s) {
			t.Run(w.lang+" "+w.scheme+" "+name, func(t *testing.T) {
				b.t = t
				b.open(address)
				b.requireClean()
				require.Equal(t, w.lang, eval[string](b, "document.documentElement.lang"))
				require.Equal(t, 1, eval[int](b, `document.querySelectorAll("h1").length`))
				require.NotContains(t, eval[string](b, "document.body.innerText"), "!(", "no text of a fault")
				require.Zero(t, eval[int](b, `document.querySelectorAll(".failed").length`))
				requirePainted(t, b)
				charts, figures := b.charts(), b.figures()
				for _, f := range figures {
					requireDrawn(t, f, charts[f.ID])
					require.Positive(t, eval[int](b, fmt.Sprintf(`document.getElementById(%q).querySelector("canvas").width`, f.ID)), f.ID)
					require.NotEmpty(t, eval[string](b, fmt.Sprintf(`document.getElementById(%q).querySelector(".plot").getAttribute("aria-label")`, f.ID)), f.ID)
				}
				if w.lang == "en" { // numbers in files are written as in English
					requireFiles(t, s, figures)
				}
				for _, window := range []size{phone, wide} {
					b.resize(window)
					b.drawn()
					require.LessOrEqual(t, eval[int](b, "document.documentElement.scrollWidth"), int(window.width), "nothing is wider than %d", window.width)
				}
				b.resize(desktop)
				b.drawn()
				b.requireClean()
				requireAccessible(t, b, string(axe), true)
				if w.scheme == "dark" && (testenv.Long() || name == "overview" || name == "businesses") {
					// A phone has the same colors, which take the longest to look at.
					b.resize(phone)
					b.drawn()
					requireAccessible(t, b, string(axe), false)
					b.resize(desktop)
				}
			})
		}
	}
	b.t = t
	b.prefer("light")
}

// requirePainted reads from the browser when a reader first saw something. What
// it may take is generous: a benchmark measures it, on a quiet machine.
func requirePainted(t *testing.T, b *tab) {
	b.eventually(`performance.getEntriesByName("first-contentful-paint").length`, "the browser tells when it painted")
	ms := eval[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)
	t.Logf("first contentful paint after %.0f ms", ms)
	require.Positive(t, ms)
	require.Less(t, ms, 15_000.0)
}

// requireDrawn holds what is drawn to the data in the page: ECharts has all of
// them, and nothing but them.
func requireDrawn(t *testing.T, f figure, drawn drawnChart) {
	t.Helper()
	require.Equal(t, f.Kind, drawn.Kind, "%s is drawn", f.ID)
	var d struct {
		X, Categories []string
		Series        []struct {
			Name      string
			Values    []any
			Low, High []any
		}
		Cells, Values, Boxes []any
	}
	require.NoError(t, json.Unmarshal(f.Data, &d), f.ID)
	values := func(i int) []any {
		all := make([]any, len(drawn.Series[i].Values))
		for j, v := range drawn.Series[i].Values {
			require.NoError(t, json.Unmarshal(v, &all[j]))
		}
		return all
	}
	switch f.Kind {
	case "lines", "bars":
		require.Equal(t, append(d.X, d.Categories...), drawn.Places, f.ID)
		at := 0
		for _, s := range d.Series {
			for ; strings.HasPrefix(drawn.Series[at].Name, "band:"); at++ {
				require.Equal(t, "band:"+s.Name, drawn.Series[at].Name)
			}
			require.Equal(t, s.Name, drawn.Series[at].Name)
			require.Equal(t, s.Values, values(at), "%s: %s", f.ID, s.Name)
			at++
		}
	case "hexbin":
		require.ElementsMatch(t, d.Cells, values(0), f.ID)
	case "heatmap":
		require.ElementsMatch(t, d.Values, values(0), f.ID)
	case "boxes":
		require.Equal(t, d.Categories, drawn.Places)
		require.Equal(t, d.Boxes, values(0), f.ID)
	default:
		require.Fail(t, "unknown kind", f.Kind)
	}
}

func chartsShowTheDatabase(t *testing.T, s *stack, b *tab) {
	b.open("/en/")
	charts := b.charts()

	// Of each neighborhood as many as the collection itself has.
	cursor, err := s.database.Collection(mongodb.Businesses).Aggregate(t.Context(), bson.A{
		bson.M{"$match": bson.M{"facets.open": true, "facets.neighborhood": bson.M{"$nin": bson.A{nil, ""}}}},
		bson.M{"$group": bson.M{"_id": "$facets.neighborhood", "n": bson.M{"$sum": 1}}},
	})
	require.NoError(t, err)
	var counted []struct {
		Name string `bson:"_id"`
		N    int64
	}
	require.NoError(t, cursor.All(t.Context(), &counted))
	open := map[string]float64{}
	for _, c := range counted {
		open[c.Name] = float64(c.N)
	}
	drawn, values := charts["neighborhoods"], map[string]float64{}
	for i, v := range drawn.numbers(t, "Open") {
		values[drawn.Places[i]] = *v
	}
	for name, n := range values { // the snapshot names those that have no open ones too
		if n == 0 {
			delete(values, name)
		}
	}
	require.Equal(t, open, values)

	months := map[string]statistics.Month{}
	for _, m := range series[[]statistics.Month](s, statistics.SeriesMonths) {
		months[m.Month] = m
	}
	lines := charts["months"]
	require.Greater(t, len(lines.Places), 200)
	opened := lines.numbers(t, "Opened")
	for i, month := range lines.Places {
		require.Equal(t, months[month].Opened, int64(*opened[i]), month)
	}

	hexes := series[statistics.Hexes](s, statistics.SeriesHexes)
	var cells, inDatabase int64
	for _, v := range charts["map"].Series[0].Values {
		var cell [3]float64
		require.NoError(t, json.Unmarshal(v, &cell))
		cells += int64(cell[2])
	}
	for _, cell := range hexes.Cells {
		inDatabase += cell.Open
	}
	require.Positive(t, cells)
	require.Equal(t, inDatabase, cells)

	// The table of a chart says what the chart says.
	for _, f := range b.figures() {
		if f.ID != "neighborhoods" {
			continue
		}
		column := slices.Index(f.Columns, "Open")
		require.Positive(t, column)
		for _, row := range f.Rows {
			if n, ok := values[row[0]]; ok {
				require.Equal(t, fmt.Sprintf("%.0f", n), strings.ReplaceAll(row[column], ",", ""), row[0])
			}
		}
	}

	b.open("/en/survival")
	survival := series[statistics.Survival](s, statistics.SeriesSurvival)
	curve := survival.Curves[slices.IndexFunc(survival.Curves, func(c statistics.Curve) bool { return c.Event == statistics.EventClosed })]
	chart := b.charts()["survival"]
	name := ""
	for _, series := range chart.Series {
		if name == "" && !strings.HasPrefix(series.Name, "band:") {
			name = series.Name
		}
	}
	for age, v := range chart.numbers(t, name) {
		if i := slices.Index(curve.AgeMonths, int32(age)); i >= 0 {
			require.InDelta(t, 100*curve.Survival[i], *v, 0.001, "at %d months", age)
		} else {
			require.Nil(t, v, "at %d months nobody is at risk", age)
		}
	}
	b.requireClean()
}

func filters(t *testing.T, s *stack, b *tab) {
	// From the chart of neighborhoods to one of them, with the keyboard.
	b.open("/en/")
	first := b.charts()["neighborhoods"].Places[0]
	b.do(chromedp.Focus(chromedp.CSS("#neighborhoods .plot")), chromedp.KeyEvent(kb.ArrowDown))
	eval[bool](b, "window.before = true")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("!window.before && document.readyState === 'complete'", "Enter opens a bar's page")
	b.drawn()
	require.Equal(t, "/en/neighborhoods/"+path(first), b.address())
	require.Contains(t, eval[string](b, "document.querySelector('h1').textContent"), first)

	// And with the mouse: the first bar lies at the top, from the names on.
	b.open("/en/")
	at := eval[[]float64](b, `(() => { const p = document.querySelector("#neighborhoods .plot"); p.scrollIntoView(); const r = p.getBoundingClientRect(); return [r.x + r.width * 0.6, r.y + 26 + 12] })()`)
	eval[bool](b, "window.before = true")
	b.do(chromedp.MouseClickXY(at[0], at[1]))
	b.eventually("!window.before && document.readyState === 'complete'", "a click on a bar opens its page")
	b.drawn()
	require.Equal(t, "/en/neighborhoods/"+path(first), b.address())

	// From a cell of the heat map to the businesses that it counts.
	b.open("/en/profile")
	b.do(chromedp.Focus(chromedp.CSS("#matrix .plot")), chromedp.KeyEvent(kb.Home))
	cell := eval[string](b, `document.querySelector("#matrix [aria-live]").textContent`)
	eval[bool](b, "window.before = true")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.eventually("!window.before && document.readyState === 'complete'", "Enter opens the list")
	b.drawn()
	neighborhood, _, _ := strings.Cut(cell, ",")
	require.Equal(t, neighborhood, eval[string](b, `new URL(location.href).searchParams.get("neighborhood")`))
	require.Equal(t, "yes", eval[string](b, `document.querySelector("main form").elements.open.value`))
	var count int
	_, err := fmt.Sscan(cell[strings.LastIndex(cell, ": ")+2:], &count)
	require.NoError(t, err, cell)
	require.Equal(t, min(count, 50), eval[int](b, `document.querySelectorAll("main tbody tr").length`), cell)

	// A filter is in the address, and the list holds to it.
	b.open("/en/businesses")
	eval[bool](b, fmt.Sprintf(`(() => { const form = document.querySelector("main form"); form.elements.neighborhood.value = %q; form.elements.open.value = "yes"; window.before = true; form.requestSubmit(); return true })()`, first))
	b.eventually("!window.before && document.readyState === 'complete'", "the filter leads to a page")
	require.Contains(t, b.address(), "open=yes")
	require.Contains(t, eval[string](b, `new URL(location.href).searchParams.get("neighborhood")`), first)
	listed := eval[[]string](b, `[...document.querySelectorAll("main table tbody tr")].map(r => r.innerText)`)
	require.NotEmpty(t, listed)
	for _, row := range listed {
		require.Contains(t, row, first)
	}
	b.requireClean()
}

func search(t *testing.T, s *stack, b *tab) {
	b.open("/en/businesses")
	b.do(chromedp.SendKeys(chromedp.CSS(`main form input[name="q"]`), "bakery brand\r"))
	b.eventually(`location.search.includes("q=") && document.readyState === "complete"`, "Enter searches")
	b.drawn()
	require.Contains(t, eval[string](b, "document.querySelector('main table tbody').innerText"), openedName)
	b.follow("main table tbody a")
	require.Equal(t, "/en/businesses/9999999-01-261", b.address())
	require.Contains(t, eval[string](b, "document.querySelector('h1').textContent"), openedName)
	b.requireClean()
}

// get fetches what a link leads to.
func (s *stack) get(address string) (body string, header http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.origin+address, http.NoBody)
	require.NoError(s.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }() // the body was read
	require.Equal(s.t, http.StatusOK, resp.StatusCode, address)
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return string(text), resp.Header
}

// requireFiles holds the files of a page's charts to their tables.
func requireFiles(t *testing.T, s *stack, figures []figure) {
	for _, f := range figures {
		require.NotEmpty(t, f.CSV, "%s can be downloaded", f.ID)
		body, header := s.get(f.CSV)
		require.Contains(t, header.Get("Content-Type"), "text/csv")
		// What a file says of itself is in lines that begin with #.
		reader := csv.NewReader(strings.NewReader(body))
		reader.Comment = '#'
		records, err := reader.ReadAll()
		require.NoError(t, err, f.CSV)
		require.Len(t, records, len(f.Rows)+1, "%s has the rows of the table", f.CSV)
		require.Len(t, records[0], len(f.Columns))
		for row, cells := range f.Rows {
			for column, text := range cells {
				if f.Numbers[column] { // texts are in the reader's language
					requireSameNumber(t, records[row+1][column], text, "%s: %s of row %d", f.CSV, f.Columns[column], row)
				}
			}
		}
	}
}

// requireSameNumber holds a number of a file to what the table on the page shows
// of it, with fewer decimals and its digits in groups. What is unknown is empty.
func requireSameNumber(t *testing.T, value, shown, format string, args ...any) {
	t.Helper()
	about := append([]any{format}, args...)
	if value == "" {
		require.Equal(t, "unknown", shown, about...)
		return
	}
	n, err := strconv.ParseFloat(value, 64)
	require.NoError(t, err, about...)
	digits := strings.NewReplacer(",", "", " %", "").Replace(shown)
	switch digits {
	case "< 0.1":
		require.True(t, n > 0 && n < 0.1, about...)
		return
	case "> 99.9":
		require.True(t, n > 99.9 && n < 100, about...)
		return
	}
	decimals := 0
	if _, fraction, ok := strings.Cut(digits, "."); ok {
		decimals = len(fraction)
	}
	require.Equal(t, strconv.FormatFloat(n, 'f', decimals, 64), digits, about...)
}

func embedded(t *testing.T, s *stack, b *tab) {
	b.open("/en/")
	figures := b.figures()
	require.NotEmpty(t, figures)
	for _, f := range figures {
		require.NotEmpty(t, f.Embed, f.ID)
		// In another site's page, as it is meant to be used.
		b.do(chromedp.Navigate(s.origin + f.Embed))
		b.drawn()
		require.Len(t, b.figures(), 1, "that chart alone")
		requireDrawn(t, f, b.charts()[f.ID])
		require.Zero(t, eval[int](b, `document.querySelectorAll("nav").length`), "no menu")
		b.resize(phone)
		b.drawn()
		require.LessOrEqual(t, eval[int](b, "document.documentElement.scrollWidth"), int(phone.width))
		b.resize(desktop)
	}
	b.requireClean()

	_, header := s.get(figures[0].Embed)
	require.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors *")
	_, header = s.get("/en/")
	require.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.NotContains(t, header.Get("Content-Security-Policy"), "unsafe")
}

// foreignFrame shows a chart, and a whole page, in frames of a page of another
// site.
func foreignFrame(t *testing.T, s *stack, b *tab) {
	allowed, refused := s.origin+"/en/?embed=1&chart=neighborhoods", s.origin+"/en/neighborhoods"
	closed := s.served(func(o *dashboard.Options) { o.Embed = "https://www.sf.gov" })
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>Another site</title><link rel="icon" href="data:,">`)
		for _, address := range []string{allowed, refused, closed + "/en/?embed=1&chart=neighborhoods"} {
			fmt.Fprintf(w, `<iframe width="600" height="400" src="%s"></iframe>`, html.EscapeString(address))
		}
	}))
	t.Cleanup(site.Close)
	b.do(chromedp.Navigate(site.URL))
	b.eventually("document.readyState === 'complete'", "the other site's page is loaded")

	shown, yes := b.context(s.origin), true
	answer, err := chromedp.Call(b.ctx, cdpruntime.Evaluate, cdpruntime.EvaluateParams{
		UniqueContextID: shown, AwaitPromise: &yes, ReturnByValue: &yes,
		Expression: `(async () => { while (!window.padron) await new Promise(r => setTimeout(r, 10)); await window.padron.ready; return document.querySelector("canvas").width + " " + document.querySelectorAll("figure").length })()`,
	})
	require.NoError(t, err)
	require.Regexp(t, `^"[1-9][0-9]+ 1"$`, string(answer.Result.Value), "the chart is drawn in the frame")

	// The browser says of both others why it does not show them.
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		n := 0
		for _, p := range b.problems {
			if strings.Contains(p, "frame-ancestors") {
				n++
			}
		}
		return n == 2
	}, soon, 50*time.Millisecond, "%v", b.problems)
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Contains(t, strings.Join(b.problems, "\n"), "https://www.sf.gov")
	require.Contains(t, strings.Join(b.problems, "\n"), "'none'")
	require.NotContains(t, slices.Collect(maps.Values(b.contexts)), closed)
}

// inlineScripts tries what an injected text would.
func inlineScripts(t *testing.T, s *stack, b *tab) {
	b.open("/en/")
	require.False(t, eval[bool](b, `(() => {
		const script = document.createElement("script");
		script.textContent = "window.injected = true";
		document.body.append(script);
		const image = document.createElement("div");
		image.innerHTML = '<img src="data:," onerror="window.injected = true">';
		document.body.append(image);
		return new Promise(r => setTimeout(() => r(Boolean(window.injected)), 300));
	})()`))
	for name, address := range s.pages("en") {
		_, header := s.get(address)
		require.Contains(t, header.Get("Content-Security-Policy"), "script-src 'self';", name)
		require.NotContains(t, header.Get("Content-Security-Policy"), "unsafe", name)
	}
}

func cellsByKeyboard(t *testing.T, _ *stack, b *tab) {
	for _, c := range []struct{ page, id string }{{"/en/", "map"}, {"/en/profile", "matrix"}} {
		b.open(c.page)
		most, cells := 0.0, b.charts()[c.id].Series[0].Values
		for _, v := range cells {
			var cell [3]float64
			require.NoError(t, json.Unmarshal(v, &cell))
			most = max(most, cell[2])
		}
		said := func() string {
			return eval[string](b, fmt.Sprintf(`document.querySelector("#%s [aria-live]").textContent`, c.id))
		}
		picture := func() string {
			// What is pointed at may lie on a canvas above the others.
			return eval[string](b, fmt.Sprintf(`new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r([...document.querySelectorAll("#%s canvas")].map(c => c.toDataURL()).join()))))`, c.id))
		}
		require.Equal(t, "application", eval[string](b, fmt.Sprintf(`document.querySelector("#%s .plot").getAttribute("role")`, c.id)), "the arrow keys are its own")
		plain := picture()
		b.do(chromedp.Focus(chromedp.CSS("#"+c.id+" .plot")), chromedp.KeyEvent(kb.ArrowRight))
		first := said()
		require.Contains(t, first, fmt.Sprintf("%.0f locations", most), "the largest comes first")
		var pointed string
		require.Eventually(t, func() bool { pointed = picture(); return pointed != plain }, soon, 50*time.Millisecond, "the focus is seen on %s", c.id)
		require.True(t, eval[bool](b, fmt.Sprintf(`!!document.querySelector("#%s .tip")`, c.id)))
		b.do(chromedp.KeyEvent(kb.ArrowLeft))
		beside := said()
		require.NotEqual(t, first, beside)
		require.Eventually(t, func() bool { p := picture(); return p != pointed && p != plain }, soon, 50*time.Millisecond, "and goes along on %s", c.id)
		b.do(chromedp.KeyEvent(kb.ArrowRight))
		require.Equal(t, first, said(), "there and back")
		for range len(cells) {
			before := said()
			if b.do(chromedp.KeyEvent(kb.ArrowDown)); said() == before {
				break
			}
		}
		require.NotEqual(t, first, said(), "down to the edge")
		b.do(chromedp.KeyEvent(kb.Escape))
		require.Empty(t, said())
		var left string
		require.Eventually(t, func() bool { left = picture(); return strings.HasPrefix(left, plain) }, soon, 50*time.Millisecond, "Escape leaves %s", c.id)
		require.NotEqual(t, pointed, left)
		b.do(chromedp.KeyEvent(kb.Tab))
		require.False(t, eval[bool](b, `document.activeElement.matches(".plot")`), "Tab goes on")
	}
	b.requireClean()
}

func controls(t *testing.T, _ *stack, b *tab) {
	b.open("/en/")
	before := b.charts()["months"]
	require.Greater(t, len(before.Series), 1)
	press := func(selector string) { b.do(chromedp.Click(chromedp.CSS("#months " + selector))) }

	press(".legend button:first-child")
	require.Equal(t, "false", eval[string](b, `document.querySelector("#months .legend button").getAttribute("aria-pressed")`))
	require.Len(t, b.charts()["months"].Series, len(before.Series)-1)
	for i := range before.Series {
		if i > 0 {
			press(fmt.Sprintf(".legend button:nth-child(%d)", i+1))
		}
	}
	require.Len(t, b.charts()["months"].Series, 1, "the last one cannot be hidden")

	b.open("/en/")
	press(".ranges button:last-child")
	require.Len(t, b.charts()["months"].Places, 60, "five years")
	require.Equal(t, before.Places[len(before.Places)-60:], b.charts()["months"].Places)

	b.do(chromedp.Focus(chromedp.CSS("#months .plot")), chromedp.KeyEvent(kb.End))
	said := eval[string](b, `document.querySelector("#months [aria-live]").textContent`)
	last, err := time.Parse("2006-01", before.Places[len(before.Places)-1])
	require.NoError(t, err)
	require.Contains(t, said, last.Format("Jan 2006"))
	require.Contains(t, said, before.Series[0].Name)
	require.True(t, eval[bool](b, `!!document.querySelector("#months .tip")`), "the values are shown as well")

	picture := func() string {
		return eval[string](b, `new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(document.querySelector("#map canvas").toDataURL()))))`)
	}
	whole := picture()
	b.do(chromedp.Click(chromedp.CSS("#map .zoom button:first-child")))
	require.Eventually(t, func() bool { return picture() != whole }, soon, 50*time.Millisecond, "the map is zoomed")
	b.do(chromedp.Click(chromedp.CSS("#map .zoom button:last-child")))
	require.Eventually(t, func() bool { return picture() == whole }, soon, 50*time.Millisecond, "and whole again")
	b.requireClean()
}

func theme(t *testing.T, _ *stack, b *tab) {
	background := func() string { return eval[string](b, "getComputedStyle(document.documentElement).backgroundColor") }
	picture := func() string {
		return eval[string](b, `document.querySelector("#months canvas").toDataURL()`)
	}
	b.prefer("light")
	b.open("/en/")
	light, drawnLight := background(), picture()
	b.prefer("dark")
	b.open("/en/")
	dark, drawnDark := background(), picture()
	require.NotEqual(t, light, dark, "the system's choice counts")
	require.NotEqual(t, drawnLight, drawnDark, "for charts too")
	b.do(chromedp.Click(chromedp.CSS("button.theme")))
	require.Equal(t, light, background(), "a reader's choice counts more")
	require.Equal(t, drawnLight, picture(), "charts are drawn anew")
	b.open("/es/neighborhoods")
	require.Equal(t, light, background(), "and is remembered")
	b.do(chromedp.Click(chromedp.CSS("button.theme")))
	require.Equal(t, dark, background())
	eval[bool](b, "localStorage.clear(), true")
	b.prefer("light")
	b.requireClean()
}

func sorting(t *testing.T, s *stack, b *tab) {
	b.open("/en/sectors")
	require.True(t, eval[bool](b, `!!document.querySelector("#sectors .numbers").setAttribute("open", "") || true`))
	column := func() []string {
		return eval[[]string](b, `[...document.querySelectorAll("#sectors .numbers tbody tr")].map(r => r.cells[2].textContent.trim().replaceAll(",", ""))`)
	}
	numbers := func(texts []string) []float64 {
		var all []float64
		for _, text := range texts {
			var n float64
			_, err := fmt.Sscan(text, &n)
			require.NoError(t, err, text)
			all = append(all, n)
		}
		return all
	}
	b.do(chromedp.Click(chromedp.CSS("#sectors .numbers th:nth-child(3) button")))
	down := numbers(column())
	require.True(t, slices.IsSortedFunc(down, func(a, b float64) int { return int(b - a) }), "%v", down)
	require.Equal(t, "descending", eval[string](b, `document.querySelector("#sectors .numbers th:nth-child(3)").getAttribute("aria-sort")`))
	b.do(chromedp.Click(chromedp.CSS("#sectors .numbers th:nth-child(3) button")))
	require.True(t, slices.IsSorted(numbers(column())))

	// A page of many is no ranking: it is not sorted here.
	b.open("/en/businesses")
	require.Zero(t, eval[int](b, `document.querySelectorAll("main th button").length`))
	b.requireClean()
}

func broken(t *testing.T, _ *stack, b *tab) {
	// The page arrives with one chart's data damaged.
	remove, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `new MutationObserver((_, o) => { const s = document.querySelector("#months script"); if (s?.textContent.endsWith("}")) { s.textContent = "{"; o.disconnect(); } }).observe(document, { childList: true, subtree: true });`,
	})
	require.NoError(t, err)
	b.open("/en/")
	_, err = chromedp.Call(b.ctx, page.RemoveScriptToEvaluateOnNewDocument, page.RemoveScriptToEvaluateOnNewDocumentParams(remove))
	require.NoError(t, err)
	require.Contains(t, eval[string](b, `document.querySelector("#months .failed").textContent`), "numbers are below")
	require.True(t, eval[bool](b, `document.querySelector("#months .numbers").open`))
	require.Contains(t, b.charts(), "neighborhoods", "the others are drawn")
}

func withoutScripts(t *testing.T, s *stack, b *tab) {
	for name, address := range s.pages("en") {
		body, _ := s.get(address)
		require.NotContains(t, body, "onclick=")
		require.NotContains(t, body, " style=", "%s: the policy forbids inline styles", name)
		require.Equal(t, strings.Count(body, `<figure class="chart"`), strings.Count(body, `<details class="numbers"`), "%s: every chart has its numbers as a table", name)
	}
}

func onPaper(t *testing.T, _ *stack, b *tab) {
	b.prefer("dark")
	b.open("/en/")
	b.do(chromedp.Evaluate[chromedp.Void](`window.dispatchEvent(new Event("beforeprint"))`))
	require.Less(t, eval[int](b, `parseInt(document.querySelector("#months canvas").style.width)`), 700, "charts fit on paper")
	pdf, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{})
	require.NoError(t, err)
	require.Greater(t, len(pdf.Data), 10_000)
	b.do(chromedp.Evaluate[chromedp.Void](`window.dispatchEvent(new Event("afterprint"))`))
	b.prefer("light")
	b.requireClean()
}

// beginRun starts a full run; done yields its output when it has ended.
func (s *stack) beginRun() (id string, done <-chan string) {
	s.t.Helper()
	output := make(chan string, 1)
	go func() { output <- s.starter("run", "--wait", "--mode", "full") }()
	require.Eventually(s.t, func() bool {
		listed, err := s.reader.Runs.Runs(s.t.Context(), 1, time.Time{})
		if err == nil && len(listed) > 0 && listed[0].Status == runs.StatusRunning {
			id = listed[0].ID
		}
		return id != ""
	}, soon, 5*time.Millisecond)
	return id, output
}

func listFollowed(t *testing.T, s *stack, b *tab) {
	b.open("/en/runs")
	eval[bool](b, "window.same = true")
	b.do(chromedp.Focus(chromedp.CSS("main tbody a")))
	focused := eval[string](b, "document.activeElement.textContent")
	id, done := s.beginRun()
	b.eventually(fmt.Sprintf(`document.querySelector("main tbody").innerText.includes(%q)`, id), "a run that begins comes into the list")
	<-done
	b.eventually(fmt.Sprintf(`document.querySelector("main tbody tr").innerText.includes(%q) && !document.querySelector(".live") && document.querySelector("main tbody tr .badge.green")`, id), "and ends there")
	require.True(t, eval[bool](b, "window.same"), "without being loaded again")
	require.Equal(t, focused, eval[string](b, "document.activeElement.textContent"), "the focus stays where it was")
	b.requireClean()
}

func followed(t *testing.T, s *stack, b *tab) {
	id, done := s.beginRun()
	b.open("/en/runs/" + path(id))
	eval[bool](b, "window.same = true")
	<-done
	b.eventually(`!document.querySelector(".live")`, "the page notices that the run has ended")
	require.True(t, eval[bool](b, "window.same"), "without being loaded again")
	require.Contains(t, strings.ToLower(eval[string](b, "document.querySelector('main').innerText")), "green")
	b.requireClean()
}

// budget is how much all scripts and styles may weigh, compressed, in bytes.
const budget = 400_000

func small(t *testing.T, s *stack, b *tab) {
	b.open("/en/")
	b.mu.Lock()
	requests := slices.Clone(b.requests)
	b.mu.Unlock()
	sum := 0
	for _, address := range requests {
		file, ok := strings.CutPrefix(address, s.origin+"/static/")
		if !ok {
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", "gzip")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "gzip", resp.Header.Get("Content-Encoding"), file)
		sum += len(body)
	}
	require.Greater(t, sum, 50_000, "the bundle is there")
	require.Less(t, sum, budget)
	t.Logf("scripts and styles weigh %d bytes on the wire", sum)
}

// violation is what axe-core finds.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// requireAccessible holds the page to axe-core, with its short tables unfolded,
// and its headings to their order.
func requireAccessible(t *testing.T, b *tab, axe string, colors bool) {
	eval[bool](b, `document.querySelectorAll("details").forEach(d => d.open = d.querySelectorAll("tr").length < 60), true`)
	if !eval[bool](b, `"axe" in window`) {
		b.do(chromedp.Evaluate[chromedp.Void](axe))
	}
	found := eval[[]violation](b, `axe.run(document, { resultTypes: ["violations"], rules: { "color-contrast": { enabled: `+strconv.FormatBool(colors)+` } } }).then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v => ({ ID: v.id, Impact: v.impact, Help: v.help, Nodes: v.nodes.slice(0, 3).map(n => ({ HTML: n.html, FailureSummary: n.failureSummary })) })))`)
	assert.Empty(t, found)
	levels := eval[[]int](b, `[...document.querySelectorAll("h1, h2, h3, h4")].map(h => Number(h.tagName[1]))`)
	for i, level := range levels {
		if i > 0 {
			require.LessOrEqual(t, level, levels[i-1]+1, "no level of headings is left out: %v", levels)
		}
	}
}

// firstKey leads past the menu.
func firstKey(t *testing.T, _ *stack, b *tab) {
	b.resize(phone)
	b.open("/en/runs")
	b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	require.Equal(t, "main", eval[string](b, "document.activeElement.id"))
}

func takeScreenshots(t *testing.T, s *stack, b *tab) {
	require.NoError(t, os.MkdirAll(*screenshots, 0o755))
	for name, address := range s.pages("en") {
		for look, window := range map[string]size{"light": desktop, "dark": desktop, "phone": phone} {
			b.prefer(map[string]string{"dark": "dark"}[look])
			b.resize(window)
			b.open(address)
			ctx, cancel := context.WithTimeout(b.ctx, loads)
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			cancel()
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(*screenshots, name+"-"+look+".png"), picture, 0o600))
		}
	}
}
