package portalsim

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/portalsim/register"
)

// In any collation, the order of rows, comparisons with the key and with other
// columns, and the smallest and largest value agree.
func TestCollation(t *testing.T) {
	table := register.Generate(1, 3)
	rapid.Check(t, func(t *rapid.T) {
		p, err := New(Options{Table: table, Collate: Dictionary, Seed: rapid.Uint64().Draw(t, "seed")})
		require.NoError(t, err)
		require.NoError(t, p.Edit(Delete(keysOf(p)[0])))
		texts := rapid.StringMatching(`[aAbB01é-]{0,4}`)
		for _, k := range rapid.SliceOfN(texts, 1, 30).Draw(t, "keys") {
			require.NoError(t, p.Edit(Open(map[string]any{"ttxid": k, "city": k})))
		}
		sorted := keysOf(p)
		for i := 1; i < len(sorted); i++ {
			require.LessOrEqual(t, Dictionary(sorted[i-1], sorted[i]), 0)
		}
		keys := func(params map[string]string) (list []string) {
			params["$order"] = "ttxid"
			for _, row := range rowsOf(t, ask(p, params)) {
				list = append(list, row["ttxid"].(string))
			}
			return list
		}
		require.Equal(t, sorted, keys(map[string]string{}))
		bound := texts.Draw(t, "bound")
		below := keys(map[string]string{"$where": "ttxid < '" + bound + "'"})
		above := keys(map[string]string{"$where": "ttxid > '" + bound + "'"})
		equal := keys(map[string]string{"$where": "ttxid in ('" + bound + "')"})
		require.Equal(t, sorted, slices.Concat(below, equal, above))
		for _, k := range equal {
			require.Equal(t, bound, k)
		}
		require.Equal(t, below, keys(map[string]string{"$where": "city < '" + bound + "'"}), "no index, same order")
		require.Equal(t, above, keys(map[string]string{"$where": "city > '" + bound + "'"}))
		extremes := rowsOf(t, ask(p, map[string]string{"$select": "min(city) as a, max(ttxid) as b"}))
		require.Equal(t, []map[string]any{{"a": sorted[0], "b": sorted[len(sorted)-1]}}, extremes)
	})
}

func TestDictionary(t *testing.T) {
	sorted := []string{"", "-", "a", "A", "a-b", "ab", "B", "b-1", "b1", "é", "0", "-0", "1", "1a"}
	for i := range sorted {
		for j := range sorted {
			if c := Dictionary(sorted[i], sorted[j]); i < j {
				assert.LessOrEqual(t, c, 0, "%s %s", sorted[i], sorted[j])
			} else if i > j {
				assert.GreaterOrEqual(t, c, 0, "%s %s", sorted[i], sorted[j])
			}
		}
	}
	assert.Zero(t, Dictionary("ab", "A-B"))
	assert.Negative(t, Dictionary("b", "c"))
	assert.Positive(t, Dictionary("1", "z"))
}
