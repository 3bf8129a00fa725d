package dashboard

import (
	"context"
	"html/template"
	"strings"
	"time"

	"padron/internal/mirror"
)

// Figure is one chart: what is drawn, its numbers as a table, and what a reader
// must know of both.
type Figure struct {
	ID      string
	Kind    string // lines, bars, hexbin, heatmap or boxes; empty: the table alone
	Title   string
	Label   string   // what the picture shows, for those who do not see it
	Notes   []string // coverage and what else to know
	Marks   []Mark   // breaks of the history, where the chart runs over time
	Source  *Source
	Range   *monthRange // months that the chart can be asked for; nil: it cannot
	Chart   any         // data of the drawing, as JSON
	Table   *Table
	Missing string // why there is no chart; all of the above but ID, Title and Source are empty then

	CSV, JSON, Embed, Here string // addresses
	Embedded               bool

	grid, drawing template.HTML // once they are made
}

// Source says which snapshot numbers are of.
type Source struct {
	Snapshot      string
	AsOf          time.Time
	Basis         mirror.Basis
	Provisional   bool
	SurvivorsOnly bool
	Run, RunHref  string
	Outcome       mirror.Outcome
}

// monthRange are the months that a reader asked for, and the other parameters
// to keep when others are.
type monthRange struct{ From, To, Sort string }

// source describes a snapshot.
func (r *request) source(s *mirror.Snapshot) *Source {
	return &Source{
		Snapshot: s.ID, AsOf: s.AsOf, Basis: s.Basis, Provisional: s.Provisional, SurvivorsOnly: s.SurvivorsOnly,
		Run: s.Run, RunHref: pagePath(r.lang, "runs", s.Run), Outcome: s.Outcome,
	}
}

// Mark is a break of the history at a place of a chart.
type Mark struct {
	X     string `json:"x"`
	Label string `json:"label"`
	Note  string `json:"-"` // in the dataset's own words
}

// linesChart is data of the kind lines. What is null is unknown.
type linesChart struct {
	X       []string     `json:"x"`
	XUnit   string       `json:"x_unit,omitempty"` // of what X counts; empty: dates
	Unit    string       `json:"unit"`
	Percent bool         `json:"percent"`
	Series  []lineSeries `json:"series"`
	Marks   []Mark       `json:"marks"`
}

type lineSeries struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // line, bar, area or step
	Stack  string `json:"stack,omitempty"`
	Role   string `json:"role,omitempty"`   // what is counted, or its basis: each has its color on every page
	Sparse bool   `json:"sparse,omitempty"` // values are of some places only, and joined across the others
	Values []any  `json:"values"`
	Low    []any  `json:"low,omitempty"`
	High   []any  `json:"high,omitempty"`
}

// barsChart is data of the kind bars.
type barsChart struct {
	Categories []string     `json:"categories"`
	Unit       string       `json:"unit"`
	Series     []lineSeries `json:"series"`
	Links      []string     `json:"links,omitempty"` // empty: none
	Max        float64      `json:"max,omitempty"`   // that values can have; 0: any
}

// hexChart is data of the kind hexbin. Size and Width are in meters.
type hexChart struct {
	Size         float64      `json:"size"` // center to corner
	Width        float64      `json:"width"`
	MetersPerLon float64      `json:"meters_per_lon"`
	MetersPerLat float64      `json:"meters_per_lat"`
	Flat         bool         `json:"flat"` // false: a corner to the north
	Cells        [][3]float64 `json:"cells"`
	Unit         string       `json:"unit"`
	Box          [4]float64   `json:"box"` // west, south, east, north
	// Outlines are drawn over the cells; nil: there are none.
	Outlines *outlinesChart `json:"outlines,omitempty"`
}

// heatChart is data of the kind heatmap.
type heatChart struct {
	Xs     []string   `json:"xs"`
	Ys     []string   `json:"ys"`
	Values [][3]int64 `json:"values"` // x, y, value
	Unit   string     `json:"unit"`
	// A cell leads to the list at Link, with the parameters sector, of XKeys,
	// and neighborhood, of YKeys.
	XKeys []string `json:"x_keys"`
	YKeys []string `json:"y_keys"`
	Link  string   `json:"link"`
}

// boxChart is data of the kind boxes.
type boxChart struct {
	Categories []string     `json:"categories"`
	Boxes      [][5]float64 `json:"boxes"`
	Unit       string       `json:"unit"`
}

// Table is a table of values. The first column names its rows.
type Table struct {
	Caption string
	Columns []Column
	Rows    [][]Cell
}

// Column of a table. Key names it in CSV and JSON, in every language the same.
type Column struct {
	Key    string
	Title  string
	Number bool
	Sort   string // address that sorts by it; empty: it does not
	Sorted string // ascending or descending, when it is what the rows are sorted by
}

// Cell is a value and how it is shown.
type Cell struct {
	Value any // string, int64, float64, bool or nil: unknown
	Text  string
	Href  string
	Lang  string // of a text that is not in the page's language
}

// columns begins a table; keys are those of the catalogue, column.<key>, and
// those marked with # are numbers.
func (r *request) table(caption string, keys ...string) *Table {
	t := &Table{Caption: caption}
	for _, key := range keys {
		name, number := strings.CutPrefix(key, "#")
		t.Columns = append(t.Columns, Column{Key: name, Title: r.t("column." + name), Number: number})
	}
	return t
}

func (t *Table) add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// cell shows a value: int64 as a count, float64 with one decimal, nil as unknown.
func (r *request) cell(v any) Cell {
	if v == nil {
		return Cell{Text: r.t("unknown")}
	}
	return Cell{Value: v, Text: r.show(v)}
}

// named shows a name with a link to it; "" is unknown.
func (r *request) named(name, shown, href string) Cell {
	if name == "" {
		return Cell{Value: "", Text: r.t("unknown")}
	}
	return Cell{Value: name, Text: shown, Href: href}
}

// share is a part of a whole, in percent; unknown of nothing.
func (r *request) share(part, whole int64) Cell {
	if whole == 0 {
		return r.cell(nil)
	}
	return Cell{Value: 100 * float64(part) / float64(whole), Text: r.percent(part, whole)}
}

// figure begins a chart of a page: its texts are figure.<key>.title and
// figure.<key>.label of the catalogue.
func (r *request) figure(page, id, kind, key string, source *Source, values ...any) *Figure {
	f := &Figure{
		ID: id, Kind: kind, Title: r.t("figure."+key+".title", values...), Label: r.t("figure."+key+".label", values...), Source: source,
	}
	r.link(f, page)
	return f
}

// link sets the addresses of a chart, with the request's parameters in them.
func (r *request) link(f *Figure, page string) {
	parts := append(strings.Split(page, "\x00"), f.ID)
	query := withoutToken(r.query)
	query.Del("embed")
	query.Del("chart")
	query.Set("lang", r.lang)
	suffix := "?" + query.Encode()
	query.Del("lang")
	here := r.pageAddress(parts[:len(parts)-1])
	back := here
	if len(query) > 0 {
		back += "?" + query.Encode()
	}
	query.Set("embed", "1")
	query.Set("chart", f.ID)
	f.CSV, f.JSON = dataPath(".csv", parts...)+suffix, dataPath(".json", parts...)+suffix
	f.Embed, f.Here, f.Embedded = here+"?"+query.Encode(), back+"#"+f.ID, embedded(r.Request)
}

// kept makes a chart that depends on no parameter once, with its table and its
// drawing, for all requests until a run begins or ends. It is for the largest
// charts of the page that is read most.
func (r *request) kept(name string, make func(r *request, page string) (*Figure, error)) func(page string) (*Figure, error) {
	return func(page string) (*Figure, error) {
		shared, err := remember(r.ctx, r.server, "figure "+name+" "+r.lang+" "+r.state.past, func(ctx context.Context) (*Figure, error) {
			lasting := *r
			lasting.ctx = ctx // others may wait for the chart
			f, err := make(&lasting, page)
			if err != nil || f.Missing != "" {
				return f, err
			}
			if f.drawing, err = f.Drawing(); err != nil {
				return nil, err
			}
			f.grid = f.Grid()
			return f, nil
		})
		if err != nil {
			return nil, err
		}
		f := *shared
		if f.Missing == "" {
			r.link(&f, page)
		}
		return &f, nil
	}
}

// pageAddress is the address of a page by its parts; overview is the first page.
func (r *request) pageAddress(parts []string) string {
	if parts[0] == "overview" {
		return pagePath(r.lang, "")
	}
	return pagePath(r.lang, parts...)
}

// lacks makes a figure say that the snapshot does not have its numbers.
func (f *Figure) lacks(r *request) *Figure {
	f.Kind, f.Missing = "", r.t("missing.series")
	f.CSV, f.JSON, f.Embed = "", "", ""
	return f
}

// page joins the parts of a page's name for figure.
func pageOf(parts ...string) string { return strings.Join(parts, "\x00") }

// marks are the breaks of the history as places of a chart by month. A break of
// which only the year is known is marked where the year begins.
func (r *request) marks(from, to string) []Mark {
	marks := []Mark{}
	for _, b := range r.server.Spec.Breaks {
		begin, _ := b.Span()
		x := begin.Format("2006-01")
		if x < from || to != "" && x > to {
			continue
		}
		marks = append(marks, Mark{X: x, Label: b.Date + ": " + r.or("break."+b.Name, b.Name), Note: b.Note})
	}
	return marks
}

// months lists months from one to another, both included.
func months(from, to string) []string {
	begin, err := time.Parse("2006-01", from)
	if err != nil {
		return nil
	}
	var all []string
	for m := begin; m.Format("2006-01") <= to; m = m.AddDate(0, 1, 0) {
		all = append(all, m.Format("2006-01"))
	}
	return all
}
