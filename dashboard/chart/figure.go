package chart

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"math"
	"net/url"
	"time"

	"padron/dashboard/i18n"
	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/query"
	"padron/internal/statistics"
)

// Figure is one chart: what is drawn, its numbers as a table, and what a reader
// must know of both.
type Figure struct {
	ID      string
	Kind    Kind // empty: the table alone
	Title   string
	Label   string   // what the picture shows, for those who do not see it
	Notes   []string // coverage and what else to know
	Marks   []Mark   // breaks of the history, where the chart runs over time
	Source  *Source
	Range   *Range // months that the chart can be asked for; nil: it cannot
	Chart   any    // data of the drawing: a type of contract.go, by Kind
	Table   *Table
	Missing string // why there is no chart; then all but ID, Title and Source is empty

	CSV, JSON, Embed, Here string // addresses
	Embedded               bool   // shown alone in another site's page

	grid, drawing template.HTML // kept once they are made
}

// Source says which snapshot numbers are of.
type Source struct {
	Snapshot      string
	AsOf          time.Time
	Basis         statistics.Basis
	Provisional   bool
	SurvivorsOnly bool
	Run, RunHref  string
	Outcome       certificate.Outcome
}

// Range are the months that a reader asked for, as given, and the order of the
// ranking, which a new choice of months must keep.
type Range struct{ From, To, Sort string }

// Maker makes the charts of one request: in one language, from the newest
// snapshot and those of the past.
type Maker struct {
	*i18n.Catalogue
	Spec      *dataset.Spec
	Reader    *query.Reader
	Snapshot  *statistics.Snapshot // newest observed one
	Past      string               // changes whenever snapshots may have been made or replaced
	Kept      *Kept
	Sensitive bool       // whether values that the spec calls sensitive may be shown
	Query     url.Values // parameters of the page, which the addresses of its charts repeat
	Embedded  bool       // whether one chart is shown alone
	// Shared is an address as it may be given to others; nil: as it is.
	Shared func(address string) string
}

// Make makes a chart of a page.
type Make func(ctx context.Context, page Page) (*Figure, error)

// All makes the charts of a page.
func (mk *Maker) All(ctx context.Context, page Page, makers ...Make) ([]*Figure, error) {
	figures := make([]*Figure, 0, len(makers))
	for _, makeChart := range makers {
		f, err := makeChart(ctx, page)
		if err != nil {
			return nil, err
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// Source describes a snapshot.
func (mk *Maker) Source(s *statistics.Snapshot) *Source {
	return &Source{
		Snapshot: s.ID, AsOf: s.AsOf, Basis: s.Basis, Provisional: s.Provisional, SurvivorsOnly: s.SurvivorsOnly,
		Run: s.Run, RunHref: PagePath(mk.Lang, "runs", s.Run), Outcome: s.Outcome,
	}
}

// Hidden says whether the value at a path of a document must not be shown.
func (mk *Maker) Hidden(path string) bool { return !mk.Sensitive && mk.Spec.Sensitive(path) }

// figure begins a chart of a page. Its texts are figure.<key>.title and
// figure.<key>.label of the catalogue.
func (mk *Maker) figure(page Page, id string, kind Kind, key string, source *Source, values ...any) *Figure {
	f := &Figure{
		ID: id, Kind: kind, Title: mk.T("figure."+key+".title", values...), Label: mk.T("figure."+key+".label", values...), Source: source,
	}
	mk.link(f, page)
	return f
}

// link sets the addresses of a chart, with the page's parameters in them.
func (mk *Maker) link(f *Figure, page Page) {
	parts := append(append(Page{}, page...), f.ID)
	data := maps.Clone(mk.Query)
	data.Set("lang", mk.Lang)
	f.CSV, f.JSON = mk.shared(DataPath(".csv", parts...)+"?"+data.Encode()), mk.shared(DataPath(".json", parts...)+"?"+data.Encode())
	here := page.address(mk.Lang)
	frame := maps.Clone(mk.Query)
	frame.Set("embed", "1")
	frame.Set("chart", f.ID)
	f.Embed, f.Embedded = mk.shared(here+"?"+frame.Encode()), mk.Embedded
	if len(mk.Query) > 0 {
		here += "?" + mk.Query.Encode()
	}
	f.Here = here + "#" + f.ID
}

func (mk *Maker) shared(address string) string {
	if mk.Shared == nil {
		return address
	}
	return mk.Shared(address)
}

// lacks makes a figure say that the snapshot does not have its numbers.
func (f *Figure) lacks(mk *Maker) *Figure {
	f.Kind, f.Missing = "", mk.T("missing.series")
	f.CSV, f.JSON, f.Embed = "", "", ""
	return f
}

// marks are the breaks of the history between two months; to is empty for no
// end. A break of which only the year is known is marked where the year begins.
func (mk *Maker) marks(from, to string) []Mark {
	marks := []Mark{}
	for _, b := range mk.Spec.Breaks {
		begin, _ := b.Span()
		x := begin.Format("2006-01")
		if x < from || to != "" && x > to {
			continue
		}
		marks = append(marks, Mark{X: x, Label: b.Date + ": " + mk.Or("break."+b.Name, b.Name), Note: b.Note})
	}
	return marks
}

// Drawing is the chart's data as a script element of JSON. encoding/json writes
// <, > and & as escapes, so nothing in it ends the element.
func (f *Figure) Drawing() (template.HTML, error) {
	if f.drawing != "" {
		return f.drawing, nil
	}
	data, err := json.Marshal(f.Chart)
	if err != nil {
		return "", fmt.Errorf("chart %s: %w", f.ID, err)
	}
	return template.HTML(`<script type="application/json">` + string(data) + `</script>`), nil //nolint:gosec // see above
}

// Grid is the figure's table as HTML.
func (f *Figure) Grid() template.HTML {
	if f.grid != "" {
		return f.grid
	}
	return f.Table.grid()
}

// round keeps a number of decimals.
func round(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(v*p) / p
}
