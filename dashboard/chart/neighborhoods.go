package chart

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"padron/internal/analytics"
	"padron/internal/statistics"
)

// known is 1 for a name and 0 for "": it sorts rows without a name last, as
// they are nothing to compare with.
func known(name string) int {
	if name == "" {
		return 0
	}
	return 1
}

// mostOpen orders rows by their open locations, the most first.
func mostOpen(a, b statistics.Tallied) int {
	return cmp.Or(known(b.Name)-known(a.Name), cmp.Compare(b.Open, a.Open), cmp.Compare(a.Name, b.Name))
}

// NeighborhoodBars are the open locations of each neighborhood.
func (mk *Maker) NeighborhoodBars(ctx context.Context, page Page) (*Figure, error) {
	snap := mk.Snapshot
	f := mk.figure(page, "neighborhoods", KindBars, "neighborhoods", mk.Source(snap))
	rows, ok, err := ReadSeries[[]statistics.Tallied](ctx, mk, snap, statistics.SeriesNeighborhood)
	if err != nil || !ok {
		return f.lacks(mk), err
	}
	rows = slices.SortedStableFunc(slices.Values(rows), mostOpen)
	f.Table = mk.table(f.Title, "neighborhood", "#open", "#closed", "#administratively_closed")
	chart := Bars{Unit: mk.T("unit.locations"), Series: []Series{{Name: mk.T("column.open"), Type: CurveBar}}}
	var named, all int64
	for _, row := range rows {
		all += row.Open
		cell := mk.neighborhoodCell(row.Name)
		if row.Name != "" {
			named += row.Open
			chart.add(cell, row.Open)
		}
		f.Table.add(cell, mk.cell(row.Open), mk.cell(row.Closed), mk.cell(row.AdministrativelyClosed))
	}
	f.Chart = chart
	f.Notes = append(f.Notes, mk.T("note.neighborhood", mk.Percent(named, all), all-named))
	return f, nil
}

// Orders are the orders of the ranking of neighborhoods, the default first.
func Orders() []string { return []string{"open", "opened", "closed", "churn", "name"} }

// ranked is a neighborhood with what happened in it in twelve months.
type ranked struct {
	statistics.Tallied
	change statistics.Churned
	rate   *float64 // nil: unknown
}

// Ranking compares neighborhoods, in one of the Orders. address is the page's
// address with a parameter set.
func (mk *Maker) Ranking(order string, address func(name, value string) string) Make {
	return func(ctx context.Context, page Page) (*Figure, error) {
		snap := mk.Snapshot
		f := mk.figure(page, "ranking", "", "ranking", mk.Source(snap))
		rows, ok, err := ReadSeries[[]statistics.Tallied](ctx, mk, snap, statistics.SeriesNeighborhood)
		if err != nil || !ok {
			return f.lacks(mk), err
		}
		churn, hasChurn, err := ReadSeries[statistics.Churn](ctx, mk, snap, statistics.SeriesChurn)
		if err != nil {
			return nil, err
		}
		if hasChurn {
			f.Notes = append(f.Notes, mk.T("note.churn", churn.From, churn.To))
			f.Table = mk.table(f.Title, "neighborhood", "#open", "#opened_year", "#closed_year", "#administratively_closed_year", "#churn")
		} else {
			f.Notes = append(f.Notes, mk.T("note.nochurn"))
			f.Table = mk.table(f.Title, "neighborhood", "#open", "#closed")
		}
		f.sortable(order, address)
		for _, row := range rank(rows, churn.Neighborhoods, hasChurn, order) {
			cells := []Cell{mk.neighborhoodCell(row.Name), mk.cell(row.Open)}
			if hasChurn {
				c := row.change
				cells = append(cells, mk.cell(c.Opened), mk.cell(c.Closed), mk.cell(c.AdministrativelyClosed), mk.rate(row.rate))
			} else {
				cells = append(cells, mk.cell(row.Closed))
			}
			f.Table.add(cells...)
		}
		return f, nil
	}
}

// rank puts neighborhoods in an order. Rows without a neighborhood are left
// out.
func rank(rows []statistics.Tallied, year []statistics.Churned, hasChurn bool, order string) []ranked {
	changes := changesOf(year)
	var list []ranked
	for _, row := range rows {
		if row.Name != "" {
			c := changes[row.Name]
			list = append(list, ranked{row, c, rateOf(c, hasChurn)})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		c := 0
		switch order {
		case "open":
			c = cmp.Compare(b.Open, a.Open)
		case "opened":
			c = cmp.Compare(b.change.Opened, a.change.Opened)
		case "closed":
			c = cmp.Compare(b.change.Closed, a.change.Closed)
		case "churn":
			c = cmp.Compare(orLess(b.rate), orLess(a.rate))
		}
		return cmp.Or(c, strings.Compare(a.Name, b.Name))
	})
	return list
}

// sortable links the columns of the ranking to the page in their order.
func (f *Figure) sortable(order string, address func(name, value string) string) {
	orders := map[string]string{
		"neighborhood": "name", "open": "open", "opened_year": "opened", "closed_year": "closed", "churn": "churn",
	}
	for i := range f.Table.Columns {
		column := &f.Table.Columns[i]
		by, ok := orders[column.Key]
		if !ok {
			continue
		}
		column.Sort = address("sort", by) + "#" + f.ID
		switch {
		case by != order:
		case by == "name":
			column.Sorted = "ascending"
		default:
			column.Sorted = "descending"
		}
	}
}

// changesOf are the changes of twelve months by name.
func changesOf(year []statistics.Churned) map[string]statistics.Churned {
	by := make(map[string]statistics.Churned, len(year))
	for _, c := range year {
		by[c.Name] = c
	}
	return by
}

// rateOf is a churn's rate; nil where there is none.
func rateOf(c statistics.Churned, has bool) *float64 {
	if rate, ok := analytics.Churn(c.Open, c.Closed); has && ok {
		return &rate
	}
	return nil
}

// orLess sorts unknown rates after all others.
func orLess(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}
