package mongodb_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/landing"
	"padron/internal/mongodb"
)

func TestIsDown(t *testing.T) {
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:1").SetServerSelectionTimeout(20 * time.Millisecond))
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Disconnect(t.Context())) }()
	_, err = mongodb.Open(t.Context(), client, "p", "d")
	require.Error(t, err)
	assert.True(t, mongodb.IsDown(err), "%v", err)

	for code, want := range map[int32]bool{91: true, 189: true, 10107: true, 11600: true, mongodb.DuplicateKey: false, 2: false} {
		assert.Equal(t, want, mongodb.IsDown(fmt.Errorf("write: %w", mongo.CommandError{Code: code})), "code %d", code)
	}
	for _, err := range []error{mongodb.ErrConflict, landing.ErrCorrupt, mongodb.ErrForeign, context.Canceled} {
		assert.False(t, mongodb.IsDown(err), "%v", err)
	}
}
