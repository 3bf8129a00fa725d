package statistics

import (
	"maps"
	"slices"
	"time"

	"padron/internal/analytics"
)

// months are openings and closings by month, of all rows.
func (c *statistics) months() []Month {
	months := map[string]Month{}
	for k, rows := range c.starts {
		mo := months[k.month]
		mo.Opened += rows
		months[k.month] = mo
	}
	for k, rows := range c.ends {
		mo := months[k.month]
		mo.Closed += rows
		if k.admin {
			mo.AdministrativelyClosed += rows
		}
		months[k.month] = mo
	}
	delete(months, "") // what has no month
	out := make([]Month, 0, len(months))
	for _, name := range slices.Sorted(maps.Keys(months)) {
		mo := months[name]
		mo.Month = name
		out = append(out, mo)
	}
	return out
}

// monthsBy are openings and closings of the last months by dimension.
func (c *statistics) monthsBy(s spans) MonthsBy {
	by := MonthsBy{Months: monthsBetween(s.firstOf, s.now)}
	at := make(map[string]int, len(by.Months))
	for i, name := range by.Months {
		at[name] = i
	}
	list := func(names []string, opened bool) ([]MonthsOf, map[string]*MonthsOf) {
		rows := make([]MonthsOf, len(names))
		of := make(map[string]*MonthsOf, len(names))
		for i, name := range names {
			rows[i] = MonthsOf{Name: name, Closed: make([]int64, len(by.Months)), AdministrativelyClosed: make([]int64, len(by.Months))}
			if opened {
				rows[i].Opened = make([]int64, len(by.Months))
			}
			of[name] = &rows[i]
		}
		return rows, of
	}
	end := func(of *MonthsOf, month string, admin bool, rows int64) {
		i, ok := at[month]
		if !ok {
			return
		}
		of.Closed[i] += rows
		if admin {
			of.AdministrativelyClosed[i] += rows
		}
	}
	neighborhoods, of := list(c.neighborhoods, true)
	for k, rows := range c.starts {
		if i, ok := at[k.month]; ok {
			of[k.neighborhood].Opened[i] += rows
		}
	}
	for k, rows := range c.ends {
		end(of[k.neighborhood], k.month, k.admin, rows)
	}
	sectors, of := list(c.sectors, false)
	for k, rows := range c.lives {
		end(of[k.sector], k.end, k.admin, rows)
	}
	by.Neighborhoods, by.Sectors = neighborhoods, sectors
	return by
}

// churn is how much changed within the last complete months. What stood at
// their beginning is what had started before and is open, or ended since; a row
// that closed nobody knows when is not in it.
func (c *statistics) churn(s spans) Churn {
	within := func(month string) bool { return s.churnFrom <= month && month <= s.churnTo }
	before := func(month string) bool { return month != "" && month < s.churnFrom }
	list := func(names []string) ([]Churned, map[string]*Churned) {
		rows := make([]Churned, len(names))
		of := make(map[string]*Churned, len(names))
		for i, name := range names {
			rows[i].Name = name
			of[name] = &rows[i]
		}
		return rows, of
	}
	start := func(of *Churned, month string, stands bool, rows int64) {
		if stands && before(month) {
			of.Open += rows
		}
		if within(month) {
			of.Opened += rows
		}
	}
	end := func(of *Churned, month string, admin bool, rows int64) {
		if !within(month) {
			return
		}
		of.Closed += rows
		if admin {
			of.AdministrativelyClosed += rows
		}
	}
	churn := Churn{From: s.churnFrom, To: s.churnTo}
	neighborhoods, of := list(c.neighborhoods)
	for k, rows := range c.starts {
		start(of[k.neighborhood], k.month, k.open, rows)
		start(&churn.All, k.month, k.open, rows)
	}
	for k, rows := range c.standing {
		if before(k.month) {
			of[k.name].Open += rows
			churn.All.Open += rows
		}
	}
	for k, rows := range c.ends {
		end(of[k.neighborhood], k.month, k.admin, rows)
		end(&churn.All, k.month, k.admin, rows)
	}
	sectors, of := list(c.sectors)
	for k, rows := range c.open {
		start(of[k.name], k.month, true, rows)
	}
	for k, rows := range c.lives {
		start(of[k.sector], k.start, k.end >= s.churnFrom, rows)
		end(of[k.sector], k.end, k.admin, rows)
	}
	churn.Neighborhoods, churn.Sectors = neighborhoods, sectors
	return churn
}

// ages are the ages of open rows.
func (c *statistics) ages(s spans) Ages {
	now := monthNumber(s.now)
	type counts struct {
		byAge   map[int]int64
		undated int64
	}
	newCounts := func() *counts { return &counts{byAge: map[int]int64{}} }
	neighborhoods, sectors, all := map[string]*counts{}, map[string]*counts{}, newCounts()
	for _, name := range c.neighborhoods {
		neighborhoods[name] = newCounts()
	}
	for _, name := range c.sectors {
		sectors[name] = newCounts()
	}
	add := func(to *counts, month string, rows int64) {
		if age := now - monthNumber(month); month != "" && age >= 0 {
			to.byAge[age] += rows
		} else {
			to.undated += rows
		}
	}
	for k, rows := range c.starts {
		if k.open {
			add(neighborhoods[k.neighborhood], k.month, rows)
			add(all, k.month, rows)
		}
	}
	for k, rows := range c.open {
		add(sectors[k.name], k.month, rows)
	}
	describe := func(name string, c *counts) AgesOf {
		a := AgesOf{Name: name, Undated: c.undated}
		for _, n := range c.byAge {
			a.Count += n
		}
		if q := analytics.Quantiles(c.byAge, 0, 0.25, 0.5, 0.75, 1); q != nil {
			a.Min, a.Q1, a.Median, a.Q3, a.Max = q[0]/12, q[1]/12, q[2]/12, q[3]/12, q[4]/12
		}
		return a
	}
	list := func(names []string, of map[string]*counts) []AgesOf {
		rows := make([]AgesOf, len(names))
		for i, name := range names {
			rows[i] = describe(name, of[name])
		}
		return rows
	}
	return Ages{Neighborhoods: list(c.neighborhoods, neighborhoods), Sectors: list(c.sectors, sectors), All: describe("", all)}
}

// covered is the coverage by year of opening and closing.
func (c *statistics) covered() Coverage {
	openings, closings := map[string]*CoveredYear{}, map[string]*CoveredYear{}
	of := func(years map[string]*CoveredYear, month string) *CoveredYear {
		year := month[:min(len(month), 4)]
		if years[year] == nil {
			years[year] = &CoveredYear{Year: year}
		}
		return years[year]
	}
	place := func(y *CoveredYear, neighborhood string, district District, rows int64) {
		y.Rows += rows
		if neighborhood != "" {
			y.Neighborhood += rows
		}
		if district != "" {
			y.District += rows
		}
	}
	for k, rows := range c.starts {
		place(of(openings, k.month), k.neighborhood, k.district, rows)
	}
	for k, rows := range c.ends {
		place(of(closings, k.month), k.neighborhood, k.district, rows)
	}
	for k, rows := range c.open {
		if k.name != "" {
			of(openings, k.month).Sector += rows
		}
	}
	for k, rows := range c.lives {
		if k.sector != "" {
			of(openings, k.start).Sector += rows
			of(closings, k.end).Sector += rows
		}
	}
	coverage := c.coverage
	if none := openings[""]; none != nil {
		coverage.NoStart = none.Rows
	}
	list := func(years map[string]*CoveredYear) []CoveredYear {
		delete(years, "") // what has no month
		rows := make([]CoveredYear, 0, len(years))
		for _, year := range slices.Sorted(maps.Keys(years)) {
			rows = append(rows, *years[year])
		}
		return rows
	}
	coverage.Openings, coverage.Closings = list(openings), list(closings)
	return coverage
}

// monthNumber numbers months as facets write them; 0 of anything else.
func monthNumber(month string) int {
	t, err := time.Parse(monthLayout, month)
	if err != nil {
		return 0
	}
	return t.Year()*12 + int(t.Month())
}

// monthsBetween are the months from one to another, both included.
func monthsBetween(first, last string) []string {
	months := []string{}
	t, err := time.Parse(monthLayout, first)
	if err != nil {
		return months
	}
	for ; ; t = t.AddDate(0, 1, 0) {
		name := t.Format(monthLayout)
		if name > last {
			return months
		}
		months = append(months, name)
	}
}
