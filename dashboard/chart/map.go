package chart

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"padron/internal/statistics"
)

// Map is the map of open locations in hexagons. It is made once for all
// requests.
func (mk *Maker) Map() Make { return mk.once("map", mk.hexagons) }

func (mk *Maker) hexagons(ctx context.Context, page Page) (*Figure, error) {
	snap := mk.Snapshot
	f := mk.figure(page, "map", KindHexbin, "map", mk.Source(snap))
	if mk.Hidden("facets.cell") {
		return f.lacks(mk), nil
	}
	hexes, ok, err := ReadSeries[statistics.Hexes](ctx, mk, snap, statistics.SeriesHexes)
	if err != nil || !ok {
		return f.lacks(mk), err
	}
	cells := slices.SortedStableFunc(slices.Values(hexes.Cells), func(a, b statistics.Hex) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.Cell, b.Cell))
	})
	chart := Hexbin{
		Size: hexes.Size, MetersPerLon: hexes.MetersPerLon, MetersPerLat: hexes.MetersPerLat,
		Unit: mk.T("unit.locations"), Box: Box{hexes.Box.West, hexes.Box.South, hexes.Box.East, hexes.Box.North}, Cells: [][3]float64{},
	}
	f.Table = mk.table(f.Title, "cell", "#lon", "#lat", "#open", "#closed")
	var open int64
	for _, c := range cells {
		open += c.Open
		f.Table.add(Cell{Value: c.Cell, Text: c.Cell}, mk.coordinate(c.Lon), mk.coordinate(c.Lat), mk.cell(c.Open), mk.cell(c.Closed))
		if c.Open > 0 {
			chart.Cells = append(chart.Cells, [3]float64{round(c.Lon, 6), round(c.Lat, 6), float64(c.Open)})
		}
	}
	unlocated := hexes.Unlocated.Open
	f.Notes = append(f.Notes, mk.T("note.map", mk.Percent(open, open+unlocated), unlocated, int64(hexes.Width)))
	err = mk.outlineMap(ctx, f, &chart)
	f.Chart = chart
	return f, err
}

// outlineMap adds the boundaries to the map, as far as they lie within its box.
func (mk *Maker) outlineMap(ctx context.Context, f *Figure, chart *Hexbin) error {
	o, err := mk.Boundaries(ctx)
	if err != nil || o == nil {
		return err
	}
	box := chart.Box
	chart.Outlines = &Outlines{
		Href: mk.shared(DataPath(".json", "boundaries") + "?lang=" + mk.Lang + "&v=" + o.Version),
		Box: Box{
			round(max(o.bound.Left(), box[0]), 5), round(max(o.bound.Bottom(), box[1]), 5),
			round(min(o.bound.Right(), box[2]), 5), round(min(o.bound.Top(), box[3]), 5),
		},
	}
	spec := mk.Spec.Boundaries
	day := o.updated.Format(time.DateOnly)
	f.Notes = append(f.Notes, mk.T("note.boundaries", o.areas, spec.Title, spec.Attribution, day, spec.License))
	if len(o.lacking) > 0 {
		f.Notes = append(f.Notes, mk.T("note.boundaries.lacking", len(o.lacking), someNames(o.lacking)))
	}
	if len(o.only) > 0 {
		f.Notes = append(f.Notes, mk.T("note.boundaries.only", len(o.only), someNames(o.only)))
	}
	return nil
}

// namesShown is how many names a note lists.
const namesShown = 5

// someNames lists the first few.
func someNames(names []string) string {
	if len(names) <= namesShown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:namesShown], ", ") + ", …"
}
