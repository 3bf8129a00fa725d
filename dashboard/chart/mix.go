package chart

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"padron/internal/statistics"
)

// add adds a bar of the first series, with the text and the link of a cell.
func (b *Bars) add(cell Cell, value Value) {
	b.Categories = append(b.Categories, cell.Text)
	b.Links = append(b.Links, cell.Href)
	b.Series[0].Values = append(b.Series[0].Values, value)
}

// NeighborhoodMix are the open locations of a neighborhood by sector.
func (mk *Maker) NeighborhoodMix(name string) Make {
	return mk.mix("sector", mk.sectorCell, func(neighborhood, sector string) (string, bool) { return sector, neighborhood == name })
}

// SectorMix are the open locations of a sector by neighborhood.
func (mk *Maker) SectorMix(code string) Make {
	return mk.mix("neighborhood", mk.neighborhoodCell, func(neighborhood, sector string) (string, bool) {
		return neighborhood, sector == code
	})
}

// mix are open locations by a dimension. of says which value of it a pair of a
// neighborhood and a sector counts for, and whether it counts.
func (mk *Maker) mix(dimension string, cell func(name string) Cell, of func(neighborhood, sector string) (string, bool)) Make {
	return func(ctx context.Context, page Page) (*Figure, error) {
		snap := mk.Snapshot
		f := mk.figure(page, "mix", KindBars, "mix_"+dimension, mk.Source(snap))
		cells, ok, err := ReadSeries[statistics.Cells](ctx, mk, snap, statistics.SeriesCells)
		if err != nil || !ok {
			return f.lacks(mk), err
		}
		sums := map[string]statistics.Totals{}
		for _, c := range cells.Rows {
			name, counts := of(cells.Neighborhoods[c[0]], cells.Sectors[c[1]])
			if !counts {
				continue
			}
			sum := sums[name]
			sum.Open, sum.Closed, sum.AdministrativelyClosed = sum.Open+c[3], sum.Closed+c[4], sum.AdministrativelyClosed+c[5]
			sums[name] = sum
		}
		names := slices.SortedFunc(maps.Keys(sums), func(a, b string) int {
			return cmp.Or(known(b)-known(a), cmp.Compare(sums[b].Open, sums[a].Open), cmp.Compare(a, b))
		})
		f.Table = mk.table(f.Title, dimension, "#open", "#closed", "#administratively_closed")
		chart := Bars{
			Unit: mk.T("unit.locations"), Categories: []string{},
			Series: []Series{{Name: mk.T("column.open"), Type: CurveBar, Values: []Value{}}},
		}
		var named, all int64
		for _, name := range names {
			sum, shown := sums[name], cell(name)
			all += sum.Open
			if name != "" {
				named += sum.Open
				if sum.Open > 0 {
					chart.add(shown, sum.Open)
				}
			}
			f.Table.add(shown, mk.cell(sum.Open), mk.cell(sum.Closed), mk.cell(sum.AdministrativelyClosed))
		}
		f.Chart = chart
		f.Notes = append(f.Notes, mk.T("note."+dimension, mk.Percent(named, all), all-named))
		return f, nil
	}
}
