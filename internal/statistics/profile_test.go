package statistics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// TestProfileEqualsBruteForce describes drawn rows, and the same rows value by
// value.
func TestProfileEqualsBruteForce(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	l := landingtest.Directory(t)
	ctx := t.Context()
	c := mirrortest.SanFrancisco(t)
	in := profiledFields(t)
	in.Snapshot = latest
	rapid.Check(t, func(t *rapid.T) {
		mongodbtest.Clear(ctx, t, store.db, mongodb.Businesses, mongodb.Snapshots)
		n := rapid.IntRange(0, 40).Draw(t, "rows")
		records := make([]landing.Record, n)
		for i := range records {
			key := fmt.Sprintf("%07d-01-001", i)
			row := map[string]any{"ttxid": key, "certificate_number": fmt.Sprintf("%07d", i/2)}
			for column, values := range map[string][]string{
				"state":                             {"", "CA", "CA", "nv", "Or"},
				"dba_name":                          {"", "Joe's", "Ann's", "N/A"},
				"mailing_address_1":                 {"", "4711 Home Ln", "1 Home Ln"},
				"dba_start_date":                    {"", "1848-01-01T00:00:00.000", "1985-01-15T00:00:00.000", "2000-12-31T00:00:00.000"},
				"supervisor_district":               {"", "3", "11"},
				"neighborhoods_analysis_boundaries": {"", "Mission", "Presidio"},
				"self_reported_naics_code":          {"", "722511", "541110"},
				"business_zip":                      {"", "94103", "00000"},
			} {
				if v := rapid.SampledFrom(values).Draw(t, column); v != "" {
					row[column] = v
				}
			}
			if rapid.Bool().Draw(t, "taxed") {
				row["parking_tax"] = rapid.Bool().Draw(t, "parking tax")
			}
			if rapid.Bool().Draw(t, "located") {
				row["location"] = map[string]any{"type": "Point", "coordinates": [2]float64{-122.41, 37.76}}
			}
			records[i] = mirrortest.Cleaned(t, c, row)
		}
		mirrortest.Load(ctx, t, store.db, l, records)
		snap, _, err := store.TakeSnapshot(ctx, SnapshotInput{AsOf: mongodbtest.Day(1), Run: "r1", Outcome: certificate.Green})
		require.NoError(t, err)
		_, err = store.ProfileColumns(ctx, in)
		require.NoError(t, err)
		p, err := store.DataProfile(ctx, latest)
		require.NoError(t, err)
		require.Equal(t, snap.ID, p.Snapshot)
		require.EqualValues(t, n, p.Rows)

		require.Len(t, p.Fields, len(in.Fields))
		for i, f := range in.Fields {
			got := p.Fields[i]
			values, years := map[string]int64{}, map[string]int64{}
			var present int64
			for _, r := range records {
				v, err := r.Document.LookupErr(strings.Split(f.Path, ".")...)
				if err != nil {
					continue
				}
				present++
				switch v.Type {
				case bson.TypeDateTime:
					years[v.Time().UTC().Format("2006")]++
					values[v.Time().UTC().Format("2006-01-02")]++
				case bson.TypeString:
					values[v.StringValue()]++
				case bson.TypeBoolean:
					values[fmt.Sprint(v.Boolean())]++
				case bson.TypeInt32:
					values[fmt.Sprint(v.Int32())]++
				default:
				}
			}
			require.Equal(t, []int64{present, int64(n) - present}, []int64{got.Present, got.Missing}, f.Path)
			if f.Opaque {
				require.Nil(t, got.Distinct)
				continue
			}
			require.EqualValues(t, len(values), *got.Distinct, f.Path)
			top := []Counted{}
			for value, rows := range values {
				top = append(top, Counted{value, rows})
			}
			slices.SortFunc(top, func(a, b Counted) int { return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value)) })
			if f.Sensitive || int64(len(values)) == present {
				top = nil
			}
			require.ElementsMatch(t, top[:min(10, len(top))], got.Top, f.Path)
			require.True(t, slices.IsSortedFunc(got.Top, func(a, b Counted) int { return cmp.Compare(b.Rows, a.Rows) }))
			bars := map[string]int64{}
			for _, b := range got.Histogram {
				bars[b.Value] = b.Rows
			}
			switch {
			case f.Date:
				require.Equal(t, years, bars, f.Path)
			case f.Number:
				require.Equal(t, values, bars, f.Path)
			default:
				require.Empty(t, bars, f.Path)
			}
		}
		flags, states := map[string]int64{}, map[string]int64{}
		for _, r := range records {
			if list, ok := r.Document.Lookup("quality", "flags").ArrayOK(); ok {
				all, err := list.Values()
				require.NoError(t, err)
				for _, v := range all {
					flags[v.StringValue()]++
				}
			}
			if s := mongodb.Text(r.Document, "address", "state"); s != "" {
				states[s]++
			}
		}
		got := map[string]int64{}
		for _, f := range p.Flags {
			got[f.Value] = f.Rows
		}
		require.Equal(t, flags, got)
		got = map[string]int64{}
		for _, s := range p.OutsideHome {
			require.LessOrEqual(t, s.Rows, states[p.HomeState])
			got[s.Value] = s.Rows
		}
		delete(states, p.HomeState)
		require.Equal(t, states, got)

		var rows int64
		for _, r := range p.Matrix.Rows {
			var want int64
			for _, rec := range records {
				if mongodb.Text(rec.Document, "facets", "neighborhood") == p.Matrix.Neighborhoods[r[0]] &&
					mongodb.Text(rec.Document, "facets", "sector") == p.Matrix.Sectors[r[1]] {
					want++
				}
			}
			require.Equal(t, want, r[3]+r[4])
			rows += want
		}
		require.EqualValues(t, n, rows)
		require.Len(t, p.Associations, 6)
	})
}

// TestProfileKeepsNoSensitiveValue: none is stored.
func TestProfileKeepsNoSensitiveValue(t *testing.T) {
	store := NewStore(mongodbtest.Open(t))
	ctx := t.Context()
	double := mirrortest.Cleaned(t, mirrortest.SanFrancisco(t), map[string]any{
		"ttxid": "1-1", "certificate_number": "1", "dba_name": "Shop",
		"ownership_name": "Leaktest Zebulon", "mailing_address_1": "4711 Leaktest Ln",
	}).Document
	for _, key := range []string{"a", "b"} {
		var d bson.D
		require.NoError(t, bson.Unmarshal(double, &d))
		d[0].Value = key
		_, err := store.db.Collection(mongodb.Businesses).InsertOne(ctx, d)
		require.NoError(t, err)
	}
	_, _, err := store.TakeSnapshot(ctx, SnapshotInput{AsOf: mongodbtest.Day(1), Outcome: certificate.Green})
	require.NoError(t, err)
	_, err = store.DataProfile(ctx, latest)
	require.ErrorIs(t, err, ErrNoSnapshot, "none yet")
	in := profiledFields(t)
	in.Snapshot = latest
	p, err := store.ProfileColumns(ctx, in)
	require.NoError(t, err)
	for _, f := range p.Fields {
		if f.Path == "dba_name" {
			assert.Equal(t, []Counted{{"Shop", 2}}, f.Top)
		}
	}
	for id, doc := range mongodbtest.Documents(ctx, t, store.db, mongodb.Snapshots) {
		assert.NotContains(t, doc.String(), "eaktest", id)
	}
	in.Snapshot = "2020-01-01-observed"
	_, err = store.ProfileColumns(ctx, in)
	require.ErrorIs(t, err, ErrNoSnapshot)
}

// profiledFields are the fields of San Francisco's documents, as the profile
// describes them.
func profiledFields(t testing.TB) ProfileInput {
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	in := ProfileInput{State: "address.state"}
	for _, f := range spec.Fields {
		if f.Copy == "" {
			in.Fields = append(in.Fields, ProfiledField{
				Path: f.Path, Type: string(f.Type), Sensitive: spec.Sensitive(f.Path),
				Date: f.Type == dataset.Date, Number: f.Type == dataset.Number, Opaque: f.Type == dataset.Point,
			})
		}
	}
	return in
}
