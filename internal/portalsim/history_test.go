package portalsim

import (
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"padron/internal/portalsim/register"
)

// published lists when the kept versions were published.
func published(p *Portal) (times []time.Time) {
	for _, s := range p.kept() {
		times = append(times, s.Published())
	}
	return times
}

// randomEdit is some edit of a portal with a few dozen rows.
func randomEdit(t *rapid.T, p *Portal) Op {
	keys := slices.Compact(slices.DeleteFunc(keysOf(p), func(k string) bool { return k == "" }))
	anyOf := func() string { return rapid.SampledFrom(keys).Draw(t, "key") }
	kind := rapid.IntRange(0, 7).Draw(t, "edit")
	if len(keys) == 0 {
		kind = 0
	}
	_, hasLic := p.truth.Column("lic")
	switch kind {
	case 0:
		return Open(map[string]any{"ttxid": rapid.StringMatching(`[a-cA-C0-2]{1,3}`).Draw(t, "new key"), "city": "C"})
	case 1:
		return Open(map[string]any{"city": rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "city of a row without a key")})
	case 2:
		return Delete(anyOf())
	case 3:
		return SetField(anyOf(), "ttxid", rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "other key"))
	case 4:
		return Republish()
	case 5:
		if hasLic {
			return DropColumn("lic")
		}
		return AddColumn("lic", "text")
	default:
		return Rename(anyOf(), rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "name"))
	}
}

// What a portal remembers of its versions is what its rows were at the time.
func TestHistory(t *testing.T) {
	table := register.Generate(12, 3)
	rapid.Check(t, func(t *rapid.T) {
		p, err := New(Options{Table: table, History: true})
		require.NoError(t, err)
		want := [][]map[string]any{slices.Collect(p.SourceRows())}
		for range rapid.IntRange(0, 12).Draw(t, "edits") {
			require.Error(t, p.Edit(Rename("no such key", "x")), "an edit that fails leaves nothing behind")
			require.NoError(t, p.Edit(randomEdit(t, p)))
			want = append(want, slices.Collect(p.SourceRows()))
		}
		past := published(p)
		require.Len(t, past, len(want))
		everHeld := map[string][]map[string]any{}
		for i, at := range past {
			rows, err := p.RowsAt(at)
			require.NoError(t, err)
			got := slices.Collect(rows)
			require.Equal(t, want[i], got)
			for _, row := range got {
				if k, ok := row["ttxid"].(string); ok {
					everHeld[k] = append(everHeld[k], row)
				}
			}
		}
		for key, held := range everHeld {
			versions := p.VersionsOf(key)
			for i, at := range past {
				// The last item that is not later says what was there.
				n := 0
				for n < len(versions) && !versions[n].Since.After(at) {
					n++
				}
				var told []map[string]any
				if n > 0 {
					told = versions[n-1].Rows
				}
				var was []map[string]any
				for _, row := range want[i] {
					if row["ttxid"] == key {
						was = append(was, row)
					}
				}
				require.Equal(t, was, told)
			}
			for i := 1; i < len(versions); i++ {
				require.False(t, reflect.DeepEqual(versions[i-1].Rows, versions[i].Rows), "an item for each change only")
			}
			for _, row := range held {
				require.True(t, slices.ContainsFunc(versions, func(v KeyVersion) bool {
					return slices.ContainsFunc(v.Rows, func(r map[string]any) bool {
						return maps.EqualFunc(r, row, reflect.DeepEqual)
					})
				}))
			}
		}
		require.Empty(t, p.VersionsOf("never there"))
		_, err = p.RowsAt(past[0].Add(time.Millisecond))
		require.Error(t, err)
	})
}

func TestWithoutHistory(t *testing.T) {
	p := portalWith(t, 10, Options{})
	first, _ := p.Versions()
	key := keysOf(p)[0]
	require.NoError(t, p.Edit(Rename(key, "Other")))
	now, _ := p.Versions()
	assert.Equal(t, []time.Time{now}, published(p))
	_, err := p.RowsAt(first)
	require.Error(t, err)
	rows, err := p.RowsAt(now)
	require.NoError(t, err)
	assert.Len(t, slices.Collect(rows), 10)
	assert.Len(t, p.VersionsOf(key), 1)
}

// Thousands of versions of a small table stay modest.
func TestHistoryIsSmall(t *testing.T) {
	p := portalWith(t, 100, Options{History: true})
	keys := keysOf(p)
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	const edits = 5000
	for i := range edits {
		require.NoError(t, p.Edit(Rename(keys[i%len(keys)], fmt.Sprintf("Name %d", i))))
	}
	each := (int64(held()) - int64(before)) / edits
	t.Logf("%d bytes a version", each)
	assert.Less(t, each, int64(6<<10))
	assert.Len(t, published(p), edits+1)
	assert.Len(t, p.VersionsOf(keys[3]), edits/100+1)
}
