package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/mirror"
)

// proven is a certificate of which every check holds.
func proven() *certificate {
	v := Version{Served: served, Truth: served}
	digest := mirror.Digest{1}
	group := func() mirror.Group {
		return mirror.Group{Column: "hood", Values: []mirror.GroupValue{{Value: "Mission", Rows: 90}, {Null: true, Rows: 10}}}
	}
	return &certificate{
		record: mirror.Run{ID: "r", Crawl: mirror.Crawl{
			Rows: 100, Clean: 100, Digest: digest, Version: v, Whole: true,
			Facts: mirror.Facts{Rows: 100, Distinct: 100, Groups: []mirror.Group{group()}},
		}},
		census: mirror.Census{Documents: 100, Digest: digest},
		groups: []mirror.Group{group()},
	}
}

func TestCertificate(t *testing.T) {
	other := mirror.Digest{9}
	for name, c := range map[string]struct {
		spoil   func(*certificate)
		failed  []string // checks
		outcome mirror.Outcome
	}{
		"everything holds":        {func(*certificate) {}, nil, mirror.OutcomeGreen},
		"a document is missing":   {func(c *certificate) { c.census.Documents, c.census.Digest = 99, other }, []string{"rows", "keys", "digest"}, mirror.OutcomeRed},
		"a document is another":   {func(c *certificate) { c.census.Digest = other }, []string{"digest"}, mirror.OutcomeRed},
		"a stranger":              {func(c *certificate) { c.census.Foreign = 1 }, []string{"owner"}, mirror.OutcomeRed},
		"a value counted apart":   {func(c *certificate) { c.groups[0].Values[0].Rows = 89 }, []string{"hood"}, mirror.OutcomeRed},
		"a torn crawl":            {func(c *certificate) { c.record.Crawl.Whole, c.record.Crawl.Why = false, "moved" }, []string{"whole"}, mirror.OutcomeUnproven},
		"a silent portal":         {func(c *certificate) { c.silent = "no answer" }, nil, mirror.OutcomeUnproven},
		"a portal that moved on":  {func(c *certificate) { c.behind = "updated" }, nil, mirror.OutcomeBehind},
		"moved on, rows replayed": {func(c *certificate) { c.behind, c.record.Crawl.Facts.Rows = "updated", 101 }, []string{"rows"}, mirror.OutcomeBehind},
		"moved on, and harmed":    {func(c *certificate) { c.behind, c.census.Digest = "updated", other }, []string{"digest"}, mirror.OutcomeRed},
		"a row in quarantine, its document older": {func(c *certificate) {
			// The crawl has 99 clean rows; the document that stays is none of them.
			c.quarantined, c.held, c.heldStored, c.kept = 1, 1, 1, 1
			c.keptDigest, c.census.Digest = mirror.Digest{2}, mirror.Digest{3}
		}, nil, mirror.OutcomeGreen},
		"a row in quarantine without a document": {func(c *certificate) {
			c.quarantined, c.held, c.census.Documents, c.groups[0].Values[0].Rows = 1, 1, 99, 89
		}, nil, mirror.OutcomeGreen},
		"a row in quarantine without a key": {func(c *certificate) {
			c.quarantined, c.census.Documents, c.record.Crawl.Facts.Distinct, c.groups[0].Values[0].Rows = 1, 99, 99, 89
		}, nil, mirror.OutcomeGreen},
		"a double in quarantine": {func(c *certificate) {
			c.quarantined, c.held, c.heldStored, c.record.Crawl.Facts.Rows = 1, 1, 1, 101
		}, nil, mirror.OutcomeGreen},
		"removals held": {func(c *certificate) {
			c.census.Documents, c.left, c.leftDigest, c.census.Digest = 105, 5, mirror.Digest{4}, mirror.Digest{5}
		}, []string{"removals"}, mirror.OutcomeRed},
		"missing, and on the portal all the same": {func(c *certificate) {
			c.census.Documents, c.left, c.leftDigest, c.census.Digest, c.in.Removed.Present = 101, 1, mirror.Digest{4}, mirror.Digest{5}, 1
		}, []string{"removals"}, mirror.OutcomeUnproven},
	} {
		t.Run(name, func(t *testing.T) {
			cert := proven()
			c.spoil(cert)
			checks := cert.check()
			var failed []string
			for _, check := range checks {
				require.NotEmpty(t, check.Detail)
				if !check.OK {
					failed = append(failed, check.Name)
				}
			}
			require.Equal(t, c.failed, failed)
			result := cert.result(checks)
			require.Equal(t, c.outcome, result.Outcome, result.Why)
			require.NotEmpty(t, result.Why)
		})
	}
}

func TestCompareGroupsNamesTheWorstDifference(t *testing.T) {
	portal := mirror.Group{Values: []mirror.GroupValue{{Value: "a", Rows: 5}, {Value: "b", Rows: 5}, {Null: true, Rows: 1}}}
	here := mirror.Group{Values: []mirror.GroupValue{{Value: "a", Rows: 5}, {Value: "b", Rows: 2}, {Value: "", Rows: 3}, {Null: true, Rows: 1}}}
	values, differ, worst := compareGroups(portal, here)
	require.Equal(t, 3, values)
	require.EqualValues(t, 6, differ)
	require.Equal(t, `""`, worst, "of equal ones the first by name; the empty text is not null")
}
