package cleaning

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/dataset"
)

// A row that is passed over counts as one that is cleaned, in a cleaner that has
// seen other rows before.
func TestPassCountsAsCleaning(t *testing.T) {
	noted := newCleaner(t)
	rapid.Check(t, func(t *rapid.T) {
		spec, err := dataset.Open("sf-business")
		require.NoError(t, err)
		whole, err := New(spec)
		require.NoError(t, err)
		passing, err := New(spec)
		require.NoError(t, err)
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			raw, shuffled := dirtyRow(t, noted)
			if rapid.Bool().Draw(t, "no unknown column") {
				raw = strings.ReplaceAll(raw, `"brand_new"`, `"data_loaded_at"`)
			}
			row, err := noted.Clean([]byte(raw))
			require.NoError(t, err)
			print, hash := bytes.Clone(row.Fingerprint), row.Hash
			require.Equal(t, row.Quarantine == "" && !strings.Contains(raw, "brand_new"), print != nil)

			_, err = whole.Clean([]byte(raw))
			require.NoError(t, err)
			if print == nil || !passing.Pass([]byte(raw), print, hash) {
				require.Nil(t, print)
				_, err = passing.Clean([]byte(raw))
				require.NoError(t, err)
			}
			require.False(t, passing.Pass([]byte(shuffled+" "), print, hash), "other bytes")
			if key, seen := noted.KeyOf([]byte(raw)); seen && row.Quarantine == "" {
				require.Equal(t, row.Key, string(key))
			}
		}
		require.Equal(t, whole.Profile(), passing.Profile())
	})
}

func TestFingerprintHoldsForOneSpec(t *testing.T) {
	c := newCleaner(t)
	raw := []byte(`{"ttxid":"0000001-01-001","dba_name":"A"}`)
	row, err := c.Clean(raw)
	require.NoError(t, err)
	row.Fingerprint = bytes.Clone(row.Fingerprint) // it is valid until the next call
	require.True(t, c.Pass(raw, row.Fingerprint, row.Hash))
	assert.False(t, c.Pass(raw, row.Fingerprint[1:], row.Hash), "of a spec with fewer columns")
	assert.False(t, c.Pass(raw, nil, row.Hash))
	assert.False(t, c.Pass(raw, row.Fingerprint, [32]byte{1}), "with another document")

	changed := specWith(t, "data_loaded_at", "data_loaded_on")
	require.NotEqual(t, c.spec.Digest(), changed.Digest())
	other, err := New(changed)
	require.NoError(t, err)
	assert.False(t, other.Pass(raw, row.Fingerprint, row.Hash))
}

// The document of a row with an end that is yet to come is another one when it
// has come.
func TestNoFingerprintBeforeAnEndHasCome(t *testing.T) {
	c := textDates(t, "YYYYMMDD", ", expires: true")
	for day, has := range map[string]bool{"2026-05-31": false, "2026-06-01": true} {
		at, err := time.Parse(time.DateOnly, day)
		require.NoError(t, err)
		c.AsOf(at)
		row, err := c.Clean([]byte(`{"ttxid":"1","location_end_date":"20260531"}`))
		require.NoError(t, err)
		require.Empty(t, row.Quarantine)
		assert.Equal(t, has, row.Fingerprint != nil, day)
	}
}

func TestKeyOf(t *testing.T) {
	c := newCleaner(t)
	for raw, want := range map[string]string{
		`{"ttxid":"1","a":2}`:                 "1",
		`{"a":"x","ttxid":"12-3"}`:            "12-3",
		`{"a":"\"ttxid\":\"9\"","ttxid":"1"}`: "1",
		`{"ttxid":"1\u0030"}`:                 "",
		`{"ttxid": "1"}`:                      "",
		`{"ttxid":null}`:                      "",
		`{"ttxid":""}`:                        "",
		`{"ttxid":"1`:                         "",
	} {
		key, seen := c.KeyOf([]byte(raw))
		assert.Equal(t, want, string(key), raw)
		assert.Equal(t, want != "", seen, raw)
	}
}

func BenchmarkPass(b *testing.B) {
	rows := portalRows(b, 20_000, 1)
	c := newCleaner(b)
	prints, hashes := make([][]byte, len(rows)), make([][32]byte, len(rows))
	for i, raw := range rows {
		row, err := c.Clean(raw)
		require.NoError(b, err)
		prints[i], hashes[i] = bytes.Clone(row.Fingerprint), row.Hash
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, seen := c.KeyOf(rows[i]); !seen || !c.Pass(rows[i], prints[i], hashes[i]) {
			b.Fatal("not passed over")
		}
		if i++; i == len(rows) {
			i = 0
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
