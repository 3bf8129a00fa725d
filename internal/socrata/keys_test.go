package socrata

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBatchesAreAsFullAsTheyMayBe(t *testing.T) {
	sizes := func(keys ...string) []int {
		var all []int
		for batch := range KeyBatches(keys) {
			all = append(all, len(batch))
		}
		return all
	}
	assert.Empty(t, sizes())
	assert.Equal(t, []int{200}, sizes(slices.Repeat([]string{"a"}, 200)...))
	assert.Equal(t, []int{200, 1}, sizes(slices.Repeat([]string{"a"}, 201)...))
	assert.Equal(t, []int{200, 200, 100}, sizes(slices.Repeat([]string{"a"}, 500)...))
	// In the address, quotes and comma take nine bytes: twenty of these are 5 KiB.
	of256 := strings.Repeat("a", 247)
	assert.Equal(t, []int{20}, sizes(slices.Repeat([]string{of256}, 20)...))
	assert.Equal(t, []int{20, 1}, sizes(slices.Repeat([]string{of256}, 21)...))
	assert.Equal(t, []int{19, 1}, sizes(append(slices.Repeat([]string{of256}, 19), of256+"a")...))
	assert.Equal(t, []int{1, 1, 2}, sizes(strings.Repeat("a", 6000), strings.Repeat("b", 6000), "a", "b"), "alone, if need be")
	for range KeyBatches([]string{strings.Repeat("a", 6000), "b"}) {
		break // a loop that ends early is asked for no more
	}
}

func TestBoundsOfARequestForKeys(t *testing.T) {
	c := answering(t, `[]`)
	for n, ok := range map[int]bool{0: false, 1: true, MaxKeys: true, MaxKeys + 1: false} {
		_, _, err := c.Present(t.Context(), "ttxid", slices.Repeat([]string{"a"}, n))
		if ok {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "keys in one request: must be 1 to 200")
	}
	_, _, ref, err := c.askKeys("ttxid", []string{"ttxid"}, []string{"a"})
	require.NoError(t, err)
	room := maxAddress - len(ref.String())
	_, _, ref, err = c.askKeys("ttxid", []string{"ttxid"}, []string{strings.Repeat("a", 1+room)})
	require.NoError(t, err)
	require.Len(t, ref.String(), maxAddress)
	_, _, _, err = c.askKeys("ttxid", []string{"ttxid"}, []string{strings.Repeat("a", 2+room)})
	require.ErrorContains(t, err, "make an address of 7169 bytes: must be 7168 at most")

	wanted := wantedKeys{"a": false}
	require.NoError(t, wanted.meet(MaxPage-1, []byte("a"), true))
	require.ErrorContains(t, wanted.meet(MaxPage, []byte("a"), true), "50000 rows, at which an answer is cut off")
	require.ErrorContains(t, wanted.meet(7, []byte("b"), true), "row 7 has a key that was not asked for")
	require.ErrorContains(t, wanted.meet(7, nil, false), "row 7 has no key")
	require.Equal(t, "key a", describe([]string{"a"}))
	require.Equal(t, "3 keys from a to c", describe([]string{"b", "c", "a"}))
}

func TestBoundsOfAPage(t *testing.T) {
	c := answering(t, `[]`)
	for limit, ok := range map[int]bool{0: false, 1: true, MaxPage: true, MaxPage + 1: false} {
		_, err := c.Page(t.Context(), "ttxid", nil, Range{}, limit, io.Discard)
		if ok {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "must be 1 to 50000")
	}
	two := `[{"k":"a"},{"k":"b"}]`
	info, err := scan(strings.NewReader(two), []byte(`"k"`), 2, false, nil)
	require.NoError(t, err)
	require.Equal(t, 2, info.Rows)
	info, err = scan(strings.NewReader(two), []byte(`"k"`), 1, false, nil)
	require.ErrorContains(t, err, "more rows than the 1 asked for")
	require.Equal(t, 1, info.Rows)
}

func TestOneLine(t *testing.T) {
	long := strings.Repeat("é", maxMessage)
	require.Equal(t, long, oneLine(long))
	require.Equal(t, long+"…", oneLine(long+"x"))
	require.Equal(t, "a b c", oneLine(" a\n\tb\x00c "))
}
