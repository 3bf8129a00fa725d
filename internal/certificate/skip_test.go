package certificate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/socrata"
)

func TestSkippingNeedsProof(t *testing.T) {
	now := served.Add(24 * time.Hour)
	stated, legacy := socrata.Version{Served: served, UpToDate: true}, socrata.Version{Served: served, Updated: served}
	bare := socrata.Version{Updated: served}
	for name, c := range map[string]struct {
		change func(*Question)
		skip   bool
		why    string
	}{
		"everything equal":   {func(*Question) {}, true, "nothing new"},
		"found red since":    {func(q *Question) { q.Red = "v (verify)" }, false, "run v (verify) found"},
		"asked for":          {func(q *Question) { q.Full = true }, false, "asked for"},
		"no green run":       {func(q *Question) { q.Green = Proof{} }, false, "no green run"},
		"written by half":    {func(q *Question) { q.Writer = "w" }, false, "run w wrote and did not finish"},
		"unproven since":     {func(q *Question) { q.Mirrored = "u" }, false, "run u wrote since"},
		"another spec since": {func(q *Question) { q.Certified = "other" }, false, "another spec"},
		"another spec":       {func(q *Question) { q.Spec = "other" }, false, "spec changed"},
		"a newer version":    {func(q *Question) { q.Version.Served, q.Version.Truth = now, now }, false, "updated"},
		"a lagging copy":     {func(q *Question) { q.Version.Truth = now }, false, "lags"},
		"out of date":        {func(q *Question) { q.Version.OutOfDate = true }, false, "lags"},
		"an old record":      {func(q *Question) { q.Green.Shown = "" }, false, "does not say what shows"},
		"statements": {func(q *Question) {
			q.Version, q.Green.Version, q.Green.Shown = stated, stated, ByStatement
		}, true, "nothing new"},
		"no statement any more": {func(q *Question) {
			q.Version, q.Green.Version, q.Green.Shown = socrata.Version{Served: served}, stated, ByStatement
		}, false, "does not say"},
		"the same metadata": {func(q *Question) { q.Version, q.Green.Version, q.Green.Shown = legacy, legacy, ByMetadata }, true, "nothing new"},
		"newer metadata": {func(q *Question) {
			q.Version, q.Green.Version, q.Green.Shown = socrata.Version{Served: served.Add(time.Hour), Updated: served.Add(time.Hour)}, legacy, ByMetadata
		}, false, "updated"},
		"newer metadata of the same version": {func(q *Question) {
			q.Version, q.Green.Version, q.Green.Shown = socrata.Version{Served: served, Updated: served.Add(time.Second)}, legacy, ByMetadata
		}, false, "updated"},
		"only metadata":                   {func(q *Question) { q.Version, q.Green.Version, q.Green.Shown = bare, bare, ByMetadata }, true, "nothing new"},
		"no version":                      {func(q *Question) { q.Version = socrata.Version{} }, false, "does not say"},
		"another count":                   {func(q *Question) { q.Rows++ }, false, "rows"},
		"a week ago":                      {func(q *Question) { q.Started = now.Add(8 * 24 * time.Hour) }, false, "7 days"},
		"a week ago, just":                {func(q *Question) { q.Started = q.Green.Finished.Add(fullCrawlAtLeast) }, true, "nothing new"},
		"an unsettled version":            {func(q *Question) { q.Green.Started = served.Add(59 * time.Second) }, false, "less than a minute"},
		"unsettled by the portal's clock": {func(q *Question) { q.Green.Version.Answered = served.Add(59 * time.Second) }, false, "less than a minute"},
		"settled by the portal's clock": {func(q *Question) {
			q.Green.Version.Answered, q.Green.Started = served.Add(time.Minute), served.Add(-time.Hour)
		}, true, "nothing new"},
		"a version just settled": {func(q *Question) { q.Green.Started = served.Add(time.Minute) }, true, "nothing new"},
	} {
		v := socrata.Version{Served: served, Truth: served}
		q := Question{
			Started: now, Spec: "s", Version: v, Rows: 7, Mirrored: "g", Certified: "s",
			Green: Proof{Run: "g", Spec: "s", Version: v, Shown: ByTruth, Started: served.Add(time.Hour), Finished: served.Add(2 * time.Hour), PortalRows: 7},
		}
		c.change(&q)
		skip, why := q.Skip()
		require.Equal(t, c.skip, skip, "%s: %s", name, why)
		require.Contains(t, why, c.why, name)
	}
}

// TestWhetherTheMirrorStands: where the portal is by now has no say in it.
func TestWhetherTheMirrorStands(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Question)
		stands bool
		why    string
	}{
		"as the green run left it": {func(*Question) {}, true, ""},
		"the portal moved":         {func(q *Question) { q.Version, q.Rows = socrata.Version{Served: served.Add(time.Hour)}, 8 }, true, ""},
		"an unsettled version":     {func(q *Question) { q.Green.Started = served }, true, ""},
		"no green run":             {func(q *Question) { q.Green = Proof{} }, false, "no green run"},
		"found red since":          {func(q *Question) { q.Red = "v (verify)" }, false, "run v (verify) found"},
		"written by half":          {func(q *Question) { q.Writer = "w" }, false, "run w wrote and did not finish"},
		"unproven since":           {func(q *Question) { q.Mirrored = "u" }, false, "run u wrote since"},
		"another spec":             {func(q *Question) { q.Spec = "other" }, false, "spec changed"},
		"another spec since":       {func(q *Question) { q.Certified = "other" }, false, "another spec"},
	} {
		v := socrata.Version{Served: served, Truth: served}
		q := Question{
			Spec: "s", Version: v, Rows: 7, Mirrored: "g", Certified: "s",
			Green: Proof{Run: "g", Spec: "s", Version: v, Shown: ByTruth, Started: served.Add(time.Hour), Finished: served.Add(2 * time.Hour), PortalRows: 7},
		}
		c.change(&q)
		stands, why := q.Stands()
		require.Equal(t, c.stands, stands, "%s: %s", name, why)
		require.Contains(t, why, c.why, name)
	}
}
