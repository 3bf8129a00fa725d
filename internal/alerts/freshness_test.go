package alerts

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/certificate"
	"padron/internal/mongodb/mongodbtest"
	"padron/internal/runs"
)

// TestAProofOfTheFutureIsNotFresh: nobody knows how old it is.
func TestAProofOfTheFutureIsNotFresh(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		stale bool
	}{
		"of now":               {0, false},
		"clocks that differ":   {clocksDiffer - time.Minute, false},
		"a clock that is late": {-23 * time.Hour, false},
		"too old":              {-25 * time.Hour, true},
		"of the future":        {48 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			db := mongodbtest.Open(t)
			records := runs.NewStore(db)
			ctx := t.Context()
			_, err := records.BeginRun(ctx, runs.Run{ID: "r", Started: time.Now().Add(c.ahead)})
			require.NoError(t, err)
			require.NoError(t, records.SetRun(ctx, "r", bson.D{
				{Key: "status", Value: runs.StatusDone}, {Key: "outcome", Value: certificate.Green},
			}))
			f, err := ReadFreshness(ctx, &records.Reader, db.Created, 24*time.Hour)
			require.NoError(t, err)
			require.Equal(t, c.stale, f.Stale(), "%s", f)
			require.Equal(t, c.ahead > clocksDiffer, f.Future())
			if f.Future() {
				require.Contains(t, f.String(), "is dated 47h59m ahead of this machine's clock")
			}
		})
	}
}
