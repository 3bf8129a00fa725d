package profile

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

// counts are those of a field's values by brute force.
type counts struct {
	present int64
	values  map[string]int64
	years   map[string]int64
}

// bruteForce counts all values of a field.
func bruteForce(t require.TestingT, docs []bson.Raw, path string) counts {
	c := counts{values: map[string]int64{}, years: map[string]int64{}}
	for _, doc := range docs {
		v, err := doc.LookupErr(strings.Split(path, ".")...)
		if err != nil {
			continue
		}
		c.present++
		var text string
		switch v.Type {
		case bson.TypeString:
			text = v.StringValue()
		case bson.TypeDateTime:
			text = v.Time().UTC().Format("2006-01-02")
			c.years[v.Time().UTC().Format("2006")]++
		case bson.TypeEmbeddedDocument:
		default:
			var n any
			require.NoError(t, v.Unmarshal(&n))
			text = fmt.Sprint(n)
		}
		c.values[text]++
	}
	return c
}

// requireTrue holds a description against brute force, within the errors that it
// states.
func requireTrue(t require.TestingT, plan *Plan, docs []bson.Raw, d *Description) {
	require.EqualValues(t, len(docs), d.Rows)
	require.Len(t, d.Fields, len(plan.Fields))
	for i := range plan.Fields {
		f, got := &plan.Fields[i], &d.Fields[i]
		want := bruteForce(t, docs, f.Path)
		require.Equal(t, []int64{want.present, d.Rows - want.present}, []int64{got.Present, got.Missing}, f.Path)
		if f.Opaque {
			require.Nil(t, got.Distinct, f.Path)
			continue
		}
		distinct := float64(len(want.values))
		require.LessOrEqual(t, math.Abs(float64(*got.Distinct)-distinct), got.DistinctError*distinct, f.Path)
		if len(want.values) <= MaxExact {
			require.Zero(t, got.DistinctError, f.Path)
			require.Zero(t, got.TopError, f.Path)
		}
		requireTop(t, f, want, got)
		bars := map[string]int64{}
		for _, b := range got.Histogram {
			bars[b.Value] = b.Rows
		}
		switch {
		case f.Sensitive:
			require.Empty(t, bars, f.Path)
		case f.Date:
			require.Equal(t, want.years, bars, f.Path)
		case f.Number && len(want.values) <= histogramValues:
			require.Equal(t, want.values, bars, f.Path)
		default:
			require.Empty(t, bars, f.Path)
		}
	}
	flags := map[string]int64{}
	for _, doc := range docs {
		var q struct {
			Quality struct {
				Flags []string `bson:"flags"`
			} `bson:"quality"`
		}
		require.NoError(t, bson.Unmarshal(doc, &q))
		for _, flag := range q.Quality.Flags {
			flags[flag]++
		}
	}
	require.Equal(t, ranked(flags), d.Flags)
	if states := ranked(bruteForce(t, docs, plan.State).values); len(states) > 0 && len(states) <= MaxExact {
		require.Equal(t, states, append([]Counted{{d.HomeState, states[0].Rows}}, d.OutsideHome...))
		require.Zero(t, d.OutsideError)
	}
}

func requireTop(t require.TestingT, f *Planned, want counts, got *Field) {
	all := ranked(want.values)
	if f.Number {
		slices.SortStableFunc(all, func(a, b Counted) int {
			return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(number(a.Value), number(b.Value)))
		})
	}
	switch {
	case f.Sensitive || f.Key || got.DistinctError == 0 && int64(len(all)) == want.present:
		require.Empty(t, got.Top, f.Path)
		return
	case got.TopError == 0 && got.DistinctError == 0:
		require.Equal(t, all[:min(topValues, len(all))], got.Top, f.Path)
		return
	}
	beyond := got.TopError // what a value that is not listed may have at most
	if n := len(got.Top); n == topValues {
		beyond += got.Top[n-1].Rows
	} else if n == 0 {
		return // nothing is said of them
	}
	listed := map[string]bool{}
	for i, c := range got.Top {
		rows := want.values[c.Value]
		require.LessOrEqual(t, c.Rows, rows, "%s: %q", f.Path, c.Value)
		require.LessOrEqual(t, rows, c.Rows+got.TopError, "%s: %q", f.Path, c.Value)
		require.True(t, i == 0 || c.Rows <= got.Top[i-1].Rows)
		listed[c.Value] = true
	}
	for _, c := range all {
		if !listed[c.Value] {
			require.LessOrEqual(t, c.Rows, beyond, "%s: %q", f.Path, c.Value)
		}
	}
}

// ranked are counts, most frequent first, of equal ones the first in order.
func ranked(values map[string]int64) []Counted {
	list := []Counted{}
	for value, rows := range values {
		list = append(list, Counted{value, rows})
	}
	slices.SortFunc(list, func(a, b Counted) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Value, b.Value))
	})
	return list
}

// drawn are documents with values of a few fields, of which each has at most as
// many as its spread.
func drawn(t require.TestingT, r *rand.Rand, rows int, spread map[string]int) []bson.Raw {
	docs := make([]bson.Raw, rows)
	of := func(path string) int { // frequent and rare ones
		return int(float64(spread[path]) * math.Pow(r.Float64(), 3))
	}
	for i := range docs {
		doc := bson.D{{Key: "_id", Value: fmt.Sprint(i)}, {Key: "location_id", Value: fmt.Sprint(i)}}
		add := func(to bson.D, path, name string, value any) bson.D {
			if r.IntN(5) == 0 {
				return to
			}
			return append(to, bson.E{Key: name, Value: value})
		}
		doc = add(doc, "ownership_name", "ownership_name", fmt.Sprint("Leaktest ", of("ownership_name")))
		doc = add(doc, "dba_name", "dba_name", fmt.Sprint("Shop ", of("dba_name")))
		address := add(bson.D{}, "", "state", fmt.Sprint("S", of("address.state")))
		address = add(address, "", "mail_state", fmt.Sprint("Leaktest ", r.IntN(5)))
		doc = append(doc, bson.E{Key: "address", Value: address})
		day := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, of("dates.business_start_date"))
		doc = append(doc, bson.E{Key: "dates", Value: add(bson.D{}, "", "business_start_date", day)})
		doc = append(doc, bson.E{Key: "taxes", Value: add(bson.D{}, "", "parking_tax", r.IntN(2) == 0)})
		doc = append(doc, bson.E{Key: "districts", Value: add(bson.D{}, "", "supervisor_district", int32(of("districts.supervisor_district")))})
		doc = add(doc, "", "location", bson.D{{Key: "type", Value: "Point"}, {Key: "coordinates", Value: bson.A{-122.4, 37.7}}})
		doc = append(doc, bson.E{Key: "facets", Value: bson.D{{Key: "dba_name", Value: "no field"}}})
		doc = append(doc, bson.E{Key: "quality", Value: bson.D{{Key: "flags", Value: bson.A{"odd", fmt.Sprint("flag_", r.IntN(3))}[:r.IntN(3)]}}})
		raw, err := bson.Marshal(doc)
		require.NoError(t, err)
		docs[i] = raw
	}
	return docs
}

func sketch(t require.TestingT, plan *Plan, docs []bson.Raw) *Sketch {
	s := New(plan)
	for _, doc := range docs {
		require.NoError(t, s.Add(doc))
	}
	return s
}

func packed(t require.TestingT, s *Sketch) []byte {
	b, err := s.Store()
	require.NoError(t, err)
	return b
}

// TestDescriptionsEqualBruteForce: in whatever order and groups the sketches of
// pages are merged, the description is true within the errors that it states,
// and equal where nothing is an estimate.
func TestDescriptionsEqualBruteForce(t *testing.T) {
	plan := Of(sanFrancisco(t))
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		spread := map[string]int{}
		paths := []string{"ownership_name", "dba_name", "address.state", "dates.business_start_date", "districts.supervisor_district"}
		for _, path := range paths {
			spread[path] = rapid.SampledFrom([]int{1, 11, 99, 101, 900, 1000, 1001, 1300, 5000}).Draw(t, path)
		}
		docs := drawn(t, r, rapid.IntRange(0, 3000).Draw(t, "rows"), spread)
		once := sketch(t, plan, docs).Describe()
		requireTrue(t, plan, docs, &once)

		var pages [][]byte
		for rest := docs; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			pages, rest = append(pages, packed(t, sketch(t, plan, rest[:n]))), rest[n:]
		}
		for len(pages) > 1 { // any of them into one
			r.Shuffle(len(pages), func(i, j int) { pages[i], pages[j] = pages[j], pages[i] })
			n := 1 + r.IntN(len(pages))
			some := New(plan)
			for _, page := range pages[:n] {
				require.NoError(t, some.Merge(page))
			}
			pages = append(pages[n:], packed(t, some))
		}
		all := New(plan)
		for _, page := range pages {
			require.NoError(t, all.Merge(page))
		}
		merged := all.Describe()
		requireTrue(t, plan, docs, &merged)
		for i := range once.Fields {
			if once.Fields[i].DistinctError != 0 { // then the frequent ones depend on what was dropped where
				once.Fields[i].Top, once.Fields[i].TopError = merged.Fields[i].Top, merged.Fields[i].TopError
			}
		}
		if once.OutsideError != 0 || merged.OutsideError != 0 {
			once.HomeState, once.OutsideHome, once.OutsideError = merged.HomeState, merged.OutsideHome, merged.OutsideError
		}
		require.Equal(t, once, merged)
	})
}

// TestTheDirtyRegister: rows with the dirt of the real ones, in pages.
func TestTheDirtyRegister(t *testing.T) {
	spec := sanFrancisco(t)
	plan, docs := Of(spec), documents(t, spec, 30_000, 3)
	all := New(plan)
	for page := range slices.Chunk(docs, 4000) {
		require.NoError(t, all.Merge(packed(t, sketch(t, plan, page))))
	}
	d := all.Describe()
	requireTrue(t, plan, docs, &d)
	require.NotEmpty(t, d.Flags)
	estimates := 0
	for _, f := range d.Fields {
		if f.DistinctError != 0 {
			estimates++
		}
		// Useful: far below the counts that are listed.
		if f.TopError != 0 {
			assert.Less(t, f.TopError, int64(len(docs)/500), f.Path)
		}
	}
	require.NotZero(t, estimates)
	key := d.Fields[slices.IndexFunc(d.Fields, func(f Field) bool { return f.Path == "location_id" })]
	require.EqualValues(t, len(docs), *key.Distinct)
	require.Zero(t, key.DistinctError, "no two documents have one key")
}

// TestManyValuesTakeBoundedMemory: what a field is described by does not grow
// with its values, and the frequent ones among them are found.
func TestManyValuesTakeBoundedMemory(t *testing.T) {
	plan := Of(sanFrancisco(t))
	name := slices.IndexFunc(plan.Fields, func(f Planned) bool { return f.Path == "dba_name" })
	owner := slices.IndexFunc(plan.Fields, func(f Planned) bool { return f.Path == "ownership_name" })
	const pages, rows = 10, 40_000
	all := New(plan)
	want := map[string]int64{}
	for page := range pages {
		s := New(plan)
		for i := range rows {
			text := fmt.Sprint("Shop ", page, i)
			if i%100 == 0 {
				text = fmt.Sprint("Chain ", i/100%7)
			}
			want[text]++
			doc, err := bson.Marshal(bson.D{{Key: "ownership_name", Value: text}, {Key: "dba_name", Value: text}})
			require.NoError(t, err)
			require.NoError(t, s.Add(doc))
			require.Less(t, len(s.columns[name].listed), maxListed)
		}
		b := packed(t, s)
		require.Less(t, len(b), 32<<10)
		require.NoError(t, all.Merge(b))
		require.Less(t, len(all.columns[name].listed), maxListed)
		require.Empty(t, all.columns[owner].listed)
		require.Empty(t, all.columns[owner].index.slots)
	}
	d := all.Describe()
	got := d.Fields[name]
	require.LessOrEqual(t, math.Abs(float64(*got.Distinct)-float64(len(want))), DistinctError*float64(len(want)))
	require.GreaterOrEqual(t, len(got.Top), 7, "the chains are found")
	for i, c := range got.Top[:7] {
		require.Equal(t, "Chain", c.Value[:5], i)
		require.LessOrEqual(t, c.Rows, want[c.Value])
		require.LessOrEqual(t, want[c.Value], c.Rows+got.TopError)
	}
	require.Less(t, got.TopError, int64(pages*rows/1000))
}

// TestNoSensitiveValueIsKept: neither stored with a page nor described.
func TestNoSensitiveValueIsKept(t *testing.T) {
	plan := Of(sanFrancisco(t))
	for _, spread := range []int{5, 3000} {
		docs := drawn(t, rand.New(rand.NewPCG(1, 1)), 4000, map[string]int{"ownership_name": spread, "dba_name": spread})
		b := packed(t, sketch(t, plan, docs))
		r, err := zstd.NewReader(nil)
		require.NoError(t, err)
		plain, err := r.DecodeAll(b, nil)
		r.Close()
		require.NoError(t, err)
		require.Contains(t, string(plain), "Shop 1")
		require.NotContains(t, string(plain), "Leaktest")
		all := New(plan)
		require.NoError(t, all.Merge(b))
		text, err := json.Marshal(all.Describe())
		require.NoError(t, err)
		require.NotContains(t, string(text), "Leaktest")
	}
}

// TestLongValuesAreCut: what is kept of a value is bounded, and two long ones
// that begin alike stay two.
func TestLongValuesAreCut(t *testing.T) {
	plan := Of(sanFrancisco(t))
	long := strings.Repeat("é", maxText)
	s := New(plan)
	for i, text := range []string{long + "a", long + "b", long + "b", "short", "short", "short"} {
		doc, err := bson.Marshal(bson.D{{Key: "_id", Value: i}, {Key: "corridor", Value: text}})
		require.NoError(t, err)
		require.NoError(t, s.Add(doc))
	}
	b := packed(t, s)
	all := New(plan)
	require.NoError(t, all.Merge(b))
	require.NoError(t, all.Merge(b))
	d := all.Describe()
	got := d.Fields[slices.IndexFunc(d.Fields, func(f Field) bool { return f.Path == "corridor" })]
	require.EqualValues(t, 3, *got.Distinct)
	cut := strings.Repeat("é", maxText/2) + "…"
	require.Equal(t, []Counted{{"short", 6}, {cut, 4}, {cut, 2}}, got.Top)
}

// TestSketchesOfOthersAreNotMerged: nor is what is none.
func TestSketchesOfOthersAreNotMerged(t *testing.T) {
	plan := Of(sanFrancisco(t))
	good := packed(t, sketch(t, plan, drawn(t, rand.New(rand.NewPCG(1, 1)), 10, nil)))
	require.NoError(t, New(plan).Merge(good))

	other := *plan
	other.Spec = "another"
	require.ErrorIs(t, New(&other).Merge(good), ErrOther)
	var later bytes.Buffer
	next := stored{Version: Version + 1, Spec: plan.Spec, Columns: make([]storedColumn, len(plan.Fields))}
	require.NoError(t, gob.NewEncoder(&later).Encode(next))
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	require.ErrorIs(t, New(plan).Merge(w.EncodeAll(later.Bytes(), nil)), ErrOther)
	for _, bad := range [][]byte{nil, []byte("no sketch"), good[:len(good)-1], w.EncodeAll([]byte("no sketch"), nil)} {
		require.ErrorIs(t, New(plan).Merge(bad), ErrCorrupt)
	}
	require.NoError(t, w.Close())
}

// TestADocumentThatIsNoneIsAnError: and no panic.
func TestADocumentThatIsNoneIsAnError(t *testing.T) {
	plan := Of(sanFrancisco(t))
	good := drawn(t, rand.New(rand.NewPCG(1, 1)), 1, nil)[0]
	for _, bad := range []bson.Raw{nil, good[:3], good[:20], append(slices.Clone(good[:len(good)/2]), 0)} {
		require.Error(t, New(plan).Add(bad))
	}
}
