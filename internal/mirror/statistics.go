package mirror

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"padron/internal/analytics"
)

// Grid is the map's grid of hexagons.
type Grid struct {
	Size         float64 // center to corner, meters
	Width        float64 // side to side, meters
	MetersPerLon float64
	MetersPerLat float64
	Box          Box
	// Center is the center of a cell of facets.cell, in degrees.
	Center func(cell string) (lon, lat float64, err error)
}

// statistics is what all rows say, as far as several series are made of it: how
// many rows have which values, by what the server grouped.
type statistics struct {
	cells    []cell
	starts   map[startKey]int64
	ends     map[endKey]int64
	standing map[nameMonth]int64 // by neighborhood and start: closed rows that ended in the churn's span or later
	open     map[nameMonth]int64 // by sector and start: open rows
	lives    map[lifeKey]int64   // by sector: closed rows
	hexes    map[string]Totals

	totals        Totals
	neighborhoods []string
	sectors       []string
	coverage      Coverage // without years
}

type nameMonth struct{ name, month string }

// startKey is what is known of rows by the month they started in.
type startKey struct {
	neighborhood, month string
	district            int64
	open                bool
}

// endKey is what is known of closed rows by the month they ended in.
type endKey struct {
	neighborhood, month string
	district            int64
	admin               bool
}

// lifeKey is a closed row's life.
type lifeKey struct {
	sector, start, end string
	admin              bool
}

// tally counts the documents that match by the values that they have at some
// paths, and visits each combination, with the names of the paths in its _id.
// What a document lacks is absent from it.
//
// Of the ways to say so this one is the fastest on the local engine, which then
// walks a document once, and hashes: measured there on 368,000 documents, on a
// busy machine, 1.0 s against 10.6 s with an expression for each value. The
// limit is no limit, see countBy.
func (m *Mirror) tally(ctx context.Context, match bson.D, paths []string, visit func(id bson.Raw, rows int64)) error {
	return m.group(ctx, tallied(match, paths), func(raw bson.Raw) {
		id, _ := raw.Lookup("_id").DocumentOK()
		visit(id, number(raw, "rows"))
	})
}

// tallied is the pipeline of a tally.
func tallied(match bson.D, paths []string) bson.A {
	var pipeline bson.A
	if match != nil {
		pipeline = append(pipeline, bson.D{{Key: "$match", Value: match}})
	}
	fields := bson.D{{Key: "_id", Value: 0}}
	for _, path := range paths {
		fields = append(fields, bson.E{Key: path, Value: 1})
	}
	return append(pipeline,
		bson.D{{Key: "$project", Value: fields}},
		bson.D{{Key: "$limit", Value: int64(1) << 40}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$$ROOT"}, {Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	)
}

// tallyLives tallies all rows by sector, start, end and kind of end. Of the
// combinations, which are nearly as many as there are rows, those of one sector
// and start come in one document: that takes the local engine half the time, and
// all of San Francisco's are 6 MB.
func (m *Mirror) tallyLives(ctx context.Context, visit func(life lifeKey, open bool, rows int64)) error {
	packed := append(tallied(nil, []string{atSector, atStart, atEnd, atOpen, atAdmin}), bson.D{{Key: "$group", Value: bson.D{
		{Key: "_id", Value: bson.D{{Key: "sector", Value: "$_id." + atSector}, {Key: "start", Value: "$_id." + atStart}}},
		{Key: "of", Value: bson.D{{Key: "$push", Value: bson.D{
			{Key: "end", Value: "$_id." + atEnd}, {Key: "open", Value: "$_id." + atOpen}, {Key: "admin", Value: "$_id." + atAdmin}, {Key: "rows", Value: "$rows"},
		}}}},
	}}})
	return m.group(ctx, packed, func(raw bson.Raw) {
		of, _ := raw.Lookup("of").ArrayOK()
		each, _ := of.Values() // what is no array has no rows, and the sums are checked
		for _, v := range each {
			one, _ := v.DocumentOK()
			life := lifeKey{text(raw, "_id", "sector"), text(raw, "_id", "start"), text(one, "end"), truth(one, "admin")}
			visit(life, truth(one, "open"), number(one, "rows"))
		}
	})
}

// Paths that are counted by.
const (
	atNeighborhood = "facets.neighborhood"
	atSector       = "facets.sector"
	atDistrict     = "facets.district"
	atStart        = "facets.start_month"
	atEnd          = "facets.end_month"
	atOpen         = "facets.open"
	atCell         = "facets.cell"
	atAdmin        = "administratively_closed"
)

func facet(id bson.Raw, name string) string { return text(id, "facets", name) }

func truth(id bson.Raw, path ...string) bool {
	b, _ := id.Lookup(path...).BooleanOK()
	return b
}

// spans are the times that statistics of a snapshot are about, as months.
type spans struct {
	now                string // the as-of date's month
	entry              string // first month of observation; empty: none
	churnFrom, churnTo string // inclusive
	firstOf            string // of the months of MonthsBy
}

func (in *SnapshotInput) spans(asOf time.Time) spans {
	month := time.Date(asOf.Year(), asOf.Month(), 1, 0, 0, 0, 0, time.UTC)
	back := func(n int) string { return month.AddDate(0, -n, 0).Format(monthLayout) }
	s := spans{now: back(0), churnFrom: back(churnMonths), churnTo: back(1), firstOf: back(monthsBack - 1)}
	if !in.Entry.IsZero() {
		s.entry = in.Entry.Format(monthLayout)
	}
	return s
}

// count makes the server count everything that statistics are made of, in
// passes over the documents, two at a time.
func (m *Mirror) count(ctx context.Context, s spans) (*statistics, error) {
	c := &statistics{
		starts: map[startKey]int64{}, ends: map[endKey]int64{}, standing: map[nameMonth]int64{}, open: map[nameMonth]int64{},
		lives: map[lifeKey]int64{}, hexes: map[string]Totals{},
	}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(counters)
	pass := func(what string, match bson.D, paths []string, visit func(id bson.Raw, rows int64)) {
		group.Go(func() error {
			if err := m.tally(gctx, match, paths, visit); err != nil {
				return fmt.Errorf("count %s: %w", what, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		err := m.tallyLives(gctx, func(life lifeKey, open bool, rows int64) {
			if open {
				c.open[nameMonth{life.sector, life.start}] += rows
				return
			}
			c.lives[life] += rows
		})
		if err != nil {
			return fmt.Errorf("count lives: %w", err)
		}
		return nil
	})
	pass("starts", nil, []string{atNeighborhood, atDistrict, atStart, atOpen}, func(id bson.Raw, rows int64) {
		c.starts[startKey{facet(id, "neighborhood"), facet(id, "start_month"), number(id, "facets", "district"), truth(id, "facets", "open")}] += rows
	})
	// Of what is open there are few groups. To leave it out takes the local engine
	// longer than to count it.
	pass("ends", nil, []string{atNeighborhood, atDistrict, atEnd, atOpen, atAdmin}, func(id bson.Raw, rows int64) {
		if !truth(id, "facets", "open") {
			c.ends[endKey{facet(id, "neighborhood"), facet(id, "end_month"), number(id, "facets", "district"), truth(id, atAdmin)}] += rows
		}
	})
	pass("recent ends", bson.D{{Key: atEnd, Value: bson.D{{Key: "$gte", Value: s.churnFrom}}}}, []string{atNeighborhood, atStart}, func(id bson.Raw, rows int64) {
		c.standing[nameMonth{facet(id, "neighborhood"), facet(id, "start_month")}] += rows
	})
	pass("cells", nil, []string{atNeighborhood, atSector, atDistrict, atOpen, atAdmin}, func(id bson.Raw, rows int64) {
		of := cell{Neighborhood: facet(id, "neighborhood"), Sector: facet(id, "sector"), District: number(id, "facets", "district")}
		of.Totals = totalsOf(id, rows)
		c.cells = append(c.cells, of)
	})
	pass("cells of the map", nil, []string{atCell, atOpen, atAdmin}, func(id bson.Raw, rows int64) {
		c.hexes[facet(id, "cell")] = c.hexes[facet(id, "cell")].plus(totalsOf(id, rows))
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	// Null and "" are both unknown, and an engine may tell 3 from 3.0.
	c.cells = merged(c.cells)
	return c, c.finish()
}

// totalsOf are the totals of rows that are open or closed alike.
func totalsOf(id bson.Raw, rows int64) Totals {
	switch {
	case truth(id, "facets", "open"):
		return Totals{Rows: rows, Open: rows}
	case truth(id, atAdmin):
		return Totals{Rows: rows, Closed: rows, AdministrativelyClosed: rows}
	default:
		return Totals{Rows: rows, Closed: rows}
	}
}

// finish makes sure that all passes saw the same rows, and rolls up the cells.
func (c *statistics) finish() error {
	neighborhoods, sectors := map[string]bool{}, map[string]bool{}
	cover := func(to *Covered, n int64, of cell) {
		to.Rows += n
		if of.Neighborhood != "" {
			to.Neighborhood += n
		}
		if of.Sector != "" {
			to.Sector += n
		}
		if of.District != 0 {
			to.District += n
		}
	}
	for _, of := range c.cells {
		c.totals = c.totals.plus(of.Totals)
		neighborhoods[of.Neighborhood], sectors[of.Sector] = true, true
		cover(&c.coverage.All, of.Rows, of)
		cover(&c.coverage.Open, of.Open, of)
	}
	c.neighborhoods, c.sectors = slices.Sorted(maps.Keys(neighborhoods)), slices.Sorted(maps.Keys(sectors))
	var hexes Totals
	for _, t := range c.hexes {
		hexes = hexes.plus(t)
	}
	for what, is := range map[string][2]int64{
		"starts":           {sum(c.starts), c.totals.Rows},
		"ends":             {sum(c.ends), c.totals.Closed},
		"open rows":        {sum(c.open), c.totals.Open},
		"lives":            {sum(c.lives), c.totals.Closed},
		"cells of the map": {hexes.Rows, c.totals.Rows},
		"open in the map":  {hexes.Open, c.totals.Open},
	} {
		if is[0] != is[1] {
			return fmt.Errorf("%w: %s add up to %d, expected %d", ErrUneven, what, is[0], is[1])
		}
	}
	for k := range c.starts {
		if !neighborhoods[k.neighborhood] {
			return fmt.Errorf("%w: a neighborhood %q came", ErrUneven, k.neighborhood)
		}
	}
	for k := range c.ends {
		if !neighborhoods[k.neighborhood] {
			return fmt.Errorf("%w: a neighborhood %q came", ErrUneven, k.neighborhood)
		}
	}
	for k := range c.standing {
		if !neighborhoods[k.name] {
			return fmt.Errorf("%w: a neighborhood %q came", ErrUneven, k.name)
		}
	}
	for k := range c.open {
		if !sectors[k.name] {
			return fmt.Errorf("%w: a sector %q came", ErrUneven, k.name)
		}
	}
	for k := range c.lives {
		if !sectors[k.sector] {
			return fmt.Errorf("%w: a sector %q came", ErrUneven, k.sector)
		}
	}
	return nil
}

func sum[K comparable](counts map[K]int64) int64 {
	var n int64
	for _, rows := range counts {
		n += rows
	}
	return n
}

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

// churn is how much changed within the last complete months. What stood at their
// beginning is what had started before and is open, or ended since; a row that
// closed nobody knows when is not in it.
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

// lives are what curves are made of: of all rows, or of a sector. Numbers are
// by age in months.
type lives struct {
	entered  []int64
	censored []int64
	closed   []int64
	admin    []int64
	rows     int64
	excluded Excluded
}

// add puts rows with the same life into its place.
func (l *lives) add(s spans, start, end string, open, admin bool, rows int64) {
	now := s.now
	switch {
	case start == "":
		l.excluded.NoStart += rows
		return
	case start > now:
		l.excluded.FutureStart += rows
		return
	case open:
		end = now
	case end == "":
		l.excluded.ClosedWithoutDate += rows
		return
	case end < start:
		l.excluded.Impossible += rows
		return
	case end > now:
		end, open = now, true
	}
	entry := max(start, s.entry)
	if end < entry {
		l.excluded.BeforeEntry += rows
		return
	}
	born := monthNumber(start)
	l.entered = bump(l.entered, monthNumber(entry)-born, rows)
	l.rows += rows
	switch age := monthNumber(end) - born; {
	case open:
		l.censored = bump(l.censored, age, rows)
	case admin:
		l.admin = bump(l.admin, age, rows)
	default:
		l.closed = bump(l.closed, age, rows)
	}
}

// bump adds to the count at an index, which may lie behind the end.
func bump(counts []int64, i int, n int64) []int64 {
	if missing := i + 1 - len(counts); missing > 0 {
		counts = append(counts, make([]int64, missing)...)
	}
	counts[i] += n
	return counts
}

// both adds up two lists of counts.
func both(a, b []int64) []int64 {
	out := make([]int64, max(len(a), len(b)))
	copy(out, a)
	for i, n := range b {
		out[i] += n
	}
	return out
}

// survival makes the curves of all rows and those of sectors, by series name.
func (c *statistics) survival(s spans) (map[string]Survival, error) {
	all, sectors := &lives{}, map[string]*lives{}
	for _, name := range c.sectors {
		sectors[name] = &lives{}
	}
	for k, rows := range c.open {
		all.add(s, k.month, "", true, false, rows)
		sectors[k.name].add(s, k.month, "", true, false, rows)
	}
	for k, rows := range c.lives {
		all.add(s, k.start, k.end, false, k.admin, rows)
		sectors[k.sector].add(s, k.start, k.end, false, k.admin, rows)
	}
	curves := map[string]Survival{}
	top, err := all.survival(s)
	if err != nil {
		return nil, err
	}
	for _, name := range c.sectors {
		if sectors[name].rows < survivalRows {
			continue
		}
		top.Sectors = append(top.Sectors, name)
		if curves[SeriesSurvivalOf(name)], err = sectors[name].survival(s); err != nil {
			return nil, err
		}
	}
	curves[SeriesSurvival] = top
	return curves, nil
}

func (l *lives) survival(s spans) (Survival, error) {
	of := Survival{Entry: s.entry, AsOf: s.now, Rows: l.rows, Excluded: l.excluded, Sectors: []string{}}
	for _, e := range []struct {
		event          string
		events, others []int64
	}{
		{EventClosed, l.closed, both(l.admin, l.censored)},
		{EventAdministrative, l.admin, both(l.closed, l.censored)},
		{EventAny, both(l.closed, l.admin), l.censored},
	} {
		points, err := analytics.KaplanMeier(analytics.Lives{Entered: l.entered, Events: e.events, Censored: e.others})
		if err != nil {
			return Survival{}, fmt.Errorf("survival: %w", err)
		}
		of.Curves = append(of.Curves, curve(e.event, points))
	}
	return of, nil
}

// curve packs points, as far as there are enough rows at risk.
func curve(event string, points []analytics.Point) Curve {
	c := Curve{
		Event: event, AgeMonths: []int32{}, AtRisk: []int64{}, Closed: []int64{}, Censored: []int64{},
		Survival: []float64{}, Low95: []*float64{}, High95: []*float64{},
	}
	end := slices.IndexFunc(points, func(p analytics.Point) bool { return p.Age > survivalAges || p.AtRisk < survivalRisk })
	if end >= 0 {
		points = points[:end]
	}
	for _, p := range points {
		c.AgeMonths = append(c.AgeMonths, int32(p.Age))
		c.AtRisk = append(c.AtRisk, p.AtRisk)
		c.Closed = append(c.Closed, p.Events)
		c.Censored = append(c.Censored, p.Censored)
		c.Survival = append(c.Survival, p.Survival)
		c.Low95 = append(c.Low95, orNone(p.Low))
		c.High95 = append(c.High95, orNone(p.High))
	}
	if age, ok := analytics.Median(points); ok {
		median := int32(age)
		c.Median = &median
	}
	return c
}

func orNone(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// hexMap are the cells of the map.
func (c *statistics) hexMap(g *Grid) (Hexes, error) {
	h := Hexes{Size: g.Size, Width: g.Width, MetersPerLon: g.MetersPerLon, MetersPerLat: g.MetersPerLat, Box: g.Box, Cells: []Hex{}}
	for _, id := range slices.Sorted(maps.Keys(c.hexes)) {
		t := c.hexes[id]
		if id == "" {
			h.Unlocated = t
			continue
		}
		lon, lat, err := g.Center(id)
		if err != nil {
			return Hexes{}, err
		}
		h.Cells = append(h.Cells, Hex{Cell: id, Lon: lon, Lat: lat, Open: t.Open, Closed: t.Closed})
	}
	return h, nil
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
	place := func(y *CoveredYear, neighborhood string, district, rows int64) {
		y.Rows += rows
		if neighborhood != "" {
			y.Neighborhood += rows
		}
		if district != 0 {
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
