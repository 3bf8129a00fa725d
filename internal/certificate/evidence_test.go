package certificate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/dataset"
	"padron/internal/lineage"
	"padron/internal/socrata"
)

// proven is evidence for which every check holds.
func proven() *Evidence {
	v := socrata.Version{Served: served, Truth: served}
	digest := lineage.Digest{1}
	group := func() Group {
		return Group{Column: "hood", Values: []GroupValue{{Value: "Mission", Rows: 90}, {Null: true, Rows: 10}}}
	}
	return &Evidence{
		Run: "r",
		Crawl: Crawl{
			Rows: 100, Clean: 100, Digest: digest, Version: v, Consistent: true,
			SourceCounts: SourceCounts{Rows: 100, Distinct: 100, Groups: []Group{group()}},
		},
		Documents: 100, Digest: digest, Groups: []Group{group()}, MaxStale: 1,
	}
}

func TestCertificate(t *testing.T) {
	other := lineage.Digest{9}
	for name, c := range map[string]struct {
		spoil   func(*Evidence)
		failed  []string // checks
		outcome Outcome
	}{
		"everything holds":       {func(*Evidence) {}, nil, Green},
		"a document is missing":  {func(c *Evidence) { c.Documents, c.Digest = 99, other }, []string{"rows", "keys", "digest"}, Red},
		"a document is another":  {func(c *Evidence) { c.Digest = other }, []string{"digest"}, Red},
		"a stranger":             {func(c *Evidence) { c.Foreign = 1 }, []string{"owner"}, Red},
		"a value counted apart":  {func(c *Evidence) { c.Groups[0].Values[0].Rows = 89 }, []string{"hood"}, Red},
		"a torn crawl":           {func(c *Evidence) { c.Crawl.Consistent, c.Crawl.Why = false, "moved" }, []string{"consistent"}, Unproven},
		"a silent portal":        {func(c *Evidence) { c.Silent = "no answer" }, nil, Unproven},
		"a portal that moved on": {func(c *Evidence) { c.Behind = "updated" }, nil, Behind},
		"moved on, rows retried": {func(c *Evidence) { c.Behind, c.Crawl.SourceCounts.Rows = "updated", 101 }, []string{"rows"}, Behind},
		"moved on, and harmed":   {func(c *Evidence) { c.Behind, c.Digest = "updated", other }, []string{"digest"}, Red},
		"a row in quarantine, its document older": {func(c *Evidence) {
			// The crawl has 99 clean rows; the document that stays is none of them.
			c.Quarantined, c.QuarantinedKeys, c.QuarantinedKeysStored, c.Kept = 1, 1, 1, 1
			c.KeptDigest, c.Digest = lineage.Digest{2}, lineage.Digest{3}
		}, nil, Green},
		"a row in quarantine without a document": {func(c *Evidence) {
			c.Quarantined, c.QuarantinedKeys, c.Documents, c.Groups[0].Values[0].Rows = 1, 1, 99, 89
		}, nil, Green},
		"a row in quarantine without a key": {func(c *Evidence) {
			c.Quarantined, c.Documents, c.Crawl.SourceCounts.Distinct, c.Groups[0].Values[0].Rows = 1, 99, 99, 89
		}, nil, Green},
		"a double in quarantine": {func(c *Evidence) {
			c.Quarantined, c.QuarantinedKeys, c.QuarantinedKeysStored, c.Crawl.SourceCounts.Rows = 1, 1, 1, 101
		}, nil, Green},
		"removals held": {func(c *Evidence) {
			c.Documents, c.Left, c.LeftDigest, c.Digest = 105, 5, lineage.Digest{4}, lineage.Digest{5}
		}, []string{"removals"}, Red},
		"missing, and on the portal all the same": {func(c *Evidence) {
			c.Documents, c.Left, c.LeftDigest, c.Digest, c.Present = 101, 1, lineage.Digest{4}, lineage.Digest{5}, 1
		}, []string{"removals"}, Unproven},
	} {
		t.Run(name, func(t *testing.T) {
			cert := proven()
			c.spoil(cert)
			checks := cert.Checks()
			var failed []string
			for _, check := range checks {
				require.NotEmpty(t, check.Detail)
				if !check.OK {
					failed = append(failed, check.Name)
				}
			}
			require.Equal(t, c.failed, failed)
			outcome, why := cert.Judge(checks)
			require.Equal(t, c.outcome, outcome, why)
			require.NotEmpty(t, why)
		})
	}
}

func TestCompareGroupsNamesTheWorstDifference(t *testing.T) {
	portal := Group{Values: []GroupValue{{Value: "a", Rows: 5}, {Value: "b", Rows: 5}, {Null: true, Rows: 1}}}
	here := Group{Values: []GroupValue{{Value: "a", Rows: 5}, {Value: "b", Rows: 2}, {Value: "", Rows: 3}, {Null: true, Rows: 1}}}
	values, differ, worst := compareGroups(portal, here)
	require.Equal(t, 3, values)
	require.EqualValues(t, 6, differ)
	require.Equal(t, `""`, worst, "of equal ones the first by name; the empty text is not null")
}

// A document whose row is in quarantine is stale: the certificate says how many
// are, and more than max_stale are not green.
func TestTheCertificateNamesStaleDocuments(t *testing.T) {
	stale := func(n int64) *Evidence {
		c := proven()
		c.Quarantined, c.QuarantinedKeys, c.QuarantinedKeysStored, c.Kept = n, n, n, n
		c.KeptDigest, c.Digest = lineage.Digest{2}, lineage.Digest{3}
		return c
	}
	c := stale(1)
	checks := c.Checks()
	outcome, why := c.Judge(checks)
	require.Equal(t, Green, outcome)
	require.Contains(t, why, "1 of the documents stale")
	c = stale(2)
	checks = c.Checks()
	outcome, why = c.Judge(checks)
	require.Equal(t, Red, outcome)
	require.Equal(t, "2 documents are stale, more than the 1 that max_stale allows: their rows are in quarantine, `starter quarantine list` says why", why)
	c.Behind = "updated"
	outcome, _ = c.Judge(checks)
	require.Equal(t, Red, outcome, "a portal that moved on does not mend it")
}

// TestGroupsByValue has one number in the ways that portal and mirror write it.
func TestGroupsByValue(t *testing.T) {
	portal := []GroupValue{{Value: "3", Rows: 18}, {Value: "4.50", Rows: 2}, {Value: "x", Rows: 1}, {Null: true, Rows: 3}}
	here := []GroupValue{{Value: "3", Rows: 5}, {Value: "3.0", Rows: 6}, {Value: "3.00000000", Rows: 7}, {Value: "45E-1", Rows: 2}, {Value: "x", Rows: 1}, {Null: true, Rows: 3}}
	values, differ, worst := compareGroups(Group{Values: portal}, Group{Values: here, Type: dataset.Number})
	require.Equal(t, 4, values)
	require.Zero(t, differ, worst)
	_, differ, worst = compareGroups(Group{Values: portal}, Group{Values: append(here[:1:1], here[2:]...), Type: dataset.Number})
	require.EqualValues(t, 6, differ)
	require.Equal(t, `"3"`, worst)
	_, differ, _ = compareGroups(Group{Values: portal}, Group{Values: here})
	require.NotZero(t, differ, "as text they are others")
	_, differ, _ = compareGroups(Group{Values: []GroupValue{{Value: "true", Rows: 2}}}, Group{Values: []GroupValue{{Value: "True", Rows: 2}}, Type: dataset.Bool})
	require.Zero(t, differ)
}
