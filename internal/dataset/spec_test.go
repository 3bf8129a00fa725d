package dataset

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEmbeddedSpecs(t *testing.T) {
	require.Contains(t, Names(), "sf-business")
	for _, name := range Names() {
		s, err := Open(name)
		require.NoError(t, err)
		assert.Equal(t, name, s.Name, "a spec's file has its name")
		assert.Len(t, s.Digest(), 64)
	}
}
