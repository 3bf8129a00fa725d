// Package changestest draws documents that change, and shows events as tests
// write them.
package changestest

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"padron/internal/changes"
	"padron/internal/mongodb/mongodbtest"
)

// Document draws documents that have a good deal in common.
func Document(depth int) *rapid.Generator[bson.D] {
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
				v = mongodbtest.Day(rapid.IntRange(1, 2).Draw(t, "day"))
			case kind > 3 && depth > 0:
				v = Document(depth-1).Draw(t, "inner")
			default:
				v = rapid.SampledFrom([]any{"x", "y", int32(1), int64(1), 1.0, true}).Draw(t, "value")
			}
			d = append(d, bson.E{Key: name, Value: v})
		}
		return d
	})
}

// Told is an event as a test writes it.
type Told struct {
	Kinds, Cause, Run string // kinds with spaces between them
	At                time.Time
	Page              string
	Fields            []string // "path: from -> to"
}

// Tell shows an event.
func Tell(e changes.Event) Told {
	t := Told{strings.Join(e.Kinds, " "), e.Cause, e.Run, e.At, e.Page, nil}
	for _, f := range e.Fields {
		t.Fields = append(t.Fields, f.Path+": "+shown(f.From)+" -> "+shown(f.To))
	}
	return t
}

func shown(v bson.RawValue) string {
	if v.IsZero() {
		return ""
	}
	return v.String()
}

// Value is a value as documents hold it.
func Value(t require.TestingT, v any) bson.RawValue {
	kind, value, err := bson.MarshalValue(v)
	require.NoError(t, err)
	return bson.RawValue{Type: kind, Value: value}
}
