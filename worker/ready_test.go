package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.temporal.io/sdk/client"
)

// TestReadinessNamesNoMachine: /readyz says what does not answer, and only the
// log where it was looked for.
func TestReadinessNamesNoMachine(t *testing.T) {
	const nowhere = "127.0.0.1:1"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	temporal, err := client.NewLazyClient(client.Options{HostPort: nowhere, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(temporal.Close)
	database, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + nowhere).SetServerSelectionTimeout(100 * time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(func() { _ = database.Disconnect(context.WithoutCancel(t.Context())) })
	m, err := newMetrics()
	require.NoError(t, err)
	server, err := serve("127.0.0.1:0", false, m, health{temporal: temporal, database: database, log: logger})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Addr+"/readyz", http.NoBody)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	require.Regexp(t, `^Temporal is not reachable\nMongoDB (is not reachable|did not answer in time)\n$`, string(body))
	require.Contains(t, log.String(), nowhere, "the operator is told")
}
