package mirror_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/changes"
	"padron/internal/landing"
	"padron/internal/landing/landingtest"
	"padron/internal/mirror"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb"
	"padron/internal/mongodb/mongodbtest"
)

// TestAWorkerThatWakesLateOverwritesNothing suspends a worker of run r2 between
// its reading of the rows and its first write. Run r3 changes and removes them
// meanwhile; then the worker wakes.
func TestAWorkerThatWakesLateOverwritesNothing(t *testing.T) {
	for name, write := range map[string]func(*testing.T, *mirror.Mirror, landing.Zone, int) error{
		"upsert": func(t *testing.T, m *mirror.Mirror, l landing.Zone, n int) error {
			_, err := m.Upsert(t.Context(), l, mirrortest.Crawl(t.Context(), t, l, n, []landing.Record{
				landingtest.Valued(t, "a", n), landingtest.Valued(t, "b", n),
			}))
			return err
		},
		"remove": func(t *testing.T, m *mirror.Mirror, _ landing.Zone, n int) error {
			_, err := m.Remove(t.Context(), mirror.RemoveInput{
				Run: []string{1: "r1", 2: "r2", 3: "r3"}[n], Part: "p", At: mongodbtest.Day(n), Keys: []string{"a", "b"},
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			asleep, wake := make(chan struct{}), make(chan struct{})
			var suspended atomic.Bool
			db := mongodbtest.OpenOn(t, mongodbtest.Connect(t, func(o *options.ClientOptions) {
				o.SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
					if e.CommandName == "update" && mongodb.Text(e.Command, "update") == mongodb.Changes && suspended.CompareAndSwap(false, true) {
						close(asleep)
						<-wake
					}
				}})
			}))
			ctx := t.Context()
			l := landingtest.Directory(t)
			mirrortest.BeginRuns(ctx, t, db, "r1", "r2", "r3")
			m := mirror.New(db)
			mirrortest.Load(ctx, t, db, l, []landing.Record{landingtest.Valued(t, "a", 1), landingtest.Valued(t, "b", 1)})

			late := make(chan error, 1)
			go func() { late <- write(t, m, l, 2) }()
			<-asleep
			require.NoError(t, write(t, m, l, 3))
			want := storedEvents(ctx, t, db)
			close(wake)
			require.ErrorIs(t, <-late, mongodb.ErrConflict)

			got := storedEvents(ctx, t, db)
			require.Len(t, got, 2)
			require.Equal(t, want, got)
			for _, e := range got {
				require.Equal(t, "r3", e.Run)
			}
			report, err := m.Rehash(ctx, mirror.RehashInput{FirstLoads: []time.Time{mongodbtest.Day(1)}})
			require.NoError(t, err)
			require.Empty(t, report.Findings)
		})
	}
}

// TestAnEventOfAWrongClockIsNotInTheWay: a run whose clock was years ahead wrote
// its event, and crashed before its row. The next run changes the row all the
// same.
func TestAnEventOfAWrongClockIsNotInTheWay(t *testing.T) {
	db := mongodbtest.Open(t)
	ctx := t.Context()
	l := landingtest.Directory(t)
	mirrortest.BeginRuns(ctx, t, db, "r1", "r2", "future")
	mirrortest.Load(ctx, t, db, l, []landing.Record{landingtest.Valued(t, "a", 1), landingtest.Valued(t, "b", 1)})
	_, err := db.Collection(mongodb.Changes).InsertOne(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "key", Value: "a"}, {Key: "version", Value: int32(2)}}},
		{Key: "kinds", Value: bson.A{changes.KindUpdated}},
		{Key: "cause", Value: changes.CauseSource},
		{Key: "run", Value: "future"},
		{Key: "at", Value: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Key: "fields", Value: bson.A{}},
		{Key: "page", Value: "future/p/0000"},
	})
	require.NoError(t, err)
	_, err = mirror.New(db).Upsert(ctx, l, mirrortest.Crawl(ctx, t, l, 2, []landing.Record{landingtest.Valued(t, "a", 2), landingtest.Valued(t, "b", 2)}))
	require.NoError(t, err)
	events := storedEvents(ctx, t, db)
	require.Len(t, events, 2)
	for id, e := range events {
		require.Equal(t, "r2", e.Run, "%v", id)
		require.NotEmpty(t, e.Fields)
	}
}
