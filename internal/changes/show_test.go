package changes_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/changes/changestest"
)

func TestReadable(t *testing.T) {
	at := time.Date(2026, 10, 1, 11, 15, 0, 0, time.UTC)
	for name, tc := range map[string]struct{ value, want any }{
		"text":           {"Café", "Café"},
		"empty text":     {"", ""},
		"number":         {int32(7), int64(7)},
		"long number":    {int64(1) << 40, int64(1) << 40},
		"double":         {1.5, 1.5},
		"yes":            {true, true},
		"null":           {bson.Null{}, nil},
		"day":            {time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), "2026-10-01"},
		"moment":         {at, "2026-10-01T11:15:00Z"},
		"list":           {bson.A{"a&b", 1, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), bson.A{nil}}, json.RawMessage(`["a&b",1,"2026-10-01",[null]]`)},
		"empty list":     {bson.A{}, json.RawMessage(`[]`)},
		"point":          {bson.D{{Key: "type", Value: "Point"}, {Key: "coordinates", Value: bson.A{-122.4, 37.75}}}, "37.750000, -122.400000"},
		"document":       {bson.D{{Key: "a", Value: "b"}}, json.RawMessage(`{"a":"b"}`)},
		"empty document": {bson.D{}, json.RawMessage(`{}`)},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, changes.Readable(changestest.Value(t, tc.value)))
		})
	}
	require.Nil(t, changes.Readable(bson.RawValue{}), "an absent value")
}

func TestShow(t *testing.T) {
	e := changes.Event{
		EventID: changes.EventID{Key: "k", Version: 2}, Cause: changes.CauseSource, Run: "r",
		At: time.Date(2026, 10, 1, 11, 15, 0, 0, time.FixedZone("", 3600)),
		Fields: []changes.FieldChange{
			{Path: "dba_name", From: changestest.Value(t, "A"), To: changestest.Value(t, "B")},
			{Path: "owner", From: changestest.Value(t, "C"), To: changestest.Value(t, "D")},
			{Path: "facets.sector", To: changestest.Value(t, "44")},
			{Path: "quality", To: changestest.Value(t, 1)},
			{Path: "source.dba_name", To: changestest.Value(t, "b")},
			{Path: "lineage.run", To: changestest.Value(t, "r")},
			{Path: "sources", To: changestest.Value(t, 2)},
		},
	}
	owner := func(path string) bool { return path == "owner" }
	s := changes.Show(&e, owner, false)
	require.Equal(t, changes.Shown{
		Key: "k", Version: 2, Cause: changes.CauseSource, Run: "r", Kinds: []string{changes.KindUpdated}, At: time.Date(2026, 10, 1, 10, 15, 0, 0, time.UTC),
		Fields: []changes.ShownField{{Path: "dba_name", From: "A", To: "B"}, {Path: "owner", Hidden: true}, {Path: "sources", To: int64(2)}},
	}, s)
	require.Equal(t, changes.KindUpdated, s.Kind())
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"key":"k","version":2,"at":"2026-10-01T10:15:00Z","run":"r","kinds":["updated"],"cause":"source","fields":[
		{"path":"dba_name","from":"A","to":"B"},{"path":"owner","sensitive":true},{"path":"sources","to":2}]}`, string(encoded))

	all := changes.Show(&e, nil, true)
	require.Len(t, all.Fields, len(e.Fields))
	require.Equal(t, changes.ShownField{Path: "owner", From: "C", To: "D"}, all.Fields[1])
	require.Equal(t, []changes.ShownField{}, changes.Show(&changes.Event{}, nil, false).Fields, "a list in JSON, not null")
}

func TestName(t *testing.T) {
	doc, err := bson.Marshal(bson.D{{Key: "dba_name", Value: nil}, {Key: "owner", Value: "Smith"}, {Key: "names", Value: bson.D{{Key: "short", Value: "S"}}}})
	require.NoError(t, err)
	paths := []string{"dba_name", "owner", "names.short"}
	require.Equal(t, "Smith", changes.Name(doc, paths, nil))
	require.Equal(t, "S", changes.Name(doc, paths, func(path string) bool { return path == "owner" }))
	require.Empty(t, changes.Name(doc, paths[:1], nil))
	require.Empty(t, changes.Name(nil, paths, nil))
}
