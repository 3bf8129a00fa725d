package certificate

import (
	"padron/internal/lineage"
	"padron/internal/socrata"
)

// Crawl is what a crawl came to: what the certificate holds the mirror
// against, and what a rerun starts from.
type Crawl struct {
	Rows         int64           `bson:"rows" json:"rows"`
	Clean        int64           `bson:"clean" json:"clean"`
	Quarantined  int64           `bson:"quarantined" json:"quarantined"`
	SharedKeys   int64           `bson:"shared_keys,omitempty" json:"shared_keys,omitempty"` // among these, rows whose key another row has
	Digest       lineage.Digest  `bson:"digest" json:"digest"`                               // of the clean records
	Version      socrata.Version `bson:"version" json:"version"`
	Consistent   bool            `bson:"consistent" json:"consistent"`               // all pages and counts are of one version
	Proof        VersionProof    `bson:"proof,omitempty" json:"proof,omitempty"`     // what shows it; empty of records of a version before
	Why          string          `bson:"why,omitempty" json:"why,omitempty"`         // it is not consistent
	Columns      []string        `bson:"columns,omitempty" json:"columns,omitempty"` // of the portal's metadata
	SourceCounts SourceCounts    `bson:"source_counts,omitempty" json:"source_counts,omitzero"`
}

// Gated reports whether the gate has seen the crawl.
func (c *Crawl) Gated() bool { return c.Consistent || c.Why != "" }

// Profile is what a crawl's rows looked like, to hold the next crawl against.
type Profile struct {
	Rows    int64          `bson:"rows" json:"rows"`
	Missing map[string]int `bson:"missing,omitempty" json:"missing,omitempty"` // rows without a value, by source column
	Flags   map[string]int `bson:"flags,omitempty" json:"flags,omitempty"`     // rows by quality flag
	Unknown map[string]int `bson:"unknown,omitempty" json:"unknown,omitempty"` // rows with a value in a column that the spec does not know
}

// Add adds the rows of another page.
func (p *Profile) Add(o Profile) {
	p.Rows += o.Rows
	p.Missing, p.Flags, p.Unknown = sum(p.Missing, o.Missing), sum(p.Flags, o.Flags), sum(p.Unknown, o.Unknown)
}

func sum(into, from map[string]int) map[string]int {
	if into == nil {
		into = map[string]int{}
	}
	for name, n := range from {
		into[name] += n
	}
	return into
}
