package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/mongodb"
)

// TestKindTellsNoHostsAndNoValues: what the driver says has hosts and values in
// it; the kind of an error has neither, and what was being done stays.
func TestKindTellsNoHostsAndNoValues(t *testing.T) {
	const host, value = "127.0.0.1:1", "ZEBULON LEAKTEST"
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + host).SetServerSelectionTimeout(20 * time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) })
	_, away := client.Database("d").Collection("c").InsertOne(t.Context(), bson.D{{Key: "owner", Value: value}})
	require.ErrorContains(t, away, host)
	_, connect := mongodb.Connect(t.Context(), "mongodb://"+host+"/?serverSelectionTimeoutMS=20")
	require.ErrorContains(t, connect, host)
	short, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	late := client.Ping(short, nil)
	duplicate := mongo.WriteError{Code: mongodb.DuplicateKey, Message: "E11000 dup key: { owner: \"" + value + "\" }"}
	for text, err := range map[string]error{
		"MongoDB is not reachable":                       connect,
		"MongoDB did not answer in time":                 late,
		"MongoDB has a document with that key already":   mongo.WriteException{WriteErrors: mongo.WriteErrors{duplicate}},
		"MongoDB answered with an error (121)":           mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 121, Message: value}}},
		"MongoDB answered with an error (5 GraphError)":  mongo.CommandError{Code: 5, Name: "GraphError", Message: value},
		"MongoDB answered with an error (5)":             mongo.CommandError{Code: 5, Name: value, Message: value},
		"MongoDB refuses the user or its password":       mongo.CommandError{Code: 18, Message: value},
		"MongoDB does not allow this to the user":        mongo.CommandError{Code: 13, Message: value},
		"MongoDB's driver could not do it":               mongo.MarshalError{Value: value, Err: errors.New(value)},
		"page 3: write: MongoDB did not answer in time":  fmt.Errorf("page 3: write: %w (host %s)", away, host),
		"a: MongoDB did not answer in time":              errors.Join(fmt.Errorf("a: %w", away), fmt.Errorf("b: %w", away)),
		"find x: MongoDB answered with an error (5 Odd)": fmt.Errorf("find x: %w", mongo.CommandError{Code: 5, Name: "Odd", Message: host}),
	} {
		told := mongodb.Told(err)
		assert.Equal(t, text, told, "%v", err)
		assert.True(t, strings.HasSuffix(text, mongodb.Kind(err)), text)
		assert.NotContains(t, told, host)
		assert.NotContains(t, told, value)
	}
	for _, err := range []error{errors.New("other"), mongodb.ErrConflict, mongodb.ErrForeign, context.Canceled} {
		assert.Empty(t, mongodb.Kind(err))
		assert.Equal(t, err.Error(), mongodb.Told(err))
	}
}
