package mirror

import (
	"cmp"
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

// Life says where a document has the days of a row's life, beside the months
// that cleaning puts into facets: paths of dates. Without them what happens
// within one month cannot be put in order.
type Life struct {
	Start string
	Ends  []string // in order of preference: the first that is there counts
}

// classes of lives, as a pipeline numbers them.
const (
	censored = iota // open, or ended after the as-of date
	endedByOwner
	endedByAuthority
	noStart
	futureStart
	impossible
	undatedEnd
	beforeEntry
)

// statistics is what all rows say, as far as several series are made of it. Its
// keys are those of the groups that the server made.
type statistics struct {
	starts     map[nameMonth]startCounts // by neighborhood
	ends       map[nameMonth]endCounts
	lives      map[lifeKey]startCounts // by sector
	exits      map[exitKey]int64
	sectorEnds map[nameMonth]endCounts
	hexes      map[string]Totals
	totals     Totals // of all cells
	neighborhoods,
	sectors []string
	coverage Coverage
}

type nameMonth struct{ name, month string }

type lifeKey struct {
	sector, month string
	class         int64
}

type exitKey struct {
	sector string
	age    int64 // months
	class  int64
}

// startCounts are rows that started in a month: all, those that are open, those
// that stood at the beginning of the churn's span if they had started by then,
// and those with a sector and a district.
type startCounts struct{ rows, open, standing, sector, district int64 }

func (c startCounts) plus(o startCounts) startCounts {
	return startCounts{c.rows + o.rows, c.open + o.open, c.standing + o.standing, c.sector + o.sector, c.district + o.district}
}

// endCounts are rows that ended in a month.
type endCounts struct{ rows, admin, sector, district int64 }

func (c endCounts) plus(o endCounts) endCounts {
	return endCounts{c.rows + o.rows, c.admin + o.admin, c.sector + o.sector, c.district + o.district}
}

// tally counts all documents by expressions, none of which a document may
// lack, and adds up others, which are 0 or 1. See countBy for the limit.
func (m *Mirror) tally(ctx context.Context, by, sums bson.D, visit func(bson.Raw)) error {
	project := append(bson.D{{Key: "_id", Value: 0}}, by...)
	id := bson.D{}
	for _, e := range by {
		id = append(id, bson.E{Key: e.Key, Value: "$" + e.Key})
	}
	group := bson.D{{Key: "_id", Value: id}, {Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}}}
	for _, e := range sums {
		project = append(project, e)
		group = append(group, bson.E{Key: e.Key, Value: bson.D{{Key: "$sum", Value: "$" + e.Key}}})
	}
	return m.group(ctx, bson.A{
		bson.D{{Key: "$project", Value: project}},
		bson.D{{Key: "$limit", Value: int64(1) << 40}},
		bson.D{{Key: "$group", Value: group}},
	}, visit)
}

// one is 1 where a condition holds, else 0.
func one(condition any) bson.D {
	return bson.D{{Key: "$cond", Value: bson.A{condition, int32(1), int32(0)}}}
}

func isThere(field string) bson.D {
	return bson.D{{Key: "$ne", Value: bson.A{orNull(field), nil}}}
}

// spans are the times that statistics of a snapshot are about, as months.
type spans struct {
	asOf               time.Time
	now                string // the as-of date's month
	entry              string // first month of observation; empty: none
	churnFrom, churnTo string // inclusive
	firstOf            string // of the months of MonthsBy
	life               Life
}

func (in *SnapshotInput) spans(asOf time.Time) spans {
	month := time.Date(asOf.Year(), asOf.Month(), 1, 0, 0, 0, 0, time.UTC)
	back := func(n int) string { return month.AddDate(0, -n, 0).Format(monthLayout) }
	s := spans{
		asOf: asOf, now: back(0), churnFrom: back(churnMonths), churnTo: back(1), firstOf: back(monthsBack - 1), life: in.Life,
	}
	if !in.Entry.IsZero() {
		s.entry = in.Entry.Format(monthLayout)
	}
	return s
}

const (
	startMonth = "$facets.start_month"
	endMonth   = "$facets.end_month"
)

// standing says whether a row that had started before the churn's span was open
// at its beginning. One that closed nobody knows when was not.
func (s *spans) standing() bson.D {
	return bson.D{{Key: "$or", Value: bson.A{
		"$facets.open",
		bson.D{{Key: "$gte", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{endMonth, ""}}}, s.churnFrom}}},
	}}}
}

// class numbers what a row's life is to a curve of survival.
func (s *spans) class() bson.D {
	null := func(field string) bson.D { return bson.D{{Key: "$eq", Value: bson.A{orNull(field), nil}}} }
	gt := func(a, b any) bson.D { return bson.D{{Key: "$gt", Value: bson.A{a, b}}} }
	or := func(of ...any) bson.D { return bson.D{{Key: "$or", Value: bson.A(of)}} }
	future, backwards, late := gt(startMonth, s.now), gt(startMonth, endMonth), gt(endMonth, s.now)
	if s.life.Start != "" && len(s.life.Ends) > 0 {
		start := "$" + s.life.Start
		ends := bson.A{}
		for _, path := range s.life.Ends {
			ends = append(ends, "$"+path)
		}
		end := bson.D{{Key: "$ifNull", Value: append(ends, nil)}}
		future = or(future, gt(start, s.asOf))
		backwards = or(backwards, bson.D{{Key: "$and", Value: bson.A{
			bson.D{{Key: "$ne", Value: bson.A{end, nil}}}, gt(start, end),
		}}})
		late = or(late, gt(end, s.asOf))
	}
	branches := bson.A{}
	when := func(condition any, class int) {
		branches = append(branches, bson.D{{Key: "case", Value: condition}, {Key: "then", Value: int32(class)}})
	}
	when(null(startMonth), noStart)
	when(future, futureStart)
	when("$facets.open", censored)
	when(null(endMonth), undatedEnd)
	when(backwards, impossible)
	when(late, censored)
	if s.entry != "" {
		when(gt(s.entry, endMonth), beforeEntry)
	}
	when("$administratively_closed", endedByAuthority)
	return bson.D{{Key: "$switch", Value: bson.D{{Key: "branches", Value: branches}, {Key: "default", Value: int32(endedByOwner)}}}}
}

// lifetime is a row's age in months when it ended; null for one without both
// months.
func lifetime() bson.D {
	part := func(field string, from, length int) bson.D {
		return bson.D{{Key: "$toInt", Value: bson.D{{Key: "$substrBytes", Value: bson.A{field, from, length}}}}}
	}
	between := func(from, length int) bson.D {
		return bson.D{{Key: "$subtract", Value: bson.A{part(endMonth, from, length), part(startMonth, from, length)}}}
	}
	return bson.D{{Key: "$add", Value: bson.A{
		bson.D{{Key: "$multiply", Value: bson.A{int32(12), between(0, 4)}}}, between(5, 2),
	}}}
}

// count makes the server count everything that statistics are made of: each of
// these is one pass over all documents, two at a time.
func (m *Mirror) count(ctx context.Context, s spans, cells *[]cell) (*statistics, error) {
	c := &statistics{
		starts: map[nameMonth]startCounts{}, ends: map[nameMonth]endCounts{}, lives: map[lifeKey]startCounts{},
		exits: map[exitKey]int64{}, sectorEnds: map[nameMonth]endCounts{}, hexes: map[string]Totals{},
	}
	neighborhood, sector := orNull("$facets.neighborhood"), orNull("$facets.sector")
	with := bson.D{{Key: "sector", Value: one(isThere("$facets.sector"))}, {Key: "district", Value: one(isThere("$facets.district"))}}
	open := bson.E{Key: "open", Value: one("$facets.open")}
	standing := bson.E{Key: "standing", Value: one(s.standing())}
	admin := bson.E{Key: "admin", Value: one("$administratively_closed")}
	started := func(raw bson.Raw) startCounts {
		return startCounts{number(raw, "rows"), number(raw, "open"), number(raw, "standing"), number(raw, "sector"), number(raw, "district")}
	}
	ended := func(raw bson.Raw) endCounts {
		return endCounts{number(raw, "rows"), number(raw, "admin"), number(raw, "sector"), number(raw, "district")}
	}
	class := s.class()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(counters)
	pass := func(what string, by, sums bson.D, visit func(bson.Raw)) {
		group.Go(func() error {
			if err := m.tally(ctx, by, sums, visit); err != nil {
				return fmt.Errorf("count %s: %w", what, err)
			}
			return nil
		})
	}
	group.Go(func() (err error) { *cells, err = m.countCells(ctx); return err })
	pass("starts by neighborhood", bson.D{{Key: "v", Value: neighborhood}, {Key: "month", Value: orNull(startMonth)}},
		append(bson.D{open, standing}, with...), func(raw bson.Raw) {
			k := nameMonth{text(raw, "_id", "v"), text(raw, "_id", "month")}
			c.starts[k] = c.starts[k].plus(started(raw))
		})
	pass("lives by sector", bson.D{{Key: "v", Value: sector}, {Key: "month", Value: orNull(startMonth)}, {Key: "class", Value: class}},
		bson.D{open, standing}, func(raw bson.Raw) {
			k := lifeKey{text(raw, "_id", "v"), text(raw, "_id", "month"), number(raw, "_id", "class")}
			c.lives[k] = c.lives[k].plus(started(raw))
		})
	ends := bson.D{{Key: "$in", Value: bson.A{class, bson.A{int32(endedByOwner), int32(endedByAuthority)}}}}
	pass("ages at the end by sector", bson.D{
		{Key: "v", Value: sector}, {Key: "class", Value: class},
		{Key: "age", Value: bson.D{{Key: "$cond", Value: bson.A{ends, lifetime(), nil}}}},
	}, nil, func(raw bson.Raw) {
		k := exitKey{sector: text(raw, "_id", "v"), age: number(raw, "_id", "age"), class: number(raw, "_id", "class")}
		c.exits[k] += number(raw, "rows")
	})
	pass("ends by neighborhood", bson.D{{Key: "v", Value: neighborhood}, {Key: "month", Value: orNull(endMonth)}},
		append(bson.D{admin}, with...), func(raw bson.Raw) {
			k := nameMonth{text(raw, "_id", "v"), text(raw, "_id", "month")}
			c.ends[k] = c.ends[k].plus(ended(raw))
		})
	pass("ends by sector", bson.D{{Key: "v", Value: sector}, {Key: "month", Value: orNull(endMonth)}},
		bson.D{admin}, func(raw bson.Raw) {
			k := nameMonth{text(raw, "_id", "v"), text(raw, "_id", "month")}
			c.sectorEnds[k] = c.sectorEnds[k].plus(ended(raw))
		})
	adminClosed := bson.E{Key: "admin", Value: one(bson.D{{Key: "$and", Value: bson.A{
		"$administratively_closed", bson.D{{Key: "$not", Value: bson.A{"$facets.open"}}},
	}}})}
	pass("cells of the map", bson.D{{Key: "v", Value: orNull("$facets.cell")}}, bson.D{open, adminClosed}, func(raw bson.Raw) {
		name := text(raw, "_id", "v")
		t := Totals{Rows: number(raw, "rows"), Open: number(raw, "open"), AdministrativelyClosed: number(raw, "admin")}
		t.Closed = t.Rows - t.Open
		c.hexes[name] = c.hexes[name].plus(t)
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return c, c.finish(*cells)
}

// finish makes sure that all passes saw the same rows, and what is rolled up
// from the cells.
func (c *statistics) finish(cells []cell) error {
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
	for _, of := range cells {
		c.totals = c.totals.plus(of.Totals)
		neighborhoods[of.Neighborhood], sectors[of.Sector] = true, true
		cover(&c.coverage.All, of.Rows, of)
		cover(&c.coverage.Open, of.Open, of)
	}
	c.neighborhoods, c.sectors = slices.Sorted(maps.Keys(neighborhoods)), slices.Sorted(maps.Keys(sectors))
	var starts, lives startCounts
	for _, n := range c.starts {
		starts = starts.plus(n)
	}
	for _, n := range c.lives {
		lives = lives.plus(n)
	}
	var ends, sectorEnds endCounts
	for _, n := range c.ends {
		ends = ends.plus(n)
	}
	for _, n := range c.sectorEnds {
		sectorEnds = sectorEnds.plus(n)
	}
	var hexes Totals
	for _, t := range c.hexes {
		hexes = hexes.plus(t)
	}
	var exits int64
	for _, n := range c.exits {
		exits += n
	}
	rows := c.totals.Rows
	switch {
	case starts.rows != rows || lives.rows != rows || ends.rows != rows || sectorEnds.rows != rows || exits != rows:
		return fmt.Errorf("%w: %d rows by cells, %d and %d by start, %d and %d by end, %d by age", ErrUneven,
			rows, starts.rows, lives.rows, ends.rows, sectorEnds.rows, exits)
	case starts.open != c.totals.Open || lives.open != c.totals.Open || starts.standing != lives.standing || ends.admin != sectorEnds.admin:
		return fmt.Errorf("%w: neighborhoods and sectors do not add up to the same", ErrUneven)
	case hexes != c.totals:
		return fmt.Errorf("%w: the map's cells do not add up to the totals", ErrUneven)
	}
	return nil
}

// months are openings and closings by month, of all rows.
func (c *statistics) months() []Month {
	months := map[string]Month{}
	for k, n := range c.starts {
		mo := months[k.month]
		mo.Opened += n.rows
		months[k.month] = mo
	}
	for k, n := range c.ends {
		mo := months[k.month]
		mo.Closed += n.rows
		mo.AdministrativelyClosed += n.admin
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
	closings := func(ends map[nameMonth]endCounts, of map[string]*MonthsOf) {
		for k, n := range ends {
			if i, ok := at[k.month]; ok {
				of[k.name].Closed[i] += n.rows
				of[k.name].AdministrativelyClosed[i] += n.admin
			}
		}
	}
	neighborhoods, of := list(c.neighborhoods, true)
	for k, n := range c.starts {
		if i, ok := at[k.month]; ok {
			of[k.name].Opened[i] += n.rows
		}
	}
	closings(c.ends, of)
	sectors, of := list(c.sectors, false)
	closings(c.sectorEnds, of)
	by.Neighborhoods, by.Sectors = neighborhoods, sectors
	return by
}

// churn is how much changed within the last complete months.
func (c *statistics) churn(s spans) Churn {
	within := func(month string) bool { return s.churnFrom <= month && month <= s.churnTo }
	list := func(names []string) ([]Churned, map[string]*Churned) {
		rows := make([]Churned, len(names))
		of := make(map[string]*Churned, len(names))
		for i, name := range names {
			rows[i].Name = name
			of[name] = &rows[i]
		}
		return rows, of
	}
	start := func(to *Churned, month string, n startCounts) {
		switch {
		case month == "":
		case month < s.churnFrom:
			to.Open += n.standing
		case within(month):
			to.Opened += n.rows
		}
	}
	end := func(to *Churned, month string, n endCounts) {
		if within(month) {
			to.Closed += n.rows
			to.AdministrativelyClosed += n.admin
		}
	}
	churn := Churn{From: s.churnFrom, To: s.churnTo}
	neighborhoods, of := list(c.neighborhoods)
	for k, n := range c.starts {
		start(of[k.name], k.month, n)
		start(&churn.All, k.month, n)
	}
	for k, n := range c.ends {
		end(of[k.name], k.month, n)
		end(&churn.All, k.month, n)
	}
	sectors, of := list(c.sectors)
	for k, n := range c.lives {
		start(of[k.sector], k.month, n)
	}
	for k, n := range c.sectorEnds {
		end(of[k.name], k.month, n)
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
	neighborhoods, sectors, all := map[string]*counts{}, map[string]*counts{}, &counts{byAge: map[int]int64{}}
	add := func(to *counts, month string, open int64) {
		if age := now - monthNumber(month); month != "" && age >= 0 {
			to.byAge[age] += open
		} else {
			to.undated += open
		}
	}
	of := func(in map[string]*counts, name string) *counts {
		if in[name] == nil {
			in[name] = &counts{byAge: map[int]int64{}}
		}
		return in[name]
	}
	for k, n := range c.starts {
		add(of(neighborhoods, k.name), k.month, n.open)
		add(all, k.month, n.open)
	}
	for k, n := range c.lives {
		add(of(sectors, k.sector), k.month, n.open)
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
	list := func(names []string, in map[string]*counts) []AgesOf {
		rows := make([]AgesOf, len(names))
		for i, name := range names {
			rows[i] = describe(name, of(in, name))
		}
		return rows
	}
	return Ages{Neighborhoods: list(c.neighborhoods, neighborhoods), Sectors: list(c.sectors, sectors), All: describe("", all)}
}

// lives are what curves are made of: of all rows, or of a sector.
type lives struct {
	entered  []int64
	left     map[int64][]int64 // by class (censored, endedByOwner, endedByAuthority)
	rows     int64
	excluded Excluded
}

func (l *lives) enter(age int, n int64) { l.entered = bump(l.entered, age, n) }

func (l *lives) leave(class int64, age int, n int64) {
	l.left[class] = bump(l.left[class], age, n)
	l.rows += n
}

// bump adds to the count at an index, which may lie behind the end.
func bump(counts []int64, i int, n int64) []int64 {
	if missing := i + 1 - len(counts); missing > 0 {
		counts = append(counts, make([]int64, missing)...)
	}
	counts[i] += n
	return counts
}

// survival makes the curves of all rows and those of sectors, by series name.
func (c *statistics) survival(s spans) (map[string]Survival, error) {
	now, entry := monthNumber(s.now), 0
	if s.entry != "" {
		entry = monthNumber(s.entry)
	}
	all, sectors := &lives{left: map[int64][]int64{}}, map[string]*lives{}
	each := func(sector string, f func(*lives)) {
		if sectors[sector] == nil {
			sectors[sector] = &lives{left: map[int64][]int64{}}
		}
		f(all)
		f(sectors[sector])
	}
	for k, n := range c.lives {
		each(k.sector, func(l *lives) {
			switch k.class {
			case noStart:
				l.excluded.NoStart += n.rows
			case futureStart:
				l.excluded.FutureStart += n.rows
			case impossible:
				l.excluded.Impossible += n.rows
			case undatedEnd:
				l.excluded.ClosedWithoutDate += n.rows
			case beforeEntry:
				l.excluded.BeforeEntry += n.rows
			default:
				start := monthNumber(k.month)
				age := max(0, entry-start)
				if k.class == censored {
					if age > now-start {
						l.excluded.BeforeEntry += n.rows
						return
					}
					l.leave(censored, now-start, n.rows)
				}
				l.enter(age, n.rows)
			}
		})
	}
	for k, n := range c.exits {
		if k.class == endedByOwner || k.class == endedByAuthority {
			each(k.sector, func(l *lives) { l.leave(k.class, int(k.age), n) })
		}
	}
	curves := map[string]Survival{}
	top, err := all.survival(s)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(sectors)) {
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
		event   string
		classes []int64
	}{{EventClosed, []int64{endedByOwner}}, {EventAdministrative, []int64{endedByAuthority}}, {EventAny, []int64{endedByOwner, endedByAuthority}}} {
		var events, others []int64
		for class, counts := range l.left {
			for age, n := range counts {
				if slices.Contains(e.classes, class) {
					events = bump(events, age, n)
				} else {
					others = bump(others, age, n)
				}
			}
		}
		points, err := analytics.KaplanMeier(analytics.Lives{Entered: l.entered, Events: events, Censored: others})
		if err != nil {
			return Survival{}, fmt.Errorf("%w: survival: %w", ErrUneven, err)
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
	add := func(to map[string]*CoveredYear, month, neighborhood string, rows, sector, district int64) {
		year := month[:4]
		if to[year] == nil {
			to[year] = &CoveredYear{Year: year}
		}
		to[year].Rows += rows
		to[year].Sector += sector
		to[year].District += district
		if neighborhood != "" {
			to[year].Neighborhood += rows
		}
	}
	for k, n := range c.starts {
		if len(k.month) < 4 {
			c.coverage.NoStart += n.rows
			continue
		}
		add(openings, k.month, k.name, n.rows, n.sector, n.district)
	}
	for k, n := range c.ends {
		if len(k.month) >= 4 {
			add(closings, k.month, k.name, n.rows, n.sector, n.district)
		}
	}
	list := func(years map[string]*CoveredYear) []CoveredYear {
		rows := make([]CoveredYear, 0, len(years))
		for _, y := range years {
			rows = append(rows, *y)
		}
		slices.SortFunc(rows, func(a, b CoveredYear) int { return cmp.Compare(a.Year, b.Year) })
		return rows
	}
	coverage := c.coverage
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
