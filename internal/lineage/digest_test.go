package lineage

import (
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"
)

type digestRow struct {
	key  string
	hash [HashSize]byte
}

func drawRows(t *rapid.T) []digestRow {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) digestRow {
		return digestRow{rapid.String().Draw(t, "key"), sha256.Sum256([]byte{rapid.Byte().Draw(t, "hash")})}
	}), 0, 40).Draw(t, "rows")
}

// The sum is what big numbers say it is, in any order, in parts, and back.
func TestDigestIsASum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		sum := new(big.Int)
		var all, left, right Digest
		for i, r := range rows {
			one := sha256.Sum256(slices.Concat([]byte(r.key), []byte{0}, r.hash[:]))
			sum.Add(sum, new(big.Int).SetBytes(one[:]))
			all.Add(r.key, r.hash)
			if i%3 == 0 {
				left.Add(r.key, r.hash)
			} else {
				right.Add(r.key, r.hash)
			}
		}
		sum.Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256))
		require.Equal(t, sum.FillBytes(make([]byte, 32)), all[:])

		left.Merge(right)
		require.Equal(t, all, left)
		left.Take(right)
		for _, r := range slices.Backward(rows) {
			all.Sub(r.key, r.hash)
		}
		for i, r := range rows {
			if i%3 == 0 {
				left.Sub(r.key, r.hash)
			}
		}
		require.Zero(t, all)
		require.Zero(t, left)
	})
}

func TestDigestTellsRowsApart(t *testing.T) {
	one, two := sha256.Sum256([]byte("1")), sha256.Sum256([]byte("2"))
	var straight, crossed, doubled Digest
	straight.Add("a", one)
	doubled.Merge(straight)
	straight.Add("b", two)
	crossed.Add("a", two)
	crossed.Add("b", one)
	assert.NotEqual(t, straight, crossed, "hashes of other keys")
	doubled.Add("a", one)
	assert.NotZero(t, doubled, "twice the same row is not nothing")
}

func TestDigestAsText(t *testing.T) {
	type record struct {
		Digest Digest `bson:"digest" json:"digest"`
	}
	var in record
	in.Digest.Add("a", sha256.Sum256(nil))
	inJSON, err := json.Marshal(in)
	require.NoError(t, err)
	assert.JSONEq(t, `{"digest":"`+in.Digest.String()+`"}`, string(inJSON))
	inBSON, err := bson.Marshal(in)
	require.NoError(t, err)
	assert.Equal(t, in.Digest.String(), bson.Raw(inBSON).Lookup("digest").StringValue())

	var out record
	require.NoError(t, json.Unmarshal(inJSON, &out))
	assert.Equal(t, in, out)
	out = record{}
	require.NoError(t, bson.Unmarshal(inBSON, &out))
	assert.Equal(t, in, out)

	for _, bad := range []string{"ab", "zz", in.Digest.String() + "00", in.Digest.String()[1:]} {
		_, err := ParseDigest(bad)
		require.ErrorContains(t, err, bad)
		require.Error(t, json.Unmarshal([]byte(`{"digest":"`+bad+`"}`), &out))
	}
	number, err := bson.Marshal(bson.D{{Key: "digest", Value: 1}})
	require.NoError(t, err)
	require.Error(t, bson.Unmarshal(number, &out))
}
