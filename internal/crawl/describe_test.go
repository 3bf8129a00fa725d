package crawl_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"padron/internal/crawl"
	"padron/internal/profile"
	"padron/internal/socrata"
)

// TestDescribe: what became a document is described, over all pages, and nothing
// else: no double, no row without a key, no unreadable one.
func TestDescribe(t *testing.T) {
	t.Parallel()
	p := pages(t)
	clean := func(part int, rows ...string) (string, crawl.Summary) {
		page, summary := cleaned(t, p, crawl.CleanInput{Page: land(t, p, part, 0, socrata.Range{}, false, rows...), Part: part})
		return page.ID, summary
	}
	first, _ := clean(0, row("0001", "Shop"), row("0002", "Shop"), row("0002", "Double"), row("", "Lost"))
	second, summary := clean(1, row("0003", "Shop"), row("0004", "Bar"),
		`{"ttxid":"0005","dba_name":"Bad","dba_start_date":7,"location_start_date":7}`)
	d, err := p.Describe(t.Context(), []string{first, second})
	require.NoError(t, err)
	assert.EqualValues(t, 4, d.Rows)
	for _, f := range d.Fields {
		if f.Path == "dba_name" {
			assert.Equal(t, []int64{4, 0}, []int64{f.Present, f.Missing})
			assert.EqualValues(t, 3, *f.Distinct)
			assert.Equal(t, []profile.Counted{{Value: "Shop", Rows: 2}, {Value: "Bar", Rows: 1}, {Value: "Double", Rows: 1}}, f.Top,
				"of the rows of one key the first by its content")
		}
	}
	none, err := p.Describe(t.Context(), nil)
	require.NoError(t, err)
	assert.Zero(t, none.Rows)

	// Pages of a version before, or of another spec, are left out with a reason.
	summary.Sketch = nil
	require.NoError(t, p.Zone.Attach(t.Context(), second, summary))
	_, err = p.Describe(t.Context(), []string{first, second})
	require.ErrorIs(t, err, crawl.ErrUndescribed)
	require.ErrorContains(t, err, "page 0001.0: it was cleaned by a version of Padron that did not describe it")
	summary.Unsketched = profile.ErrTooLarge.Error()
	require.NoError(t, p.Zone.Attach(t.Context(), second, summary))
	_, err = p.Describe(t.Context(), []string{first, second})
	require.ErrorContains(t, err, profile.ErrTooLarge.Error())
	changed := *p.Spec
	changed.Fields = changed.Fields[:len(changed.Fields)-1]
	p.Spec = &changed
	_, err = p.Describe(t.Context(), []string{first})
	require.ErrorIs(t, err, crawl.ErrUndescribed)
	_, err = p.Describe(t.Context(), []string{"no-page"})
	require.Error(t, err)
	require.NotErrorIs(t, err, crawl.ErrUndescribed)
}
