package chart

import (
	"context"
	"errors"
	"slices"

	"padron/internal/profile"
	"padron/internal/statistics"
)

// barsAtMost is how many values a chart of the most frequent ones draws.
const barsAtMost = 30

// Profile reads the profile of the newest snapshot; nil when there is none.
// That there is none is not kept, as the profile is made after the snapshot.
func (mk *Maker) Profile(ctx context.Context) (*statistics.DataProfile, error) {
	snap := mk.Snapshot
	p, err := keep(ctx, mk.Kept, "profile "+snap.ID+" "+mk.Past, func(ctx context.Context) (*statistics.DataProfile, error) {
		p, err := mk.Reader.Statistics.DataProfile(ctx, snap.ID)
		return &p, err
	})
	if errors.Is(err, statistics.ErrNoSnapshot) {
		return nil, nil
	}
	return p, err
}

// ProfileFigures are the charts of the data profile. Those of one field, its
// histogram, have the id FieldFigure.
func (mk *Maker) ProfileFigures(ctx context.Context) ([]*Figure, error) {
	p, err := mk.Profile(ctx)
	if err != nil || p == nil {
		return nil, err
	}
	page, source := Page{"profile"}, mk.Source(mk.Snapshot)
	ages, err := mk.SectorAges(ctx, page)
	if err != nil {
		return nil, err
	}
	cells, err := mk.Map()(ctx, page)
	if err != nil {
		return nil, err
	}
	figures := []*Figure{
		mk.missingValues(page, p, source), mk.flags(page, p, source), mk.matrix(page, p, source), cells,
		mk.associations(page, p, source), mk.outside(page, p, source), ages,
	}
	for i := range p.Fields {
		if f := &p.Fields[i]; !mk.Hidden(f.Path) && len(f.Histogram) > 0 {
			figures = append(figures, mk.histogram(page, p, f, source))
		}
	}
	return figures, nil
}

// FieldFigure is the id of the chart of a field.
func FieldFigure(path string) string { return "field-" + FileName(path) }

// histogram is the distribution of a field's values.
func (mk *Maker) histogram(page Page, p *statistics.DataProfile, field *profile.Field, source *Source) *Figure {
	f := mk.figure(page, FieldFigure(field.Path), KindBars, "histogram", source, mk.Field(field.Path))
	f.Table = mk.table(f.Title, "value", "#rows")
	bars := Bars{Unit: mk.T("unit.rows"), Series: []Series{{Name: mk.T("column.rows"), Type: CurveBar}}}
	for _, c := range field.Histogram {
		f.Table.add(Cell{Value: c.Value, Text: c.Value}, mk.cell(c.Rows))
		bars.Categories = append(bars.Categories, c.Value)
		bars.Series[0].Values = append(bars.Series[0].Values, c.Rows)
	}
	f.Chart = bars
	f.Notes = append(mk.earlier(p), mk.T("note.present", mk.Percent(field.Present, p.Rows), field.Missing))
	return f
}

// Earlier reports whether a profile's columns are those of an earlier crawl than
// that of the snapshot.
func (mk *Maker) Earlier(p *statistics.DataProfile) bool { return p.Run != mk.Snapshot.Run }

// earlier says of which run's crawl the columns are described, where it is not
// that of the snapshot, which the figure's source names.
func (mk *Maker) earlier(p *statistics.DataProfile) []string {
	if !mk.Earlier(p) {
		return nil
	}
	return []string{mk.T("profile.earlier", p.Run, mk.Date(p.Made), p.Rows)}
}

// missingValues are the shares of rows without a value, of the fields that may
// be shown: what is counted of hidden ones tells of them too.
func (mk *Maker) missingValues(page Page, p *statistics.DataProfile, source *Source) *Figure {
	f := mk.figure(page, "missing", KindBars, "missing", source)
	f.Table = mk.table(f.Title, "field", "#present", "#missing", "#missing_share", "#distinct", "#distinct_error")
	chart := Bars{
		Unit: "%", Max: 100, Categories: []string{},
		Series: []Series{{Name: mk.T("column.missing_share"), Type: CurveBar, Values: []Value{}}},
	}
	for i := range p.Fields {
		field := &p.Fields[i]
		if mk.Hidden(field.Path) {
			continue
		}
		label := mk.Field(field.Path)
		f.Table.add(Cell{Value: field.Path, Text: label},
			mk.cell(field.Present), mk.cell(field.Missing), mk.share(field.Missing, p.Rows), mk.distinct(field), mk.distinctError(field))
		if p.Rows > 0 {
			chart.Categories = append(chart.Categories, label)
			chart.Series[0].Values = append(chart.Series[0].Values, round(100*float64(field.Missing)/float64(p.Rows), 2))
		}
	}
	f.Chart = chart
	f.Notes = append(mk.earlier(p), mk.T("note.ofrows", p.Rows))
	return f
}

// Distinct is how many different values a field has; an estimate says so, with
// its error.
func (mk *Maker) Distinct(f *profile.Field) Cell {
	if f.Distinct == nil {
		return mk.cell(nil)
	}
	c := mk.cell(*f.Distinct)
	if f.DistinctError != 0 {
		c.Text = mk.T("profile.about", *f.Distinct, "± "+mk.distinctError(f).Text)
	}
	return c
}

// distinct is how many different values a field has, beside its error.
func (mk *Maker) distinct(f *profile.Field) Cell {
	if f.Distinct == nil {
		return mk.cell(nil)
	}
	return mk.cell(*f.Distinct)
}

// distinctError is the error of the number of values, in percent of it; 0 where
// they were counted.
func (mk *Maker) distinctError(f *profile.Field) Cell {
	if f.Distinct == nil {
		return mk.cell(nil)
	}
	percent := round(100*f.DistinctError, 2)
	return Cell{Value: percent, Text: mk.Decimals(percent, 1) + " %"}
}

// matrix are the open rows by sector and neighborhood.
func (mk *Maker) matrix(page Page, p *statistics.DataProfile, source *Source) *Figure {
	f := mk.figure(page, "matrix", KindHeatmap, "matrix", source)
	f.Table = mk.table(f.Title, "neighborhood", "sector", "#open", "#closed")
	type pair struct{ neighborhood, sector string }
	type counts struct{ open, closed int64 }
	sums := map[pair]counts{}
	for _, row := range p.Matrix.Rows {
		at := pair{p.Matrix.Neighborhoods[row[0]], p.Matrix.Sectors[row[1]]}
		s := sums[at]
		sums[at] = counts{s.open + row[3], s.closed + row[4]}
	}
	neighborhoods, sectors := slices.Sorted(slices.Values(p.Matrix.Neighborhoods)), slices.Sorted(slices.Values(p.Matrix.Sectors))
	chart := Heatmap{
		Unit: mk.T("unit.locations"), Xs: []string{}, Ys: []string{}, Values: [][3]int64{},
		Link: PagePath(mk.Lang, "businesses") + "?open=yes", XParameter: "sector", YParameter: "neighborhood",
	}
	for _, s := range sectors {
		if s != "" {
			chart.Xs, chart.XKeys = append(chart.Xs, mk.Sector(s)), append(chart.XKeys, s)
		}
	}
	var both, all int64
	for _, n := range neighborhoods {
		if n != "" {
			chart.Ys, chart.YKeys = append(chart.Ys, n), append(chart.YKeys, n)
		}
		x := 0
		for _, s := range sectors {
			sum, ok := sums[pair{n, s}]
			all += sum.open
			if n != "" && s != "" {
				both += sum.open
				if sum.open > 0 {
					chart.Values = append(chart.Values, [3]int64{int64(x), int64(len(chart.Ys) - 1), sum.open})
				}
			}
			if s != "" {
				x++
			}
			if ok {
				f.Table.add(mk.neighborhoodCell(n), mk.sectorCell(s), mk.cell(sum.open), mk.cell(sum.closed))
			}
		}
	}
	f.Chart = chart
	f.Notes = append(f.Notes, mk.T("note.matrix", mk.Percent(both, all), all-both))
	return f
}

// associations are how strongly dimensions depend on each other.
func (mk *Maker) associations(page Page, p *statistics.DataProfile, source *Source) *Figure {
	f := mk.figure(page, "associations", KindBars, "associations", source)
	f.Table = mk.table(f.Title, "pair", "#cramers_v", "#rows")
	chart := Bars{
		Unit: "V", Max: 1, Categories: []string{},
		Series: []Series{{Name: mk.T("column.cramers_v"), Type: CurveBar, Values: []Value{}}},
	}
	for _, a := range p.Associations {
		name := mk.Or("dimension."+a.A, a.A) + " × " + mk.Or("dimension."+a.B, a.B)
		v := mk.cell(nil)
		var drawn Value
		if a.V != nil {
			v = Cell{Value: *a.V, Text: mk.Decimals(*a.V, 2)}
			drawn = round(*a.V, 3)
		}
		f.Table.add(Cell{Value: a.A + " x " + a.B, Text: name}, v, mk.cell(a.Rows))
		chart.Categories = append(chart.Categories, name)
		chart.Series[0].Values = append(chart.Series[0].Values, drawn)
	}
	f.Chart = chart
	f.Notes = append(f.Notes, mk.T("note.associations"))
	return f
}

// outside are the rows in other states.
func (mk *Maker) outside(page Page, p *statistics.DataProfile, source *Source) *Figure {
	f := mk.figure(page, "outside", KindBars, "outside", source, p.HomeState)
	f.Notes = append(mk.earlier(p), mk.T("note.ofrows", p.Rows))
	if p.OutsideError > 0 {
		f.Notes = append(f.Notes, mk.T("profile.top_error", p.OutsideError))
	}
	return mk.counted(f, "state", p.OutsideHome, p.Rows)
}

// flags are the quality flags that cleaning set.
func (mk *Maker) flags(page Page, p *statistics.DataProfile, source *Source) *Figure {
	f := mk.figure(page, "flags", KindBars, "flags", source)
	f.Notes = append(mk.earlier(p), mk.T("note.ofrows", p.Rows), mk.T("note.flags"))
	shown := slices.DeleteFunc(slices.Clone(p.Flags), func(c profile.Counted) bool { return mk.Hidden("quality.flags." + c.Value) })
	return mk.counted(f, "flag", shown, p.Rows)
}

// counted fills a chart of values by their rows, the most frequent first.
func (mk *Maker) counted(f *Figure, column string, counts []profile.Counted, of int64) *Figure {
	f.Table = mk.table(f.Title, column, "#rows", "#share")
	chart := Bars{
		Unit: mk.T("unit.rows"), Categories: []string{},
		Series: []Series{{Name: mk.T("column.rows"), Type: CurveBar, Values: []Value{}}},
	}
	for _, c := range counts {
		f.Table.add(Cell{Value: c.Value, Text: c.Value}, mk.cell(c.Rows), mk.share(c.Rows, of))
		if len(chart.Categories) == barsAtMost {
			continue
		}
		chart.Categories = append(chart.Categories, c.Value)
		chart.Series[0].Values = append(chart.Series[0].Values, c.Rows)
	}
	f.Chart = chart
	if len(counts) > barsAtMost {
		f.Notes = append(f.Notes, mk.T("note.drawn", barsAtMost, len(counts)))
	}
	return f
}
