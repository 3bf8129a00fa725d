package mirror

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

func TestDiff(t *testing.T) {
	for name, tc := range map[string]struct {
		old, now string // extended JSON
		want     string // path: from -> to
	}{
		"equal":                  {`{"a":1,"b":{"c":[1]}}`, `{"a":1,"b":{"c":[1]}}`, ``},
		"another order":          {`{"a":1,"b":2}`, `{"b":2,"a":1}`, ``},
		"changed":                {`{"a":1,"b":"x"}`, `{"a":2,"b":"x"}`, `a: {"$numberInt":"1"} -> {"$numberInt":"2"}`},
		"came":                   {`{"a":"x"}`, `{"n":"y","a":"x"}`, `n:  -> "y"`},
		"went":                   {`{"a":"x","b":"y"}`, `{"b":"y"}`, `a: "x" -> `},
		"all came":               {``, `{"a":{"b":"x"},"c":"y"}`, `a.b:  -> "x"; c:  -> "y"`},
		"within":                 {`{"a":{"b":"x","c":{"d":"y"}}}`, `{"a":{"b":"x","c":{"d":"z","e":null}}}`, `a.c.d: "y" -> "z"; a.c.e:  -> null`},
		"array is whole":         {`{"a":["x","y"]}`, `{"a":["x"]}`, `a: ["x","y"] -> ["x"]`},
		"type alone":             {`{"a":"1"}`, `{"a":null}`, `a: "1" -> null`},
		"value to document":      {`{"a":"x"}`, `{"a":{"b":"y","c":"z"}}`, `a.b:  -> "y"; a.c:  -> "z"; a: "x" -> `},
		"document to value":      {`{"a":{"b":"y"}}`, `{"a":"x"}`, `a:  -> "x"; a.b: "y" -> `},
		"document to empty one":  {`{"a":{"b":"y"}}`, `{"a":{}}`, `a:  -> {}; a.b: "y" -> `},
		"empty one comes":        {`{}`, `{"a":{}}`, `a:  -> {}`},
		"first and last changed": {`{"a":"1","b":"2","c":"3"}`, `{"a":"4","b":"2","c":"5","d":"6"}`, `a: "1" -> "4"; c: "3" -> "5"; d:  -> "6"`},
	} {
		t.Run(name, func(t *testing.T) {
			parse := func(s string) bson.Raw {
				var d bson.D
				if s == "" {
					return nil
				}
				require.NoError(t, bson.UnmarshalExtJSON([]byte(s), false, &d))
				raw, err := bson.Marshal(d)
				require.NoError(t, err)
				return raw
			}
			got, err := Diff(parse(tc.old), parse(tc.now))
			require.NoError(t, err)
			assert.Equal(t, tc.want, strings.Join(tell(Event{Fields: got}).fields, "; "))
		})
	}
	_, err := Diff(bson.Raw{5, 0, 0, 0, 1}, nil)
	require.Error(t, err)
	_, err = Diff(nil, bson.Raw{9, 0, 0, 0, 2, 'a', 0, 9, 0})
	require.Error(t, err)
}

// someDocument draws documents that have a good deal in common.
func someDocument(depth int) *rapid.Generator[bson.D] {
	return rapid.Custom(func(t *rapid.T) bson.D {
		d := bson.D{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", ":@e"}), 0, 5, rapid.ID[string]).Draw(t, "names") {
			var v any
			switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case kind == 0:
				v = nil
			case kind == 1:
				v = bson.A{rapid.IntRange(0, 1).Draw(t, "item")}
			case kind == 2:
				v = day(rapid.IntRange(1, 2).Draw(t, "day"))
			case kind > 3 && depth > 0:
				v = someDocument(depth-1).Draw(t, "inner")
			default:
				v = rapid.SampledFrom([]any{"x", "y", int32(1), int64(1), 1.0, true}).Draw(t, "value")
			}
			d = append(d, bson.E{Key: name, Value: v})
		}
		return d
	})
}

// TestDiffApplies: what differs, applied to the one document, gives the other;
// and through the stored form of an event as well.
func TestDiffApplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, err := bson.Marshal(someDocument(2).Draw(t, "old"))
		require.NoError(t, err)
		now, err := bson.Marshal(someDocument(2).Draw(t, "now"))
		require.NoError(t, err)
		fields, err := Diff(old, now)
		require.NoError(t, err)
		event := Event{EventID: EventID{"k", 2}, Kinds: []string{KindUpdated}, Cause: CauseSource, Run: "r", At: day(1), Fields: fields, Page: "r/p/0000"}
		element, err := appendEventUpsert(nil, &event)
		require.NoError(t, err)
		require.NoError(t, bson.Raw(element).Validate())
		var stored Event
		require.NoError(t, bson.Unmarshal(bson.Raw(element).Lookup("u").Document(), &stored))
		require.Equal(t, tell(event), tell(Event{stored.EventID, stored.Kinds, stored.Cause, stored.Run, stored.At.UTC(), stored.Fields, stored.Page}))

		leaves, err := LeavesOf(old)
		require.NoError(t, err)
		want, err := LeavesOf(now)
		require.NoError(t, err)
		require.Equal(t, len(fields) == 0, leaves.Equal(want))
		leaves.Apply(stored)
		require.True(t, leaves.Equal(want), "%v is not %v", leaves, want)
	})
}

func TestApplyForgetsWhatWasDropped(t *testing.T) {
	leaves := Leaves{"secret": rawValue(t, "x"), "name": rawValue(t, "n")}
	leaves.Apply(Event{Fields: []FieldChange{{Path: "secret"}}})
	assert.True(t, leaves.Equal(Leaves{"name": rawValue(t, "n")}))
}

func TestEventJSON(t *testing.T) {
	event := Event{EventID: EventID{"k", 2}, Kinds: []string{KindMoved}, Cause: CauseSource, Run: "r", At: day(1), Page: "r/p/0000", Fields: []FieldChange{
		{Path: "a", From: rawValue(t, "x"), To: bson.RawValue{Type: bson.TypeNull}},
		{Path: "b", To: rawValue(t, bson.A{int32(1), 2.5, day(1)})},
		{Path: "secret"},
	}}
	got, err := json.Marshal(event)
	require.NoError(t, err)
	assert.JSONEq(t, `{"key":"k","version":2,"kinds":["moved"],"cause":"source","run":"r","at":"2026-10-01T11:15:00Z","page":"r/p/0000","fields":[
		{"path":"a","from":"x","to":null},{"path":"b","to":[1,2.5,{"$date":"2026-10-01T11:15:00Z"}]},{"path":"secret"}]}`, string(got))
}

func rawValue(t require.TestingT, v any) bson.RawValue {
	kind, value, err := bson.MarshalValue(v)
	require.NoError(t, err)
	return bson.RawValue{Type: kind, Value: value}
}
