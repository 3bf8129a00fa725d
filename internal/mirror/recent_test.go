package mirror

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPlaceReadsBack(t *testing.T) {
	t.Parallel()
	p := Place{entry: "2026-11-20T06:00:00.000/manual-2026-11-20T06:00:00Z", page: 3, event: 499}
	back, ok := ParsePlace(p.String())
	require.True(t, ok)
	require.Equal(t, p, back)
	none, ok := ParsePlace("")
	require.True(t, ok)
	require.Equal(t, Place{}, none)
	require.Empty(t, none.String())
	for _, wrong := range []string{"x", "1.2", "1.2@", "1.2@x", "1@2026-11-20T06:00:00.000/r", "-1.2@2026-11-20T06:00:00.000/r", "1.x@2026-11-20T06:00:00.000/r", "1.2@2026-11-20T06:00:00.000/", "1.2@2026-11-20/r"} {
		_, ok := ParsePlace(wrong)
		require.False(t, ok, wrong)
	}
}

// TestChangesBackInSteps walks all changes by steps of every size: each change is
// met once, and runs come newest first.
func TestChangesBackInSteps(t *testing.T) {
	m := openTest(t)
	ctx := t.Context()
	threeDays(t, m)
	var byRun [][]string
	var last string
	require.NoError(t, m.EachChange(ctx, time.Time{}, func(events []Event) error {
		if events[0].Run != last {
			byRun, last = append(byRun, nil), events[0].Run
		}
		byRun[len(byRun)-1] = append(byRun[len(byRun)-1], brief(events)...)
		return nil
	}))
	slices.Reverse(byRun)
	want := slices.Concat(byRun...)
	require.Greater(t, len(want), 5)

	for step := 1; step <= len(want)+1; step++ {
		for pages := 1; pages <= 4; pages++ {
			var got []string
			place, calls := Place{}, 0
			for {
				n := 0
				next, err := m.ChangesBack(ctx, time.Time{}, place, pages, func(e *Event) bool {
					got = append(got, brief([]Event{*e})...)
					n++
					return n == step
				})
				require.NoError(t, err)
				calls++
				require.Less(t, calls, 100)
				if next == nil {
					break
				}
				var ok bool
				place, ok = ParsePlace(next.String())
				require.True(t, ok, next)
			}
			require.Equal(t, want, got, "by %d, %d pages at once", step, pages)
		}
	}
	var newest []string
	_, err := m.ChangesBack(ctx, day(3), Place{}, 10, func(e *Event) bool {
		newest = append(newest, brief([]Event{*e})...)
		return false
	})
	require.NoError(t, err)
	require.Equal(t, byRun[0], newest, "since a day")
}
