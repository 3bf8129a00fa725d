package certificate

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRemovalsNeedAConsistentCrawlAndStayUnderTheLimit(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Removals)
		confirm bool
		held    bool
		why     string
	}{
		"none missing":              {func(r *Removals) { r.Missing = 0 }, false, false, ""},
		"a few":                     {func(*Removals) {}, true, false, ""},
		"as many as the rows":       {func(r *Removals) { r.Missing = 500 }, true, false, ""},
		"one more than the rows":    {func(r *Removals) { r.Missing = 501 }, false, true, "more than the 500 that one run may remove; `starter approve r1`"},
		"as many as the percent":    {func(r *Removals) { r.Documents, r.Missing = 90_000, 900 }, true, false, ""},
		"one more than the percent": {func(r *Removals) { r.Documents, r.Missing = 90_000, 901 }, false, true, "more than the 900"},
		"too many, but approved":    {func(r *Removals) { r.Missing, r.Approved = 5000, true }, true, false, ""},
		"a torn crawl":              {func(r *Removals) { r.Consistent = false }, false, false, "torn"},
		"a rerun":                   {func(r *Removals) { r.Rerun = true }, false, false, "a rerun removes nothing"},
		"a torn crawl, approved":    {func(r *Removals) { r.Consistent, r.Approved = false, true }, true, false, ""},
	} {
		r := Removals{Run: "r1", Missing: 7, Documents: 10_000, Percent: 1, Rows: 500, Consistent: true}
		c.change(&r)
		confirm, held, why := r.Decide()
		require.Equal(t, c.confirm, confirm, name)
		require.Equal(t, c.held, held, name)
		if c.why == "" {
			require.Empty(t, why, name)
		}
		require.Contains(t, why, c.why, name)
	}
}
