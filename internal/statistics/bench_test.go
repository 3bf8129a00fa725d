package statistics

import (
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/certificate"
	"padron/internal/mirror/mirrortest"
	"padron/internal/mongodb/mongodbtest"
)

// registerRows is how many rows San Francisco's register has.
const registerRows = 368_000

// BenchmarkStatistics takes a snapshot of as many rows as San Francisco has.
func BenchmarkStatistics(b *testing.B) {
	store := NewStore(mongodbtest.Open(b))
	mirrortest.LoadSanFrancisco(b, store.db, registerRows)
	date := mongodbtest.Day(1)
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			in := sanFranciscoStatistics(b, SnapshotInput{AsOf: date, Outcome: certificate.Green})
			_, taken, err := store.TakeSnapshot(b.Context(), in)
			require.NoError(b, err)
			require.True(b, taken)
			date = date.AddDate(0, 0, 1)
		}
	})
}
