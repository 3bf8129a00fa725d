package store

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// published is when the first version of a test's dataset came out.
var published = time.Date(2026, 10, 3, 11, 15, 0, 0, time.UTC)

// allKinds has a column of every kind, the key first.
func allKinds() []Column {
	constant := TextValue(`the "same"`)
	return []Column{
		{Name: "id"},
		{Name: "number", Kind: KindNumber},
		{Name: "checkbox", Kind: KindCheckbox},
		{Name: "date", Kind: KindCalendarDate},
		{Name: "point", Kind: KindPoint},
		{Name: "place", Kind: KindLocation},
		{Name: "text"},
		{Name: "constant", Constant: &constant},
	}
}

func tableOf(t require.TestingT, columns []Column, rows ...[]Value) *Table {
	b, err := NewBuilder(columns, len(rows))
	require.NoError(t, err)
	for _, cells := range rows {
		b.Add(cells)
	}
	return b.Table()
}

// keyed makes a dataset of one text column, the key; "" is null.
func keyed(t require.TestingT, collate func(a, b string) int, keys ...string) *Snapshot {
	rows := make([][]Value, len(keys))
	for i, k := range keys {
		rows[i] = []Value{{}}
		if k != "" {
			rows[i][0] = TextValue(k)
		}
	}
	s, err := NewSnapshot(tableOf(t, []Column{{Name: "id"}}, rows...), Options{Key: "id", Published: published, Collate: collate})
	require.NoError(t, err)
	return s
}

func keys(s *Snapshot) []string {
	list := []string{}
	for row := range s.All {
		k, _ := row["id"].(string)
		list = append(list, k)
	}
	return list
}

// randomValue draws a cell of a kind, null included.
func randomValue(k Kind) *rapid.Generator[Value] {
	return rapid.Custom(func(t *rapid.T) Value {
		if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
			return Value{}
		}
		switch k {
		case KindNumber:
			return NumberValue(strconv.FormatFloat(rapid.Float64Range(-1e9, 1e9).Draw(t, "number"), 'f', -1, 64))
		case KindCheckbox:
			return BoolValue(rapid.Bool().Draw(t, "checkbox"))
		case KindCalendarDate:
			at := rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds") * 1000 // the years 1 to 9999
			if rapid.Bool().Draw(t, "day") {
				at -= ((at % dayMillis) + dayMillis) % dayMillis
			} else {
				at += rapid.Int64Range(0, 999).Draw(t, "milliseconds")
			}
			return Value{Kind: k, Set: true, At: at}
		case KindPoint:
			return PointValue(rapid.Float64Range(-180, 180).Draw(t, "lon"), rapid.Float64Range(-90, 90).Draw(t, "lat"))
		case KindLocation:
			v, err := FromGo(k, map[string]any{"address": rapid.String().Draw(t, "address")})
			require.NoError(t, err)
			return v
		default:
			return TextValue(rapid.String().Draw(t, "text"))
		}
	})
}

// What is written into a record is read back, cell by cell and as JSON, with
// dictionaries and without.
func TestRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := NewBuilder(allKinds(), 0)
		require.NoError(t, err)
		rows := make([][]Value, rapid.IntRange(1, 10).Draw(t, "rows"))
		for i := range rows {
			rows[i] = b.Row()
			for slot := range rows[i] {
				rows[i][slot] = randomValue(b.Columns()[slot].Kind).Draw(t, "cell")
			}
			b.Add(rows[i])
		}
		table := b.Table()
		prefixes := make([]string, len(rows[0]))
		for _, c := range table.columns[1:6] { // text has no prefix
			prefixes[c.Slot] = `,"` + c.Name + `":`
		}
		check := func(r Record, cells []Value) {
			want := ""
			for slot, v := range cells {
				require.Equal(t, v, r.Cell(slot))
				if v.Set && prefixes[slot] != "" {
					want += prefixes[slot] + string(v.AppendJSON(nil))
				}
			}
			require.Equal(t, want, string(r.AppendJSON(nil, prefixes)))
		}
		for i, cells := range rows {
			check(openRecord(table.chunks, table.slots, table.rows[i]), cells)
			check(openRecord([]string{string(appendRecord(nil, cells, noWord))}, table.slots, Row{}), cells)
		}
	})
}

// A dictionary that is full leaves the other texts in the records.
func TestFullDictionary(t *testing.T) {
	b, err := NewBuilder([]Column{{Name: "id"}}, 0)
	require.NoError(t, err)
	const n = maxWords + 500
	for i := range n {
		b.Add([]Value{TextValue(fmt.Sprintf("%06d", i))})
	}
	table := b.Table()
	assert.Len(t, table.slots[0].words, maxWords)
	s, err := NewSnapshot(table, Options{Key: "id", Published: published})
	require.NoError(t, err)
	for i, k := range keys(s) {
		require.Equal(t, fmt.Sprintf("%06d", i), k)
	}
	c := s.Contents(3)["id"]
	assert.Equal(t, n, c.Set)
	assert.InEpsilon(t, n, c.Distinct, 0.005, "estimated")
	assert.Equal(t, "000000", c.Smallest)
	assert.Equal(t, fmt.Sprintf("%06d", n-1), c.Largest)
}

// A value's JSON is what encoding/json makes of it, and comes back as the
// value.
func TestJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom([]Kind{
			KindText, KindNumber, KindCheckbox, KindCalendarDate, KindPoint, KindLocation,
		}).Draw(t, "kind")
		v := randomValue(k).Filter(func(v Value) bool { return v.Set }).Draw(t, "value")
		var decoded any
		require.NoError(t, json.Unmarshal(v.AppendJSON(nil), &decoded))
		assert.Equal(t, v.Go(), decoded)
		again, err := FromGo(k, decoded)
		require.NoError(t, err)
		assert.Equal(t, v, again)
		if k == KindCalendarDate {
			layout := "2006-01-02T15:04:05.000"
			assert.Equal(t, time.UnixMilli(v.At).UTC().Format(layout), decoded)
			fixed := Value{Kind: KindFixedTimestamp, Set: true, At: v.At}
			assert.Equal(t, time.UnixMilli(v.At).UTC().Format(layout+"Z"), fixed.Go())
		}
	})
}

func TestFromGo(t *testing.T) {
	noon := time.Date(2020, 1, 2, 12, 0, 0, 0, time.FixedZone("", 3600))
	for _, test := range []struct {
		kind Kind
		x    any
		want any // nil: refused
	}{
		{KindText, "a", "a"},
		{KindText, "a\xff", "a\ufffd"},
		{KindText, 12, "12"},
		{KindText, 1.5, "1.5"},
		{KindText, true, nil},
		{KindNumber, "1.50", "1.50"},
		{KindNumber, "-3e2", "-3e2"},
		{KindNumber, "0x10", nil},
		{KindNumber, "1_000", nil},
		{KindNumber, "NaN", nil},
		{KindNumber, "1e999", nil},
		{KindCheckbox, "true", true},
		{KindCheckbox, false, false},
		{KindCheckbox, "Y", nil},
		{KindCalendarDate, "2020-01-02", "2020-01-02T00:00:00.000"},
		{KindCalendarDate, "01/02/2020", "2020-01-02T00:00:00.000"},
		{KindCalendarDate, "01/02/2020 01:30:00 PM", "2020-01-02T13:30:00.000"},
		{KindCalendarDate, "2020-01-02T03:04:05.678", "2020-01-02T03:04:05.678"},
		{KindCalendarDate, noon, "2020-01-02T12:00:00.000"},
		{KindCalendarDate, "0000-01-01", nil},
		{KindCalendarDate, "0001-01-01T00:00:00+01:00", nil},
		{KindCalendarDate, "soon", nil},
		{KindPoint, "POINT (-122.4 37.7)", point(-122.4, 37.7)},
		{KindPoint, "(37.7, -122.4)", point(-122.4, 37.7)},
		{KindPoint, [2]float64{-122.4, 37.7}, point(-122.4, 37.7)},
		{KindPoint, point(-122.4, 37.7), point(-122.4, 37.7)},
		{KindPoint, map[string]any{"latitude": "37.7", "longitude": "-122.4"}, point(-122.4, 37.7)},
		{KindPoint, [2]float64{math.NaN(), 1}, nil},
		{KindPoint, "POINT (1)", nil},
		{KindPoint, "somewhere", nil},
		{KindLocation, map[string]any{"a": "b"}, map[string]any{"a": "b"}},
	} {
		v, err := FromGo(test.kind, test.x)
		if test.want == nil {
			require.Error(t, err, "%v", test.x)
			continue
		}
		require.NoError(t, err, "%v", test.x)
		assert.Equal(t, test.want, v.Go(), "%v", test.x)
	}
	null, err := FromGo(KindNumber, nil)
	require.NoError(t, err)
	assert.Equal(t, Value{}, null)
}

func point(lon, lat float64) map[string]any {
	return map[string]any{"type": "Point", "coordinates": []any{lon, lat}}
}

// Whatever text becomes a value is rendered as JSON and read back as the same.
func FuzzFromGo(f *testing.F) {
	for _, seed := range []string{
		"", "a\"b\\\n\x00\xff", "1.50", "-3e2", "+.5", "0x10", "1_000", "inf", "true", "1", "2020-01-02", "01/02/2020",
		"01/02/2020 12:00:00 AM", "2020-01-02T03:04:05.678", "2020-01-02T03:04:05Z", "0001-01-01T00:00:00+01:00",
		"9999-12-31T23:59:59-01:00", "POINT (-122.4 37.7)", "point(1 2)", "(37.7, -122.4)", "(0,inf)", "1e300,1e300",
	} {
		for k := KindText; k <= KindLocation; k++ {
			f.Add(seed, uint8(k))
		}
	}
	f.Fuzz(func(t *testing.T, text string, k uint8) {
		kind := Kind(k) % KindFixedTimestamp
		v, err := FromGo(kind, text)
		if err != nil {
			return
		}
		rendered := v.AppendJSON(nil)
		var decoded any
		if err := json.Unmarshal(rendered, &decoded); err != nil {
			t.Fatalf("%s %q: no JSON: %s", kind, text, rendered)
		}
		again, err := FromGo(kind, decoded)
		if err != nil || !reflect.DeepEqual(again.Go(), v.Go()) {
			t.Fatalf("%s %q: %+v came back as %+v, %v", kind, text, v, again, err)
		}
	})
}

func TestCompareAndIdentity(t *testing.T) {
	date := func(s string) Value { v, _ := ParseDate(s); return v }
	for _, test := range []struct {
		a, b Value
		want int
	}{
		{TextValue("10"), TextValue("9"), -1},
		{TextValue("a"), TextValue("a"), 0},
		{NumberValue("10"), NumberValue("9"), 1},
		{NumberValue("1.50"), NumberValue("1.5"), 0},
		{BoolValue(false), BoolValue(true), -1},
		{date("2020-01-02"), date("2020-01-03"), -1},
		{date("2020-01-02"), date("01/02/2020"), 0},
	} {
		assert.Equal(t, test.want, compareValues(test.a, test.b), "%v %v", test.a, test.b)
		assert.Equal(t, -test.want, compareValues(test.b, test.a), "%v %v", test.a, test.b)
		assert.Equal(t, test.want == 0, test.a.Identity() == test.b.Identity(), "%v %v", test.a, test.b)
	}
	assert.True(t, BoolValue(true).True())
	assert.False(t, BoolValue(false).True())
	assert.False(t, Value{}.True())
	assert.False(t, Value{Kind: KindCalendarDate, Set: true, At: 1}.True())
}

func TestColumnsOfATable(t *testing.T) {
	table := tableOf(t, []Column{{Name: "dba_name"}, {Name: "ttxid", Title: "Location Id"}, {Name: ":@computed_region_6qbp_sg9q"}})
	assert.Equal(t, []string{"dba_name", "ttxid", ":@computed_region_6qbp_sg9q"}, table.Columns())
	assert.Equal(t, "Dba Name", table.columns[0].Title)
	assert.Equal(t, "Location Id", table.columns[1].Title)
	assert.Equal(t, "Computed Region 6qbp Sg9q", table.columns[2].Title)
	_, err := NewBuilder(make([]Column, maxSlots+1), 0)
	require.ErrorContains(t, err, "65 columns: at most 64 are supported")
	_, err = NewSnapshot(table, Options{Key: "gone"})
	require.ErrorContains(t, err, `no column "gone" to be its key; it has dba_name, ttxid, :@computed_region_6qbp_sg9q`)
}

// Rows are in key order, rows without a key last, and found by their key.
func TestKeys(t *testing.T) {
	reversed := func(a, b string) int { return strings.Compare(b, a) }
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.StringMatching(`[a-c]{0,2}`), 0, 12).Draw(t, "keys")
		var collate func(a, b string) int
		if rapid.Bool().Draw(t, "reversed") {
			collate = reversed
		}
		s := keyed(t, collate, list...)
		want := slices.Clone(list)
		slices.SortFunc(want, func(a, b string) int {
			switch {
			case a == "" || b == "":
				return strings.Compare(b, a)
			case collate != nil:
				return collate(a, b)
			default:
				return strings.Compare(a, b)
			}
		})
		require.Equal(t, want, keys(s))
		require.Equal(t, len(list), s.Len())
		none := 0
		count := map[string]int{}
		for _, k := range list {
			if k == "" {
				none++
			}
			count[k]++
		}
		require.Len(t, s.Keyless(), none)
		require.Equal(t, len(count) == len(list) || len(list)-len(count) == max(0, none-1), s.Unique())
		for _, k := range append(list, "b", "zz") {
			if k == "" {
				continue
			}
			found := s.Find(k)
			require.Len(t, found, count[k])
			for _, row := range found {
				require.Equal(t, k, s.Key(row).Text)
				require.Equal(t, map[string]any{"id": k}, s.Decoded(row))
			}
		}
	})
}

// An edit leaves the version before as it was.
func TestEditsMakeVersions(t *testing.T) {
	first := keyed(t, nil, "a", "b", "b", "")
	e := first.Edit(published.Add(time.Hour))
	require.NoError(t, e.Insert(map[string]any{"id": "c"}))
	require.NoError(t, e.Insert(map[string]any{}))
	require.NoError(t, e.Update("a", map[string]any{"id": "z"}))
	require.NoError(t, e.Delete("b"))
	require.NoError(t, e.AddColumn("note", "text"))
	require.NoError(t, e.Update("z", map[string]any{"note": "moved"}))
	require.ErrorContains(t, e.Delete("b"), `no row with key "b"`)
	second := e.Finish()
	assert.Equal(t, []string{"a", "b", "b", ""}, keys(first))
	assert.Equal(t, []string{"c", "z", "", ""}, keys(second))
	assert.False(t, first.Unique())
	assert.True(t, second.Unique())
	assert.Equal(t, map[string]any{"id": "z", "note": "moved"}, second.Decoded(second.Find("z")[0]))
	assert.Equal(t, published, first.Published())
	assert.Equal(t, published.Add(time.Hour), second.Published())
	assert.Equal(t, published, second.First())
	assert.Equal(t, published, first.ColumnsChanged())
	assert.Equal(t, published.Add(time.Hour), second.ColumnsChanged())
	assert.False(t, second.SameColumns(first))

	third := func(change func(*Edit) error) *Snapshot {
		e := second.Edit(published.Add(2 * time.Hour))
		require.NoError(t, change(e))
		return e.Finish()
	}
	assert.True(t, third(func(e *Edit) error { return e.Delete("c") }).SameColumns(second))
	assert.False(t, third(func(e *Edit) error { return e.RenameColumn("note", "remark") }).SameColumns(second))
	constant := third(func(e *Edit) error { return e.SetConstant("note", TextValue("same")) })
	assert.Equal(t, map[string]any{"id": "c", "note": "same"}, constant.Decoded(constant.Find("c")[0]))
	assert.Equal(t, published.Add(time.Hour), constant.ColumnsChanged())
	replaced := third(func(e *Edit) error { e.ReplaceAll(); return nil })
	assert.False(t, replaced.SameColumns(second))
	for i, c := range SystemColumns() {
		row := second.Rows()[0]
		assert.NotEqual(t, second.System(row, i), replaced.System(row, i), c.Name)
	}
	assert.NotEqual(t, second.Hash(1), replaced.Hash(1))
}

// The contents of columns are what counting by hand gives, edited values
// included.
func TestContents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := NewBuilder(allKinds(), 0)
		require.NoError(t, err)
		for i := range rapid.IntRange(0, 12).Draw(t, "rows") {
			cells := b.Row()
			cells[0] = TextValue(strconv.Itoa(i))
			for slot := 1; slot < len(cells)-1; slot++ {
				cells[slot] = randomValue(b.Columns()[slot].Kind).Draw(t, "cell")
			}
			cells[len(cells)-1] = TextValue(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "text"))
			b.Add(cells)
		}
		s, err := NewSnapshot(b.Table(), Options{Key: "id", Published: published})
		require.NoError(t, err)
		if s.Len() > 0 {
			e := s.Edit(published.Add(time.Hour))
			require.NoError(t, e.Update("0", map[string]any{"text": rapid.SampledFrom([]string{"a", "d"}).Draw(t, "edited")}))
			s = e.Finish()
		}
		contents := s.Contents(2)
		for _, c := range s.Columns() {
			if c.Constant != nil {
				continue
			}
			counts := map[string]int{}
			set := 0
			var smallest, largest Value
			for _, row := range s.Rows() {
				r := s.Record(row)
				v := r.Cell(c.Slot)
				if !v.Set {
					continue
				}
				set++
				counts[v.String()]++
				if !smallest.Set || compareValues(v, smallest) < 0 {
					smallest = v
				}
				if !largest.Set || compareValues(v, largest) > 0 {
					largest = v
				}
			}
			got := contents[c.Name]
			require.Equal(t, set, got.Set, c.Name)
			require.Equal(t, len(counts), got.Distinct, c.Name)
			if set > 0 {
				require.Equal(t, smallest.String(), got.Smallest, c.Name)
				require.Equal(t, largest.String(), got.Largest, c.Name)
			}
			require.Len(t, got.Top, min(2, len(counts)), c.Name)
			highest := 0
			for _, n := range counts {
				highest = max(highest, n)
			}
			for i, f := range got.Top {
				require.Equal(t, counts[f.Value], f.Rows, c.Name)
				if i == 0 {
					require.Equal(t, highest, f.Rows, c.Name)
				}
			}
		}
		constant := Contents{
			Set: s.Len(), Distinct: 1, Smallest: `the "same"`, Largest: `the "same"`, Top: []Frequency{{`the "same"`, s.Len()}},
		}
		require.Equal(t, constant, contents["constant"])
	})
}
