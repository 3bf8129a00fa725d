package i18n_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/dashboard/i18n"
)

// TestDate: days are written as readers of each language expect.
func TestDate(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string][]string{"en": {"Sep 1, 2026", "Dec 31, 1999"}, "es": {"1 sept 2026", "31 dic 1999"}} {
		c, err := i18n.Load(lang)
		require.NoError(t, err)
		require.Len(t, strings.Fields(c.T("date.months")), 12, lang)
		days := []time.Time{time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)}
		require.Equal(t, want, []string{c.Date(days[0]), c.Date(days[1])})
	}
}

// TestPercent: a part is never rounded to nothing or to the whole.
func TestPercent(t *testing.T) {
	t.Parallel()
	c, err := i18n.Load("en")
	require.NoError(t, err)
	for _, test := range []struct {
		part, whole int64
		want        string
	}{
		{0, 0, "unknown"},
		{0, 10, "0.0 %"},
		{1, 3, "33.3 %"},
		{1, 10_000, "< 0.1 %"},
		{9_999, 10_000, "> 99.9 %"},
		{10_000, 10_000, "100.0 %"},
	} {
		require.Equal(t, test.want, c.Percent(test.part, test.whole), "%d of %d", test.part, test.whole)
	}
}

// TestPreferred: unknown languages fall back to the default.
func TestPreferred(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"": "en", "fr": "en", "es-MX,es;q=0.9": "es", "de, es;q=0.5": "es", ";;": "en"} {
		require.Equal(t, want, i18n.Preferred(header), header)
	}
}
