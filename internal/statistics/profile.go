package statistics

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

	"padron/internal/mongodb"
)

// DataProfile describes what the mirror's columns hold: the exploratory
// analysis of the data, kept current. It is no part of a snapshot's counts, and
// stands beside one.
type DataProfile struct {
	Snapshot string         `bson:"snapshot" json:"snapshot"` // id of the snapshot it stands beside
	Rows     int64          `bson:"rows" json:"rows"`
	Made     time.Time      `bson:"made" json:"made"`
	TookMS   int64          `bson:"took_ms" json:"took_ms"`
	Fields   []FieldProfile `bson:"fields" json:"fields"` // in the order of the document
	Flags    []Counted      `bson:"flags" json:"flags"`   // of quality.flags, most frequent first

	// HomeState is the state that most rows have; OutsideHome are the others,
	// most frequent first. Empty when the dataset has no state.
	HomeState   string    `bson:"home_state" json:"home_state"`
	OutsideHome []Counted `bson:"outside_home" json:"outside_home"`

	// Matrix are the counts of open and closed rows by neighborhood and sector.
	Matrix Cells `bson:"matrix" json:"matrix"`
	// Associations of the small dimensions, each pair once.
	Associations []Association `bson:"associations" json:"associations"`
}

// FieldProfile describes one field of the document.
type FieldProfile struct {
	Path      string `bson:"path" json:"path"`
	Type      string `bson:"type" json:"type"` // as the spec says: text, number, date, ...
	Sensitive bool   `bson:"sensitive" json:"sensitive"`
	Present   int64  `bson:"present" json:"present"`
	Missing   int64  `bson:"missing" json:"missing"`
	// Distinct is how many values there are, exactly; null where they are not
	// counted (a point).
	Distinct *int64 `bson:"distinct" json:"distinct"`
	// Top are the ten most frequent values, of equal ones the first in order;
	// none of a sensitive field, or of one whose values are all distinct.
	Top []Counted `bson:"top" json:"top"`
	// Histogram of dates by year and of numbers by value; empty of other types.
	Histogram []Counted `bson:"histogram" json:"histogram"`
}

// Counted is a value as text, and how many rows have it.
type Counted struct {
	Value string `bson:"value" json:"value"`
	Rows  int64  `bson:"rows" json:"rows"`
}

// Association is how strongly two dimensions depend on each other among the
// rows that have both: Cramér's V with Bergsma's correction of bias, 0 to 1.
type Association struct {
	A    string   `bson:"a" json:"a"`
	B    string   `bson:"b" json:"b"`
	Rows int64    `bson:"rows" json:"rows"`
	V    *float64 `bson:"v" json:"v"` // null when one of them has fewer than two values
}

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
func (s *Store) ProfileColumns(ctx context.Context, in ProfileInput) (DataProfile, error) {
	began := time.Now()
	snap, err := s.Snapshot(ctx, in.Snapshot)
	if err != nil {
		return DataProfile{}, fmt.Errorf("profile columns: %w", err)
	}
	p := DataProfile{Snapshot: snap.ID, Fields: make([]FieldProfile, len(in.Fields)), Flags: []Counted{}, OutsideHome: []Counted{}}
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(counters)
	group.Go(func() (err error) { p.Rows, err = s.db.Count(gctx, mongodb.Businesses); return err })
	group.Go(func() (err error) { p.Flags, err = s.countFlags(gctx); return err })
	group.Go(func() error { return s.countStates(gctx, in.State, &p) })
	for i, f := range in.Fields {
		read := s.describe
		if f.Opaque {
			read = s.countPresent
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
	if err := s.SeriesOf(ctx, &snap, SeriesCells, &cells); err != nil {
		return DataProfile{}, fmt.Errorf("profile columns: %w", err)
	}
	p.Matrix, p.Associations = matrix(cells), associations(cells)
	p.Made = time.Now().UTC().Truncate(time.Millisecond)
	p.TookMS = time.Since(began).Milliseconds()

	call, cancel := s.db.Call(ctx)
	defer cancel()
	id := partID(snap.ID, SeriesProfile)
	_, err = s.db.Collection(mongodb.Snapshots).ReplaceOne(call, mongodb.ByID(id), part{ID: id, Rows: p}, options.Replace().SetUpsert(true))
	if err != nil {
		return DataProfile{}, fmt.Errorf("store profile of %s: %w", snap.ID, err)
	}
	return p, nil
}

func orEmpty(c []Counted) []Counted {
	if c == nil {
		return []Counted{}
	}
	return c
}

// countPresent counts the documents that have a field.
func (s *Store) countPresent(ctx context.Context, f ProfiledField, of *FieldProfile) error {
	scan, cancel := s.db.Scan(ctx)
	defer cancel()
	n, err := s.db.Collection(mongodb.Businesses).CountDocuments(scan, bson.D{{Key: f.Path, Value: bson.D{{Key: "$exists", Value: true}}}})
	if err != nil {
		return fmt.Errorf("count values of %s: %w", f.Path, err)
	}
	of.Present = n
	return nil
}

// describe counts the values of a field.
func (s *Store) describe(ctx context.Context, f ProfiledField, of *FieldProfile) error {
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
	err := s.db.Group(ctx, mongodb.Businesses, append(valuesOf(f.Path, nil), bson.D{{Key: "$group", Value: last}}), func(raw bson.Raw) {
		distinct, of.Present = mongodb.Number(raw, "distinct"), mongodb.Number(raw, "present")
		values, _ := raw.Lookup("top").ArrayOK()
		list, _ := values.Values()
		for _, v := range list {
			d, _ := v.DocumentOK()
			of.Top = append(of.Top, Counted{Value: valueText(d.Lookup("value")), Rows: mongodb.Number(d, "rows")})
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
	err = s.db.Group(ctx, mongodb.Businesses, valuesOf(f.Path, by), func(raw bson.Raw) {
		v := raw.Lookup("_id")
		text := valueText(v)
		at, _ := strconv.ParseFloat(text, 64)
		bars = append(bars, bar{at, Counted{text, mongodb.Number(raw, "rows")}})
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

// valuesOf is a pipeline that counts documents by the value of a field, or by
// an expression of it, those without it left out. They are left out last: a
// $match in front makes the local engine sort whole documents for the group
// (see countBy).
func valuesOf(path string, by any) bson.A {
	if by == nil {
		by = mongodb.OrNull("$" + path)
	}
	return bson.A{
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: path, Value: 1}}}},
		bson.D{{Key: "$limit", Value: int64(1) << 40}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: by}, {Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "_id", Value: bson.D{{Key: "$ne", Value: nil}}}}}},
	}
}

// countFlags counts documents by their flags.
func (s *Store) countFlags(ctx context.Context) ([]Counted, error) {
	flags := []Counted{}
	err := s.db.Group(ctx, mongodb.Businesses, bson.A{
		bson.D{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}, {Key: "v", Value: "$quality.flags"}}}},
		bson.D{{Key: "$limit", Value: int64(1) << 40}},
		bson.D{{Key: "$unwind", Value: "$v"}},
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$v"}, {Key: "rows", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	}, func(raw bson.Raw) {
		flags = append(flags, Counted{mongodb.Text(raw, "_id"), mongodb.Number(raw, "rows")})
	})
	if err != nil {
		return nil, fmt.Errorf("count flags: %w", err)
	}
	slices.SortFunc(flags, mostFirst)
	return flags, nil
}

// countStates finds the state that most rows have, and the others.
func (s *Store) countStates(ctx context.Context, path string, p *DataProfile) error {
	if path == "" {
		return nil
	}
	var states []Counted
	err := s.db.Group(ctx, mongodb.Businesses, valuesOf(path, nil), func(raw bson.Raw) {
		states = append(states, Counted{valueText(raw.Lookup("_id")), mongodb.Number(raw, "rows")})
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
