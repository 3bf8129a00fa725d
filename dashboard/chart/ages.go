package chart

import (
	"cmp"
	"context"
	"slices"

	"padron/internal/statistics"
)

// NeighborhoodAges are the ages of open locations by neighborhood.
func (mk *Maker) NeighborhoodAges(ctx context.Context, page Page) (*Figure, error) {
	return mk.ages(ctx, page, "neighborhood", func(a *statistics.Ages) []statistics.AgesOf { return a.Neighborhoods }, mk.neighborhoodCell)
}

// SectorAges are the ages of open locations by sector.
func (mk *Maker) SectorAges(ctx context.Context, page Page) (*Figure, error) {
	return mk.ages(ctx, page, "sector", func(a *statistics.Ages) []statistics.AgesOf { return a.Sectors }, mk.sectorCell)
}

// ages are the ages of open locations by the values of a dimension.
func (mk *Maker) ages(
	ctx context.Context, page Page, dimension string, of func(*statistics.Ages) []statistics.AgesOf, name func(string) Cell,
) (*Figure, error) {
	snap := mk.Snapshot
	f := mk.figure(page, "ages", KindBoxes, "ages_"+dimension, mk.Source(snap))
	ages, ok, err := ReadSeries[statistics.Ages](ctx, mk, snap, statistics.SeriesAges)
	if err != nil || !ok {
		return f.lacks(mk), err
	}
	rows := slices.SortedStableFunc(slices.Values(of(&ages)), func(a, b statistics.AgesOf) int {
		return cmp.Or(known(b.Name)-known(a.Name), cmp.Compare(b.Median, a.Median), cmp.Compare(a.Name, b.Name))
	})
	f.Table = mk.table(f.Title, dimension, "#count", "#undated", "#min", "#q1", "#median", "#q3", "#max")
	chart := Boxes{Unit: mk.T("unit.years"), Categories: []string{}, Boxes: [][5]float64{}}
	add := func(cell Cell, a statistics.AgesOf, drawn bool) {
		cells := []Cell{cell, mk.cell(a.Count), mk.cell(a.Undated)}
		quantiles := [5]float64{a.Min, a.Q1, a.Median, a.Q3, a.Max}
		for _, q := range quantiles {
			if a.Count == 0 {
				cells = append(cells, mk.cell(nil))
			} else {
				cells = append(cells, mk.cell(q))
			}
		}
		f.Table.add(cells...)
		if a.Count > 0 && drawn {
			for i, q := range quantiles {
				quantiles[i] = round(q, 2)
			}
			chart.Categories = append(chart.Categories, cell.Text)
			chart.Boxes = append(chart.Boxes, quantiles)
		}
	}
	for _, a := range rows {
		add(name(a.Name), a, a.Name != "")
	}
	all := ages.All
	add(Cell{Value: "all", Text: mk.T("all")}, all, true)
	f.Chart = chart
	f.Notes = append(f.Notes, mk.T("note.ages", mk.Percent(all.Count, all.Count+all.Undated), all.Undated))
	return f, nil
}
