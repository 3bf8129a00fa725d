package dashboard

import (
	"context"
	"errors"
	"slices"

	"padron/internal/mirror"
)

// profileData is the page of the data profile.
type profileData struct {
	Profile *mirror.DataProfile // nil: none yet
	Fields  []fieldView
	Figures []*Figure
}

// fieldView is one field of the document.
type fieldView struct {
	mirror.FieldProfile
	Label     string
	Figure    *Figure // of its histogram; nil: none
	DistinctN Cell
}

// readProfile reads the profile of the newest snapshot; nil when there is none.
// That there is none is not remembered: it is made after the snapshot.
func (r *request) readProfile() (*mirror.DataProfile, error) {
	snap := &r.state.snapshot
	key := "profile " + snap.ID + " " + r.state.past
	p, err := remember(r.ctx, r.server, key, func(ctx context.Context) (*mirror.DataProfile, error) {
		p, err := r.mirror.DataProfile(ctx, snap.ID)
		return &p, err
	})
	if errors.Is(err, mirror.ErrNoSnapshot) {
		return nil, nil
	}
	return p, err
}

func (r *request) profile() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	p, err := r.readProfile()
	if err != nil {
		return nil, err
	}
	figures, err := r.profileFigures()
	if err != nil {
		return nil, err
	}
	d := profileData{Profile: p}
	v := &view{template: "profile", title: r.t("nav.profile"), figures: figures}
	if p != nil {
		by := map[string]*Figure{}
		for _, f := range figures {
			by[f.ID] = f
		}
		for _, f := range p.Fields {
			if r.hidden(f.Path) {
				f.Top, f.Histogram = nil, nil
			}
			shown := fieldView{FieldProfile: f, Label: r.field(f.Path), Figure: by["field-"+fileName(f.Path)], DistinctN: r.distinct(&f)}
			d.Fields = append(d.Fields, shown)
		}
		for _, f := range figures {
			if !slices.ContainsFunc(d.Fields, func(v fieldView) bool { return v.Figure == f }) {
				d.Figures = append(d.Figures, f)
			}
		}
	}
	v.data = d
	return v, nil
}

func (r *request) profileFigures() ([]*Figure, error) {
	p, err := r.readProfile()
	if err != nil || p == nil {
		return nil, err
	}
	src := r.source(&r.state.snapshot)
	ages, err := r.sectorAges("profile")
	if err != nil {
		return nil, err
	}
	cells, err := r.kept("map", (*request).mapCells)("profile")
	if err != nil {
		return nil, err
	}
	figures := []*Figure{r.missingValues(p, src), r.flags(p, src), r.matrix(p, src), cells, r.associations(p, src), r.outside(p, src), ages}
	for _, f := range p.Fields {
		if r.hidden(f.Path) || len(f.Histogram) == 0 {
			continue
		}
		h := r.figure("profile", "field-"+fileName(f.Path), "bars", "histogram", src, r.field(f.Path))
		h.Table = r.table(h.Title, "value", "#rows")
		bars := barsChart{Unit: r.t("unit.rows"), Series: []lineSeries{{Name: r.t("column.rows"), Type: "bar"}}}
		for _, c := range f.Histogram {
			h.Table.add(Cell{Value: c.Value, Text: c.Value}, r.cell(c.Rows))
			bars.Categories = append(bars.Categories, c.Value)
			bars.Series[0].Values = append(bars.Series[0].Values, c.Rows)
		}
		h.Chart = bars
		h.Notes = append(h.Notes, r.t("note.present", r.percent(f.Present, p.Rows), f.Missing))
		figures = append(figures, h)
	}
	return figures, nil
}

// missingValues are the shares of rows without a value.
func (r *request) missingValues(p *mirror.DataProfile, src *Source) *Figure {
	f := r.figure("profile", "missing", "bars", "missing", src)
	f.Table = r.table(f.Title, "field", "#present", "#missing", "#missing_share", "#distinct")
	chart := barsChart{Unit: "%", Max: 100, Categories: []string{}, Series: []lineSeries{{Name: r.t("column.missing_share"), Type: "bar", Values: []any{}}}}
	for _, field := range p.Fields {
		label := r.field(field.Path)
		f.Table.add(Cell{Value: field.Path, Text: label}, r.cell(field.Present), r.cell(field.Missing), r.share(field.Missing, p.Rows), r.distinct(&field))
		if p.Rows > 0 {
			chart.Categories = append(chart.Categories, label)
			chart.Series[0].Values = append(chart.Series[0].Values, round(100*float64(field.Missing)/float64(p.Rows), 2))
		}
	}
	f.Chart = chart
	f.Notes = append(f.Notes, r.t("note.ofrows", p.Rows))
	return f
}

// distinct is how many different values a field has.
func (r *request) distinct(f *mirror.FieldProfile) Cell {
	if f.Distinct == nil {
		return r.cell(nil)
	}
	return r.cell(*f.Distinct)
}

// matrix are the open rows by sector and neighborhood.
func (r *request) matrix(p *mirror.DataProfile, src *Source) *Figure {
	f := r.figure("profile", "matrix", "heatmap", "matrix", src)
	f.Table = r.table(f.Title, "neighborhood", "sector", "#open", "#closed")
	type pair struct{ neighborhood, sector string }
	sums := map[pair][2]int64{}
	for _, row := range p.Matrix.Rows {
		at := pair{p.Matrix.Neighborhoods[row[0]], p.Matrix.Sectors[row[1]]}
		s := sums[at]
		sums[at] = [2]int64{s[0] + row[3], s[1] + row[4]}
	}
	neighborhoods, sectors := slices.Clone(p.Matrix.Neighborhoods), slices.Clone(p.Matrix.Sectors)
	for _, names := range [][]string{neighborhoods, sectors} {
		slices.Sort(names)
	}
	chart := heatChart{Unit: r.t("unit.locations"), Xs: []string{}, Ys: []string{}, Values: [][3]int64{}, Link: pagePath(r.lang, "businesses")}
	for _, s := range sectors {
		if s != "" {
			chart.Xs, chart.XKeys = append(chart.Xs, r.sectorName(s)), append(chart.XKeys, s)
		}
	}
	var known, all int64
	for _, n := range neighborhoods {
		if n != "" {
			chart.Ys, chart.YKeys = append(chart.Ys, n), append(chart.YKeys, n)
		}
		x := 0
		for _, s := range sectors {
			sum, ok := sums[pair{n, s}]
			all += sum[0]
			if n != "" && s != "" {
				known += sum[0]
				if sum[0] > 0 {
					chart.Values = append(chart.Values, [3]int64{int64(x), int64(len(chart.Ys) - 1), sum[0]})
				}
			}
			if s != "" {
				x++
			}
			if ok {
				f.Table.add(r.named(n, n, pagePath(r.lang, "neighborhoods", n)), r.sectorCell(s), r.cell(sum[0]), r.cell(sum[1]))
			}
		}
	}
	f.Chart = chart
	f.Notes = append(f.Notes, r.t("note.matrix", r.percent(known, all), all-known))
	return f
}

// associations are how strongly dimensions depend on each other.
func (r *request) associations(p *mirror.DataProfile, src *Source) *Figure {
	f := r.figure("profile", "associations", "bars", "associations", src)
	f.Table = r.table(f.Title, "pair", "#cramers_v", "#rows")
	chart := barsChart{Unit: "V", Max: 1, Categories: []string{}, Series: []lineSeries{{Name: r.t("column.cramers_v"), Type: "bar", Values: []any{}}}}
	for _, a := range p.Associations {
		name := r.or("dimension."+a.A, a.A) + " × " + r.or("dimension."+a.B, a.B)
		v := r.cell(nil)
		var drawn any
		if a.V != nil {
			v = Cell{Value: *a.V, Text: r.printer.Sprintf("%.2f", *a.V)}
			drawn = round(*a.V, 3)
		}
		f.Table.add(Cell{Value: a.A + " x " + a.B, Text: name}, v, r.cell(a.Rows))
		chart.Categories = append(chart.Categories, name)
		chart.Series[0].Values = append(chart.Series[0].Values, drawn)
	}
	f.Chart = chart
	f.Notes = append(f.Notes, r.t("note.associations"))
	return f
}

// outside are the rows in other states.
func (r *request) outside(p *mirror.DataProfile, src *Source) *Figure {
	f := r.figure("profile", "outside", "bars", "outside", src, p.HomeState)
	f.Notes = append(f.Notes, r.t("note.ofrows", p.Rows))
	return r.counted(f, "state", p.OutsideHome, p.Rows)
}

// flags are what cleaning remarked.
func (r *request) flags(p *mirror.DataProfile, src *Source) *Figure {
	f := r.figure("profile", "flags", "bars", "flags", src)
	f.Notes = append(f.Notes, r.t("note.ofrows", p.Rows), r.t("note.flags"))
	return r.counted(f, "flag", p.Flags, p.Rows)
}

// barsAtMost is how many values a chart of the most frequent ones draws.
const barsAtMost = 30

// counted fills a chart of values by their rows, the most frequent first.
func (r *request) counted(f *Figure, column string, counts []mirror.Counted, of int64) *Figure {
	f.Table = r.table(f.Title, column, "#rows", "#share")
	chart := barsChart{Unit: r.t("unit.rows"), Categories: []string{}, Series: []lineSeries{{Name: r.t("column.rows"), Type: "bar", Values: []any{}}}}
	for _, c := range counts {
		f.Table.add(Cell{Value: c.Value, Text: c.Value}, r.cell(c.Rows), r.share(c.Rows, of))
		if len(chart.Categories) == barsAtMost {
			continue
		}
		chart.Categories = append(chart.Categories, c.Value)
		chart.Series[0].Values = append(chart.Series[0].Values, c.Rows)
	}
	f.Chart = chart
	if len(counts) > barsAtMost {
		f.Notes = append(f.Notes, r.t("note.drawn", barsAtMost, len(counts)))
	}
	return f
}
