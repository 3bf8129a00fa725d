package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"padron/internal/mirror"
)

const (
	// defaultSince is where charts by month begin unless they are asked to begin
	// elsewhere: before, few of what closed is in the register.
	defaultYears = 25

	// provisionalMonths is for how many months openings are still to come in:
	// registrations are late, and backdated.
	provisionalMonths = 3

	// historyAtMost bounds the snapshots of a chart of the past: eighty years
	// of months.
	historyAtMost = 1000
)

// overviewData is what the first page shows besides its charts.
type overviewData struct {
	Fresh   *freshness
	Totals  mirror.Totals
	Figures []*Figure
}

// freshness says how new the mirror is, and what proves it.
type freshness struct {
	Proof       mirror.Run // zero: none
	Stale       bool
	Limit       time.Duration
	Certificate mirror.Run  // newest run that ended with one; zero: none
	Running     *mirror.Run // nil: none
}

func (r *request) freshness() *freshness {
	f := &freshness{
		Proof: r.state.proof, Stale: r.state.stale, Limit: r.server.Spec.Schedule.Freshness, Certificate: r.state.certificate,
		Running: r.running(),
	}
	return f
}

// State is how things are, in a word: stale, or as the newest proof or
// certificate says, whichever is newer.
func (f *freshness) State() string {
	switch {
	case f.Stale:
		return "stale"
	case f.Certificate.Started.After(f.Proof.Started):
		return string(f.Certificate.Certificate.Outcome)
	default:
		return string(mirror.OutcomeGreen)
	}
}

// needSnapshot is an error before the first snapshot.
func (r *request) needSnapshot() error {
	if r.state.snapshot.ID == "" {
		return &failure{status: 503, key: "nosnapshot"}
	}
	return nil
}

func (r *request) overview() (*view, error) {
	if err := r.needSnapshot(); err != nil {
		return nil, err
	}
	figures, err := r.overviewFigures()
	if err != nil {
		return nil, err
	}
	return &view{
		template: "overview", title: r.t("title.overview", r.server.Spec.Title), figures: figures,
		data: overviewData{Fresh: r.freshness(), Totals: r.state.snapshot.Totals, Figures: figures},
	}, nil
}

func (r *request) overviewFigures() ([]*Figure, error) {
	return r.all("overview", r.neighborhoodBars, r.monthLines,
		r.kept("history", (*request).historyLines), r.kept("map", (*request).mapCells), r.ranking)
}

// neighborhoodBars are the open locations of each neighborhood.
func (r *request) neighborhoodBars(page string) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "neighborhoods", "bars", "neighborhoods", r.source(snap))
	rows, ok, err := series[[]mirror.Tallied](r, snap, mirror.SeriesNeighborhood)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b mirror.Tallied) int {
		// Rows without a neighborhood are no neighborhood to compare with.
		return cmp.Or(known(b.Name)-known(a.Name), cmp.Compare(b.Open, a.Open), cmp.Compare(a.Name, b.Name))
	})
	f.Table = r.table(f.Title, "neighborhood", "#open", "#closed", "#administratively_closed")
	chart := barsChart{Unit: r.t("unit.locations"), Series: []lineSeries{{Name: r.t("column.open"), Type: "bar"}}}
	var named, all int64
	for _, row := range rows {
		all += row.Open
		href := ""
		if row.Name != "" {
			named += row.Open
			href = pagePath(r.lang, "neighborhoods", row.Name)
			chart.Categories = append(chart.Categories, row.Name)
			chart.Links = append(chart.Links, href)
			chart.Series[0].Values = append(chart.Series[0].Values, row.Open)
		}
		f.Table.add(r.named(row.Name, row.Name, href), r.cell(row.Open), r.cell(row.Closed), r.cell(row.AdministrativelyClosed))
	}
	f.Chart = chart
	f.Notes = append(f.Notes, r.t("note.neighborhood", r.percent(named, all), all-named))
	return f, nil
}

func known(name string) int {
	if name == "" {
		return 0
	}
	return 1
}

// span reads the parameters from and to, months, with what they are when they
// are not given. Neither lies after the as-of date.
func (r *request) span() (from, to string, err error) {
	asOf := r.state.snapshot.AsOf.UTC()
	last := asOf.Format("2006-01")
	if from, err = r.month("from"); err != nil {
		return "", "", err
	}
	if to, err = r.month("to"); err != nil {
		return "", "", err
	}
	from = cmp.Or(from, fmt.Sprintf("%04d-01", asOf.Year()-defaultYears))
	if to = cmp.Or(to, last); to > last {
		to = last
	}
	if from > to {
		return "", "", bad("from", from, "order", to)
	}
	if from < "1800-01" {
		return "", "", bad("from", from, "month")
	}
	return from, to, nil
}

// provisionalFrom is the first month that openings are still to come in for.
func (r *request) provisionalFrom() string {
	asOf := r.state.snapshot.AsOf.UTC()
	first := time.Date(asOf.Year(), asOf.Month(), 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 1-provisionalMonths, 0).Format("2006-01")
}

// monthLines are openings against closings by month.
func (r *request) monthLines(page string) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "months", "lines", "months", r.source(snap))
	from, to, err := r.span()
	if err != nil {
		return nil, err
	}
	rows, ok, err := series[[]mirror.Month](r, snap, mirror.SeriesMonths)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	by := make(map[string]mirror.Month, len(rows))
	var opened, closed, later int64
	for _, m := range rows {
		by[m.Month] = m
		opened, closed = opened+m.Opened, closed+m.Closed
		if m.Month > snap.AsOf.UTC().Format("2006-01") {
			later += m.Opened + m.Closed
		}
	}
	f.Notes = append(f.Notes, r.t("note.months", r.percent(opened, snap.Totals.Rows), r.percent(min(closed, snap.Totals.Closed), snap.Totals.Closed)))
	if later > 0 {
		f.Notes = append(f.Notes, r.t("note.future", later))
	}
	f.Range = &monthRange{From: r.query.Get("from"), To: r.query.Get("to"), Sort: r.query.Get("sort")}
	var counts []mirror.Month
	for _, month := range months(from, to) {
		m := by[month] // a month that the series lacks had none
		m.Month = month
		counts = append(counts, m)
	}
	r.byMonth(f, counts, true)
	return f, nil
}

// byMonth fills a chart of openings, when there are any to show, and closings.
func (r *request) byMonth(f *Figure, counts []mirror.Month, openings bool) {
	provisional := r.provisionalFrom()
	chart := linesChart{Unit: r.t("unit.locations"), X: []string{}}
	opened := lineSeries{Name: r.t("column.opened"), Type: "line", Role: "opened", Values: []any{}}
	closed := lineSeries{Name: r.t("column.closed_otherwise"), Type: "line", Role: "closed", Values: []any{}}
	admin := lineSeries{Name: r.t("column.administratively_closed"), Type: "bar", Role: "administrative", Values: []any{}}
	keys := []string{"month", "#opened", "#closed_otherwise", "#administratively_closed", "state"}
	if !openings {
		keys = slices.Delete(keys, 1, 2)
	}
	f.Table = r.table(f.Title, keys...)
	for _, m := range counts {
		chart.X = append(chart.X, m.Month)
		opened.Values = append(opened.Values, m.Opened)
		closed.Values = append(closed.Values, m.Closed-m.AdministrativelyClosed)
		admin.Values = append(admin.Values, m.AdministrativelyClosed)
		cells := []Cell{{Value: m.Month, Text: m.Month}}
		if openings {
			cells = append(cells, r.cell(m.Opened))
		}
		cells = append(cells, r.cell(m.Closed-m.AdministrativelyClosed), r.cell(m.AdministrativelyClosed), r.monthState(m.Month, provisional))
		f.Table.add(cells...)
	}
	if openings {
		chart.Series = append(chart.Series, opened)
	}
	chart.Series = append(chart.Series, closed, admin)
	if len(chart.X) > 0 {
		last := chart.X[len(chart.X)-1]
		f.Marks = r.marks(chart.X[0], last)
		chart.Marks = f.Marks
		if provisional >= chart.X[0] && provisional <= last {
			chart.Marks = append(slices.Clone(f.Marks), Mark{X: provisional, Label: r.t("provisional")})
		}
		f.Notes = append(f.Notes, r.t("note.provisional", provisional))
	}
	f.Chart = chart
}

// monthState says of a month's counts whether they can be compared.
func (r *request) monthState(month, provisional string) Cell {
	before := r.server.Spec.SurvivorsBefore()
	switch {
	case month >= provisional:
		return Cell{Value: "provisional", Text: r.t("provisional")}
	case !before.IsZero() && month < before.Format("2006-01"):
		return Cell{Value: "survivors_only", Text: r.t("survivors")}
	default:
		return Cell{Value: "final", Text: r.t("final")}
	}
}

// history are the headers of the past: reconstructed ones of first days of
// months, and observed ones, oldest first.
func (r *request) history() (reconstructed, observed []mirror.Snapshot, err error) {
	read := func(basis mirror.Basis) ([]mirror.Snapshot, error) {
		return remember(r.ctx, r.server, "headers "+string(basis)+" "+r.state.past, func(ctx context.Context) ([]mirror.Snapshot, error) {
			snaps, err := r.mirror.Snapshots(ctx, historyAtMost, basis)
			slices.Reverse(snaps)
			return snaps, err
		})
	}
	if reconstructed, err = read(mirror.Reconstructed); err != nil {
		return nil, nil, err
	}
	observed, err = read(mirror.Observed)
	return reconstructed, observed, err
}

// historyLines are the open locations over time.
func (r *request) historyLines(page string) (*Figure, error) {
	f := r.figure(page, "history", "lines", "history", r.source(&r.state.snapshot))
	reconstructed, observed, err := r.history()
	if err != nil {
		return nil, err
	}
	// Of observed ones the last of each month that is green, else the last.
	last := map[string]mirror.Snapshot{}
	for _, s := range observed {
		month := s.AsOf.UTC().Format("2006-01")
		if had, ok := last[month]; !ok || s.Outcome == mirror.OutcomeGreen || had.Outcome != mirror.OutcomeGreen {
			last[month] = s
		}
	}
	points := slices.Clone(reconstructed)
	for _, s := range last {
		points = append(points, s)
	}
	slices.SortFunc(points, func(a, b mirror.Snapshot) int { return cmp.Or(a.AsOf.Compare(b.AsOf), cmp.Compare(a.ID, b.ID)) })
	if len(points) == 0 {
		return f.lacks(r), nil
	}
	if len(reconstructed) == 0 {
		f.Notes = append(f.Notes, r.t("note.nohistory"))
	} else {
		undated := reconstructed[len(reconstructed)-1].Undated
		if undated != nil {
			f.Notes = append(f.Notes, r.t("note.undated", undated.NoStart, undated.ClosedWithoutDate))
		}
	}
	r.overTime(f, points, false, func(i int) int64 { return points[i].Totals.Open })
	return f, nil
}

// overTime fills a chart of open locations as of snapshots, oldest first; sparse:
// they are further apart than a month.
func (r *request) overTime(f *Figure, points []mirror.Snapshot, sparse bool, open func(i int) int64) {
	month := func(s *mirror.Snapshot) string { return s.AsOf.UTC().Format("2006-01") }
	x := months(month(&points[0]), month(&points[len(points)-1]))
	place := make(map[string]int, len(x))
	for i, m := range x {
		place[m] = i
	}
	// One curve for each basis: what is observed is never joined to what is
	// reconstructed, nor survivors to all.
	names := []string{"survivors", "reconstructed", "provisional", "observed"}
	curves := map[string][]any{}
	f.Table = r.table(f.Title, "as_of", "#open", "basis", "outcome", "run")
	for i := range points {
		s := &points[i]
		name := basisOf(s)
		if curves[name] == nil {
			curves[name] = make([]any, len(x))
		}
		curves[name][place[month(s)]] = open(i)
		day := s.AsOf.UTC().Format(time.DateOnly)
		f.Table.add(Cell{Value: day, Text: day}, r.cell(open(i)), Cell{Value: name, Text: r.t("basis." + name)},
			Cell{Value: string(s.Outcome), Text: r.t("outcome." + string(s.Outcome))}, r.named(s.Run, s.Run, pagePath(r.lang, "runs", s.Run)))
	}
	chart := linesChart{X: x, Unit: r.t("unit.locations")}
	for _, name := range names {
		if curves[name] != nil {
			chart.Series = append(chart.Series, lineSeries{Name: r.t("basis." + name), Type: "line", Role: name, Sparse: sparse, Values: curves[name]})
		}
	}
	f.Marks = r.marks(x[0], x[len(x)-1])
	chart.Marks = f.Marks
	f.Chart = chart
}

// basisOf says what a snapshot's counts are worth.
func basisOf(s *mirror.Snapshot) string {
	switch {
	case s.Basis == mirror.Observed:
		return "observed"
	case s.SurvivorsOnly:
		return "survivors"
	case s.Provisional:
		return "provisional"
	default:
		return "reconstructed"
	}
}

// mapCells is the map of open locations in cells.
func (r *request) mapCells(page string) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "map", "hexbin", "map", r.source(snap))
	hexes, ok, err := series[mirror.Hexes](r, snap, mirror.SeriesHexes)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	cells := slices.Clone(hexes.Cells)
	slices.SortStableFunc(cells, func(a, b mirror.Hex) int { return cmp.Or(cmp.Compare(b.Open, a.Open), cmp.Compare(a.Cell, b.Cell)) })
	chart := hexChart{
		Size: hexes.Size, Width: hexes.Width, MetersPerLon: hexes.MetersPerLon, MetersPerLat: hexes.MetersPerLat,
		Unit: r.t("unit.locations"), Box: [4]float64{hexes.Box.West, hexes.Box.South, hexes.Box.East, hexes.Box.North}, Cells: [][3]float64{},
	}
	f.Table = r.table(f.Title, "cell", "#lon", "#lat", "#open", "#closed")
	var open int64
	for _, c := range cells {
		open += c.Open
		f.Table.add(Cell{Value: c.Cell, Text: c.Cell}, r.coordinate(c.Lon), r.coordinate(c.Lat), r.cell(c.Open), r.cell(c.Closed))
		if c.Open > 0 {
			chart.Cells = append(chart.Cells, [3]float64{round(c.Lon, 6), round(c.Lat, 6), float64(c.Open)})
		}
	}
	f.Notes = append(f.Notes, r.t("note.map", r.percent(open, open+hexes.Unlocated.Open), hexes.Unlocated.Open, int64(hexes.Width)))
	err = r.outlineMap(f, &chart)
	f.Chart = chart
	return f, err
}

// ranking ranks neighborhoods by the parameter sort.
func (r *request) ranking(page string) (*Figure, error) {
	snap := &r.state.snapshot
	f := r.figure(page, "ranking", "", "ranking", r.source(snap))
	by, err := r.choice("sort", "open", "opened", "closed", "churn", "name")
	if err != nil {
		return nil, err
	}
	rows, ok, err := series[[]mirror.Tallied](r, snap, mirror.SeriesNeighborhood)
	if err != nil || !ok {
		return f.lacks(r), err
	}
	churn, hasChurn, err := series[mirror.Churn](r, snap, mirror.SeriesChurn)
	if err != nil {
		return nil, err
	}
	year := map[string]mirror.Churned{}
	for _, c := range churn.Neighborhoods {
		year[c.Name] = c
	}
	type ranked struct {
		mirror.Tallied
		change mirror.Churned
		rate   *float64
	}
	var list []ranked
	for _, row := range rows {
		if row.Name != "" {
			c := year[row.Name]
			list = append(list, ranked{row, c, rateOf(c, hasChurn)})
		}
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		c := 0
		switch by {
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
	if !hasChurn {
		f.Notes = append(f.Notes, r.t("note.nochurn"))
		f.Table = r.table(f.Title, "neighborhood", "#open", "#closed")
	} else {
		f.Notes = append(f.Notes, r.t("note.churn", churn.From, churn.To))
		f.Table = r.table(f.Title, "neighborhood", "#open", "#opened_year", "#closed_year", "#administratively_closed_year", "#churn")
	}
	for i, key := range map[string]string{"neighborhood": "name", "open": "open", "opened_year": "opened", "closed_year": "closed", "churn": "churn"} {
		for c := range f.Table.Columns {
			column := &f.Table.Columns[c]
			if column.Key != i {
				continue
			}
			column.Sort = r.with("sort", key) + "#" + f.ID
			if by == key {
				column.Sorted = "descending"
				if key == "name" {
					column.Sorted = "ascending"
				}
			}
		}
	}
	for _, row := range list {
		name := r.named(row.Name, row.Name, pagePath(r.lang, "neighborhoods", row.Name))
		if !hasChurn {
			f.Table.add(name, r.cell(row.Open), r.cell(row.Closed))
			continue
		}
		f.Table.add(name, r.cell(row.Open), r.cell(row.change.Opened), r.cell(row.change.Closed), r.cell(row.change.AdministrativelyClosed), r.rate(row.rate))
	}
	return f, nil
}

// rate shows a rate in percent.
func (r *request) rate(v *float64) Cell {
	if v == nil {
		return r.cell(nil)
	}
	return Cell{Value: *v * 100, Text: r.printer.Sprintf("%.1f %%", *v*100)}
}

func orLess(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

func (r *request) coordinate(v float64) Cell {
	v = round(v, 6)
	return Cell{Value: v, Text: fmt.Sprintf("%.5f", v)}
}
