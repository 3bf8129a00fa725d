package mirror_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb/mongodbtest"
)

func TestGroupCounts(t *testing.T) {
	db := mongodbtest.Open(t)
	m := mirror.New(db)
	ctx := t.Context()
	l := landingtest.Directory(t)
	doc := func(key string, fields ...bson.E) landing.Record { return landingtest.Clean(t, key, fields...) }
	address := func(city string) bson.E { return bson.E{Key: "address", Value: bson.D{{Key: "city", Value: city}}} }
	original := func(column string, value any) bson.E {
		return bson.E{Key: "source", Value: bson.D{{Key: column, Value: value}}}
	}
	_, err := m.Upsert(ctx, l, mirrortest.FirstLoad(ctx, t, l, []landing.Record{
		doc("a", address("San Francisco"), original("city", "San+francisco")),
		doc("b", address("San Francisco")),
		doc("c", address("San Francisco"), original("state", "ca")),
		doc("d", address("Oakland"), bson.E{Key: "district", Value: int32(3)}),
		doc("e", bson.E{Key: "district", Value: int64(3)}),
		doc("f", original("city", " "), bson.E{Key: "district", Value: 3.0}),
		doc("g", bson.E{Key: "open", Value: true}, bson.E{Key: "district", Value: 3.5}),
		doc("h", bson.E{Key: "day", Value: time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC)},
			original("district", bson.D{{Key: "json", Value: "[1]"}})),
	}))
	require.NoError(t, err)
	column := func(name, path string) mirror.SourceColumn { return mirror.SourceColumn{Column: name, Path: path} }
	got, err := m.GroupCounts(ctx,
		column("city", "address.city"), column("district", "district"), column("open", "open"), column("day", "day"), column("none", "none"))
	require.NoError(t, err)
	value := func(v string, rows int64) certificate.GroupValue { return certificate.GroupValue{Value: v, Rows: rows} }
	null := func(rows int64) certificate.GroupValue { return certificate.GroupValue{Null: true, Rows: rows} }
	group := func(column string, values ...certificate.GroupValue) certificate.Group {
		return certificate.Group{Column: column, Values: values}
	}
	assert.Equal(t, []certificate.Group{
		group("city", null(3), value(" ", 1), value("Oakland", 1), value("San Francisco", 2), value("San+francisco", 1)),
		group("district", null(3), value("3", 3), value("3.5", 1), value("[1]", 1)),
		group("open", null(7), value("true", 1)),
		group("day", null(7), value("2026-10-03T00:00:00.000", 1)),
		group("none", null(8)),
	}, got)
}
