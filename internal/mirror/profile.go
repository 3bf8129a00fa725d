package mirror

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"padron/internal/analytics"
)

const (
	// topValues is how many of a field's most frequent values are shown.
	topValues = 10

	// histogramValues bounds the values of a number that a histogram has a bar
	// each for; with more it says nothing that can be read.
	histogramValues = 100
)

// ProfiledField is a field of the document that is to be described.
type ProfiledField struct {
	Path      string
	Type      string // as the spec says
	Sensitive bool   // none of its values is kept
	Date      bool   // histogram by year
	Number    bool   // histogram by value
	Opaque    bool   // only whether it is there: a point, or a copy of another field
}

// ProfileInput says what to describe.
type ProfileInput struct {
	Snapshot string // id of the observed snapshot of the same documents
	Fields   []ProfiledField
	State    string // path of the field with the state; empty: none
}

// ProfileColumns describes every field of all documents, and stores that beside
// a snapshot, in place of what is there. All counting is done by the server, in
// one pass for each field; 368,000 documents take the better part of a minute
// on a small machine, which is why it is no part of TakeSnapshot.
//
// Errors: ErrNoSnapshot.
func (m *Mirror) ProfileColumns(ctx context.Context, in ProfileInput) (DataProfile, error) {
	began := time.Now()
	snap, err := m.Snapshot(ctx, in.Snapshot)
	if err != nil {
		return DataProfile{}, fmt.Errorf("profile columns: %w", err)
	}
	p := DataProfile{Snapshot: snap.ID, Fields: make([]FieldProfile, len(in.Fields)), Flags: []Counted{}, OutsideHome: []Counted{}}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(counters)
	group.Go(func() (err error) { p.Rows, err = m.Count(gctx); return err })
	group.Go(func() (err error) { p.Flags, err = m.countFlags(gctx); return err })
	group.Go(func() error { return m.countStates(gctx, in.State, &p) })
	for i, f := range in.Fields {
		read := m.describe
		if f.Opaque {
			read = m.countPresent
		}
		group.Go(func() error { return read(gctx, f, &p.Fields[i]) })
	}
	if err := group.Wait(); err != nil {
		return DataProfile{}, fmt.Errorf("profile columns: %w", err)
	}
	for i, f := range in.Fields {
		of := &p.Fields[i]
		of.Path, of.Type, of.Sensitive = f.Path, f.Type, f.Sensitive
		of.Missing = p.Rows - of.Present
		of.Top, of.Histogram = orEmpty(of.Top), orEmpty(of.Histogram)
		if of.Distinct != nil && *of.Distinct == of.Present {
			of.Top = []Counted{} // each value is there once: a key
		}
	}
	var cells Cells
	if err := m.SeriesOf(ctx, &snap, SeriesCells, &cells); err != nil {
		return DataProfile{}, fmt.Errorf("profile columns: %w", err)
	}
	p.Matrix, p.Associations = matrix(cells), associations(cells)
	p.Made = time.Now().UTC().Truncate(time.Millisecond)
	p.TookMS = time.Since(began).Milliseconds()

	call, cancel := m.call(ctx)
	defer cancel()
	id := partID(snap.ID, SeriesProfile)
	_, err = m.db.Collection(Snapshots).ReplaceOne(call, byID(id), part{ID: id, Rows: p}, options.Replace().SetUpsert(true))
	if err != nil {
		return DataProfile{}, fmt.Errorf("store profile of %s: %w", snap.ID, err)
	}
	return p, nil
}

// DataProfile reads the profile that stands beside a snapshot ("latest" as in
// Snapshot). ErrNoSnapshot when there is none.
func (m *Mirror) DataProfile(ctx context.Context, snapshot string) (DataProfile, error) {
	snap, err := m.Snapshot(ctx, snapshot)
	if err != nil {
		return DataProfile{}, err
	}
	var p DataProfile
	err = m.SeriesOf(ctx, &snap, SeriesProfile, &p)
	return p, err
}

func orEmpty(c []Counted) []Counted {
	if c == nil {
		return []Counted{}
	}
	return c
}

// countPresent counts the documents that have a field.
func (m *Mirror) countPresent(ctx context.Context, f ProfiledField, of *FieldProfile) error {
	scan, cancel := m.scan(ctx)
	defer cancel()
	n, err := m.db.Collection(Businesses).CountDocuments(scan, bson.D{{Key: f.Path, Value: bson.D{{Key: "$exists", Value: true}}}})
	if err != nil {
		return fmt.Errorf("count values of %s: %w", f.Path, err)
	}
	of.Present = n
	return nil
}

// describe counts the values of a field.
func (m *Mirror) describe(ctx context.Context, f ProfiledField, of *FieldProfile) error {
	last := bson.D{
		{Key: "_id", Value: nil},
		{Key: "distinct", Value: bson.D{{Key: "$sum", Value: 1}}},
		{Key: "present", Value: bson.D{{Key: "$sum", Value: "$rows"}}},
	}
	if !f.Sensitive {
		last = append(last, bson.E{Key: "top", Value: bson.D{{Key: "$topN", Value: bson.D{
			{Key: "n", Value: topValues},
			{Key: "sortBy", Value: bson.D{{Key: "rows", Value: -1}, {Key: "_id", Value: 1}}},
			{Key: "output", Value: bson.D{{Key: "value", Value: "$_id"}, {Key: "rows", Value: "$rows"}}},
		}}}})
	}
	var distinct int64
	err := m.group(ctx, append(valuesOf(f.Path, nil), bson.D{{Key: "$group", Value: last}}), func(raw bson.Raw) {
		distinct, of.Present = number(raw, "distinct"), number(raw, "present")
		values, _ := raw.Lookup("top").ArrayOK()
		list, _ := values.Values()
		for _, v := range list {
			d, _ := v.DocumentOK()
			of.Top = append(of.Top, Counted{Value: valueText(d.Lookup("value")), Rows: number(d, "rows")})
		}
	})
	if err != nil {
		return fmt.Errorf("count values of %s: %w", f.Path, err)
	}
	of.Distinct = &distinct
	var by any
	switch {
	case f.Sensitive:
		return nil
	case f.Date:
		by = bson.D{{Key: "$dateToString", Value: bson.D{{Key: "date", Value: "$" + f.Path}, {Key: "format", Value: "%Y"}, {Key: "onNull", Value: nil}}}}
	case f.Number && distinct <= histogramValues:
		by = nil
	default:
		return nil
	}
	type bar struct {
		at float64
		Counted
	}
	var bars []bar
	err = m.group(ctx, valuesOf(f.Path, by), func(raw bson.Raw) {
		v := raw.Lookup("_id")
		text := valueText(v)
		at, _ := strconv.ParseFloat(text, 64)
		bars = append(bars, bar{at, Counted{text, number(raw, "rows")}})
	})
	if err != nil {
		return fmt.Errorf("histogram of %s: %w", f.Path, err)
	}
	slices.SortFunc(bars, func(a, b bar) int { return cmp.Compare(a.at, b.at) })
	for _, b := range bars {
		of.Histogram = append(of.Histogram, b.Counted)
	}
	return nil
}

// valuesOf is a pipeline that counts documents by the value of a field, or by an
// expression of it, those without it left out. They are left out last: a $match
// in front makes the local engine sort whole documents for the group (see
// countBy).
func valuesOf(path string, by any) bson.A {
	if by == nil {
		by = orNull("$" + path)
	}
	return bson.A{
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: path, Value: 1}}}},
		bson.D{{Key: "$limit", Value: int64(1) << 40}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: by}, {Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: nil}}}}}},
	}
}

// countFlags counts documents by their flags.
func (m *Mirror) countFlags(ctx context.Context) ([]Counted, error) {
	flags := []Counted{}
	err := m.group(ctx, bson.A{
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: "v", Value: "$quality.flags"}}}},
		bson.D{{Key: "$limit", Value: int64(1) << 40}},
		bson.D{{Key: "$unwind", Value: "$v"}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$v"}, {Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	}, func(raw bson.Raw) { flags = append(flags, Counted{text(raw, "_id"), number(raw, "rows")}) })
	if err != nil {
		return nil, fmt.Errorf("count flags: %w", err)
	}
	slices.SortFunc(flags, mostFirst)
	return flags, nil
}

// countStates finds the state that most rows have, and the others.
func (m *Mirror) countStates(ctx context.Context, path string, p *DataProfile) error {
	if path == "" {
		return nil
	}
	var states []Counted
	err := m.group(ctx, valuesOf(path, nil), func(raw bson.Raw) {
		states = append(states, Counted{valueText(raw.Lookup("_id")), number(raw, "rows")})
	})
	if err != nil {
		return fmt.Errorf("count states: %w", err)
	}
	slices.SortFunc(states, mostFirst)
	if len(states) > 0 {
		p.HomeState, p.OutsideHome = states[0].Value, states[1:]
	}
	return nil
}

// mostFirst orders by rows, of equal ones by value.
func mostFirst(a, b Counted) int {
	return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value))
}

// valueText shows a value of a document.
func valueText(v bson.RawValue) string {
	switch v.Type {
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeBoolean:
		return strconv.FormatBool(v.Boolean())
	case bson.TypeDateTime:
		return v.Time().UTC().Format(time.DateOnly)
	case bson.TypeDouble:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64)
	case bson.TypeInt32, bson.TypeInt64:
		return strconv.FormatInt(v.AsInt64(), 10)
	default:
		return v.String()
	}
}

// matrix adds up cells over districts.
func matrix(c Cells) Cells {
	sums := map[[2]int64][3]int64{}
	for _, r := range c.Rows {
		s := sums[[2]int64{r[0], r[1]}]
		sums[[2]int64{r[0], r[1]}] = [3]int64{s[0] + r[3], s[1] + r[4], s[2] + r[5]}
	}
	m := Cells{Neighborhoods: c.Neighborhoods, Sectors: c.Sectors, Rows: make([][6]int64, 0, len(sums))}
	for k, s := range sums {
		m.Rows = append(m.Rows, [6]int64{k[0], k[1], 0, s[0], s[1], s[2]})
	}
	slices.SortFunc(m.Rows, func(a, b [6]int64) int { return slices.Compare(a[:], b[:]) })
	return m
}

// associations are those of each two of neighborhood, sector, district and
// whether a row is open, among the rows that have both.
func associations(c Cells) []Association {
	type dimension struct {
		name string
		// of is the value of a cell; empty: unknown.
		of func(r [6]int64) string
	}
	dimensions := []dimension{
		{"neighborhood", func(r [6]int64) string { return c.Neighborhoods[r[0]] }},
		{"sector", func(r [6]int64) string { return c.Sectors[r[1]] }},
		{"district", func(r [6]int64) string {
			if r[2] == 0 {
				return ""
			}
			return strconv.FormatInt(r[2], 10)
		}},
	}
	list := []Association{}
	add := func(a, b string, table map[string]map[string]int64) {
		of := Association{A: a, B: b}
		for _, line := range table {
			for _, n := range line {
				of.Rows += n
			}
		}
		if v, ok := analytics.CramersV(table); ok {
			of.V = &v
		}
		list = append(list, of)
	}
	count := func(table map[string]map[string]int64, a, b string, n int64) {
		if table[a] == nil {
			table[a] = map[string]int64{}
		}
		table[a][b] += n
	}
	for i, a := range dimensions {
		for _, b := range dimensions[i+1:] {
			table := map[string]map[string]int64{}
			for _, r := range c.Rows {
				if va, vb := a.of(r), b.of(r); va != "" && vb != "" {
					count(table, va, vb, r[3]+r[4])
				}
			}
			add(a.name, b.name, table)
		}
		table := map[string]map[string]int64{}
		for _, r := range c.Rows {
			if v := a.of(r); v != "" {
				count(table, v, "open", r[3])
				count(table, v, "closed", r[4])
			}
		}
		add(a.name, "open", table)
	}
	return list
}
