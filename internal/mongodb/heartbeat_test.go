package mongodb

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heartbeats := 0
		heartbeat := func(rows int64) { heartbeats++; assert.EqualValues(t, 7, rows) }
		err := WithHeartbeat(t.Context(), heartbeat, func(_ context.Context, p *Progress) error {
			p.Add(7)
			time.Sleep(heartbeatInterval * 5 / 2)
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, 2, heartbeats)
	})
}
