package chart

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"padron/internal/certificate"
	"padron/internal/statistics"
)

const (
	// historyAtMost bounds the snapshots of a chart of the past: eighty years
	// of months.
	historyAtMost = 1000

	// yearsAtMost bounds the snapshots that one chart reads a series of, and
	// yearsAtOnce how many are read at the same time.
	yearsAtMost = 40
	yearsAtOnce = 4
)

// past are the headers of older snapshots, oldest first: those reconstructed
// for first days of months, and the observed ones.
func (mk *Maker) past(ctx context.Context) (reconstructed, observed []statistics.Snapshot, err error) {
	read := func(basis statistics.Basis) ([]statistics.Snapshot, error) {
		return keep(ctx, mk.Kept, "headers "+string(basis)+" "+mk.Past, func(ctx context.Context) ([]statistics.Snapshot, error) {
			snaps, err := mk.Reader.Statistics.Snapshots(ctx, historyAtMost, basis)
			slices.Reverse(snaps)
			return snaps, err
		})
	}
	if reconstructed, err = read(statistics.Reconstructed); err != nil {
		return nil, nil, err
	}
	observed, err = read(statistics.Observed)
	return reconstructed, observed, err
}

// History are the open locations over time. It is made once for all requests.
func (mk *Maker) History() Make { return mk.once("history", mk.history) }

func (mk *Maker) history(ctx context.Context, page Page) (*Figure, error) {
	f := mk.figure(page, "history", KindLines, "history", mk.Source(mk.Snapshot))
	reconstructed, observed, err := mk.past(ctx)
	if err != nil {
		return nil, err
	}
	// Of the observed ones of a month: the last that is green, else the last.
	last := map[string]statistics.Snapshot{}
	for _, s := range observed {
		month := s.AsOf.UTC().Format("2006-01")
		if had, ok := last[month]; !ok || s.Outcome == certificate.Green || had.Outcome != certificate.Green {
			last[month] = s
		}
	}
	points := slices.Clone(reconstructed)
	for _, s := range last {
		points = append(points, s)
	}
	slices.SortFunc(points, func(a, b statistics.Snapshot) int { return cmp.Or(a.AsOf.Compare(b.AsOf), cmp.Compare(a.ID, b.ID)) })
	if len(points) == 0 {
		return f.lacks(mk), nil
	}
	if len(reconstructed) == 0 {
		f.Notes = append(f.Notes, mk.T("note.nohistory"))
	} else if undated := reconstructed[len(reconstructed)-1].Undated; undated != nil {
		f.Notes = append(f.Notes, mk.T("note.undated", undated.NoStart, undated.ClosedWithoutDate))
	}
	mk.overTime(f, points, false, func(i int) int64 { return points[i].Totals.Open })
	return f, nil
}

// NeighborhoodHistory are the open locations of a neighborhood at the beginning
// of each year, from reconstructed snapshots, and now.
func (mk *Maker) NeighborhoodHistory(value string) Make {
	return func(ctx context.Context, page Page) (*Figure, error) {
		snap, name := mk.Snapshot, statistics.SeriesNeighborhood
		f := mk.figure(page, "history", KindLines, "history", mk.Source(snap))
		reconstructed, _, err := mk.past(ctx)
		if err != nil {
			return nil, err
		}
		var points []statistics.Snapshot
		for _, s := range reconstructed {
			if s.AsOf.UTC().Month() == time.January && s.AsOf.Before(snap.AsOf) && s.Has(name) {
				points = append(points, s)
			}
		}
		if len(points) > yearsAtMost {
			points = points[len(points)-yearsAtMost:]
		}
		if len(points) == 0 {
			f.Notes = append(f.Notes, mk.T("note.nohistory"))
		}
		points = append(points, *snap)
		counts, err := mk.openBy(ctx, name, points)
		if err != nil {
			return nil, err
		}
		// A snapshot without the value had no open locations of it.
		mk.overTime(f, points, true, func(i int) int64 { return counts[i][value] })
		return f, nil
	}
}

// openBy are the open locations by the values of a series, of each snapshot.
func (mk *Maker) openBy(ctx context.Context, name string, points []statistics.Snapshot) ([]map[string]int64, error) {
	return keep(ctx, mk.Kept, "years "+name+" "+mk.Past, func(ctx context.Context) ([]map[string]int64, error) {
		all := make([]map[string]int64, len(points))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(yearsAtOnce)
		for i := range points {
			group.Go(func() error {
				var rows []statistics.Tallied
				if err := mk.Reader.Statistics.SeriesOf(ctx, &points[i], name, &rows); err != nil {
					return err
				}
				all[i] = make(map[string]int64, len(rows))
				for _, row := range rows {
					all[i][row.Name] = row.Open
				}
				return nil
			})
		}
		return all, group.Wait()
	})
}

// overTime fills a chart of open locations as of snapshots, oldest first.
// sparse says that they are further apart than a month.
func (mk *Maker) overTime(f *Figure, points []statistics.Snapshot, sparse bool, open func(i int) int64) {
	month := func(s *statistics.Snapshot) string { return s.AsOf.UTC().Format("2006-01") }
	x := months(month(&points[0]), month(&points[len(points)-1]))
	place := make(map[string]int, len(x))
	for i, m := range x {
		place[m] = i
	}
	// One curve for each basis: observed counts are never joined to
	// reconstructed ones, nor counts of survivors to counts of all.
	curves := map[Role][]Value{}
	f.Table = mk.table(f.Title, "as_of", "#open", "basis", "outcome", "run")
	for i := range points {
		s := &points[i]
		basis := basisOf(s)
		if curves[basis] == nil {
			curves[basis] = make([]Value, len(x))
		}
		curves[basis][place[month(s)]] = open(i)
		day := s.AsOf.UTC().Format(time.DateOnly)
		f.Table.add(
			Cell{Value: day, Text: day},
			mk.cell(open(i)),
			Cell{Value: string(basis), Text: mk.T("basis." + string(basis))},
			Cell{Value: string(s.Outcome), Text: mk.T("outcome." + string(s.Outcome))},
			mk.named(s.Run, s.Run, PagePath(mk.Lang, "runs", s.Run)),
		)
	}
	chart := Lines{X: x, Unit: mk.T("unit.locations")}
	for _, basis := range []Role{RoleSurvivors, RoleReconstructed, RoleProvisional, RoleObserved} {
		if values := curves[basis]; values != nil {
			line := Series{Name: mk.T("basis." + string(basis)), Type: CurveLine, Role: basis, Sparse: sparse, Values: values}
			chart.Series = append(chart.Series, line)
		}
	}
	f.Marks = mk.marks(x[0], x[len(x)-1])
	chart.Marks = f.Marks
	f.Chart = chart
}

// basisOf says what a snapshot's counts are worth.
func basisOf(s *statistics.Snapshot) Role {
	switch {
	case s.Basis == statistics.Observed:
		return RoleObserved
	case s.SurvivorsOnly:
		return RoleSurvivors
	case s.Provisional:
		return RoleProvisional
	default:
		return RoleReconstructed
	}
}
