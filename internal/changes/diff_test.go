package changes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/changes"
	"padron/internal/changes/changestest"
	"padron/internal/mongodb/mongodbtest"
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
			got, err := changes.Diff(parse(tc.old), parse(tc.now))
			require.NoError(t, err)
			assert.Equal(t, tc.want, strings.Join(changestest.Tell(changes.Event{Fields: got}).Fields, "; "))
		})
	}
	_, err := changes.Diff(bson.Raw{5, 0, 0, 0, 1}, nil)
	require.Error(t, err)
	_, err = changes.Diff(nil, bson.Raw{9, 0, 0, 0, 2, 'a', 0, 9, 0})
	require.Error(t, err)
}

// TestDiffApplies: what differs, applied to the one document, gives the other.
func TestDiffApplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, err := bson.Marshal(changestest.Document(2).Draw(t, "old"))
		require.NoError(t, err)
		now, err := bson.Marshal(changestest.Document(2).Draw(t, "now"))
		require.NoError(t, err)
		fields, err := changes.Diff(old, now)
		require.NoError(t, err)

		leaves, err := changes.LeavesOf(old)
		require.NoError(t, err)
		want, err := changes.LeavesOf(now)
		require.NoError(t, err)
		require.Equal(t, len(fields) == 0, leaves.Equal(want))
		leaves.Apply(changes.Event{Fields: fields})
		require.True(t, leaves.Equal(want), "%v is not %v", leaves, want)
	})
}

func TestApplyForgetsWhatWasDropped(t *testing.T) {
	leaves := changes.Leaves{"secret": changestest.Value(t, "x"), "name": changestest.Value(t, "n")}
	leaves.Apply(changes.Event{Fields: []changes.FieldChange{{Path: "secret"}}})
	assert.True(t, leaves.Equal(changes.Leaves{"name": changestest.Value(t, "n")}))
}

func TestEventJSON(t *testing.T) {
	event := changes.Event{
		EventID: changes.EventID{Key: "k", Version: 2}, Kinds: []string{changes.KindMoved}, Cause: changes.CauseSource,
		Run: "r", At: mongodbtest.Day(1), Page: "r/p/0000",
		Fields: []changes.FieldChange{
			{Path: "a", From: changestest.Value(t, "x"), To: bson.RawValue{Type: bson.TypeNull}},
			{Path: "b", To: changestest.Value(t, bson.A{int32(1), 2.5, mongodbtest.Day(1)})},
			{Path: "secret"},
		},
	}
	got, err := json.Marshal(event)
	require.NoError(t, err)
	assert.JSONEq(t, `{"key":"k","version":2,"kinds":["moved"],"cause":"source","run":"r","at":"2026-10-01T11:15:00Z","page":"r/p/0000","fields":[
		{"path":"a","from":"x","to":null},{"path":"b","to":[1,2.5,{"$date":"2026-10-01T11:15:00Z"}]},{"path":"secret"}]}`, string(got))
}
