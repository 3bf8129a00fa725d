package retryafter_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/retryafter"
)

const limit = 24 * time.Hour

var now = time.Date(2026, 10, 3, 12, 0, 0, 0, time.UTC)

func TestOf(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"":                                 0,
		"0":                                0,
		" 30 ":                             30 * time.Second,
		"1.5":                              0,
		"-1":                               0,
		"soon":                             0,
		"99999999999999999999":             0,
		"4294967295":                       limit,
		"86400":                            limit,
		"86399":                            limit - time.Second,
		"Sat, 03 Oct 2026 12:01:00 GMT":    time.Minute,
		"Saturday, 03-Oct-26 12:01:00 GMT": time.Minute,
		"Sat Oct  3 12:01:00 2026":         time.Minute,
		"Sat, 03 Oct 2026 11:59:00 GMT":    0,
		"Sat, 03 Oct 2099 12:00:00 GMT":    limit,
	} {
		require.Equal(t, want, retryafter.Of(http.Header{"Retry-After": {value}}, now, limit), value)
	}
	require.Zero(t, retryafter.Of(nil, now, limit))
}

func TestADateCountsFromTheServersClock(t *testing.T) {
	h := http.Header{"Retry-After": {"Sat, 03 Oct 2020 12:00:45 GMT"}, "Date": {"Sat, 03 Oct 2020 12:00:00 GMT"}}
	require.Equal(t, 45*time.Second, retryafter.Of(h, now, limit))
	h.Set("Date", "noon")
	require.Zero(t, retryafter.Of(h, now, limit), "years ago by the clock of this machine")
}

func FuzzOf(f *testing.F) {
	f.Add("30")
	f.Add("Sat, 03 Oct 2026 12:01:00 GMT")
	f.Fuzz(func(t *testing.T, value string) {
		d := retryafter.Of(http.Header{"Retry-After": {value}}, now, limit)
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.LessOrEqual(t, d, limit)
	})
}
