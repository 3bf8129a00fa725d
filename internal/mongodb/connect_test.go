package mongodb_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/mongodb"
)

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"mongodb://127.0.0.1:27017":                         "mongodb://127.0.0.1:27017",
		"mongodb://user:secret@a:1,b:2/db?authSource=admin": "mongodb://a:1,b:2",
		"mongodb://user:sec/r?et@a:1/db":                    "mongodb://a:1",
		"mongodb://u:p@ss@a/":                               "mongodb://a",
		"mongodb+srv://u:p@cluster.example.org":             "mongodb+srv://cluster.example.org",
		"mongodb://a/?tlsCertificateKeyFilePassword=secret": "mongodb://a",
		"secret": "(no scheme)",
	} {
		assert.Equal(t, want, mongodb.Address(in))
	}
}

func TestConnectErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		uri  string
		want error
	}{
		"nobody listens":  {"mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=30", mongodb.ErrUnreachable},
		"no scheme":       {"user:secret@127.0.0.1", mongodb.ErrAddress},
		"bad parameter":   {"mongodb://user:secret@127.0.0.1/?w=-3", mongodb.ErrAddress},
		"bad escape":      {"mongodb://user:secret%zz@127.0.0.1/", mongodb.ErrAddress},
		"empty":           {"", mongodb.ErrAddress},
		"another product": {"postgres://user:secret@127.0.0.1/db", mongodb.ErrAddress},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := mongodb.Connect(ctx, tc.uri)
			require.ErrorIs(t, err, tc.want)
			assert.NotContains(t, err.Error(), "secret")
			assert.Contains(t, err.Error(), mongodb.Address(tc.uri))
			assert.Contains(t, err.Error(), "set")
		})
	}
}
