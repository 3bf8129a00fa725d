package crawl

import (
	"errors"
	"fmt"

	"padron/internal/certificate"
	"padron/internal/dataset"
	"padron/internal/landing"
	"padron/internal/lineage"
	"padron/internal/mirror"
	"padron/internal/quarantine"
	"padron/internal/socrata"
)

// Errors that callers decide upon; compare with errors.Is.
var (
	// ErrUnusable says that a page's rows cannot be worked on, however often.
	ErrUnusable = errors.New("page cannot be cleaned")
	// ErrSpec says that the spec's rules make no cleaner.
	ErrSpec = errors.New("spec cannot be used")
	// ErrIncomplete says that the landed pages of an earlier crawl are not all
	// there.
	ErrIncomplete = errors.New("crawl is not complete in the landing")
	// ErrNoSummary says that nothing was attached to a page.
	ErrNoSummary = errors.New("page has no summary in the landing")
	// ErrUndescribed says that the sketches of a crawl's pages make no description
	// of its columns.
	ErrUndescribed = errors.New("the crawl's pages do not describe its columns")
)

// Pages works on the pages of one dataset's crawls.
type Pages struct {
	Spec       *dataset.Spec
	Zone       landing.Zone
	Mirror     *mirror.Mirror
	Quarantine *quarantine.Reader
}

// Landed names a page in the landing; the hash checks what is read back.
type Landed struct {
	ID     string `json:"id"`
	SHA256 string `json:"sha256"`
}

// RawPage is a landed page as the portal served it.
type RawPage struct {
	Landed
	Range   socrata.Range   `json:"range"` // that was asked for
	Rows    int             `json:"rows"`  // those after them are the next page's
	LastKey string          `json:"last_key,omitempty"`
	More    bool            `json:"more,omitempty"` // the page was full: go on after LastKey
	Version socrata.Version `json:"version"`
	Bytes   int64           `json:"bytes"` // on the wire
}

// covers is the range of keys that the page is all of.
func (p RawPage) covers() socrata.Range {
	r := p.Range
	if p.More {
		r.UpTo = p.LastKey
	}
	return r
}

// CleanPage is a landed page of documents. What the gate must know of it lies
// beside it in the landing (Summary).
type CleanPage struct {
	Landed
	Label string `json:"label"`          // the same for every attempt; names the page's quarantined rows
	Rows  int    `json:"rows"`           //
	Left  int    `json:"left,omitempty"` // of the rows, left out: see CleanInput.Of
}

// Ref is the page in the mirror's terms.
func (p CleanPage) Ref() landing.Ref { return landing.Ref{ID: p.ID, SHA256: p.SHA256, Label: p.Label} }

// RawSummary lies beside a raw page in the landing: what a rerun needs to know
// of it.
type RawSummary struct {
	Part int     `json:"part"`
	Nth  int     `json:"nth,omitempty"`
	Page RawPage `json:"page"` // its id and hash are those of the landing's entry
}

// Summary lies beside a cleaned page in the landing: what the gate needs to know
// of it, and what a rerun does.
type Summary struct {
	Part int `json:"part"`
	Nth  int `json:"nth,omitempty"`
	certificate.GatePage
	Profile     certificate.Profile `json:"profile"`
	Quarantined int                 `json:"quarantined,omitempty"` // rows
	Reasons     map[string]int      `json:"reasons,omitempty"`     // of these, by reason
	NullKeys    bool                `json:"null_keys,omitempty"`   // it is of the rows without a key
	Passed      int                 `json:"passed,omitempty"`      // rows that were passed over: see CleanInput.Pass
	Digest      lineage.Digest      `json:"digest"`                // of the clean rows

	// Sketch describes what the page's documents hold (profile.Sketch). It says
	// itself of which version and spec it is; nil: none was kept, for the reason
	// Unsketched, or by a version of Padron that made none.
	Sketch     []byte `json:"sketch,omitempty"`
	Unsketched string `json:"unsketched,omitempty"`

	// Compared is what an upsert would do; nil: the rows were not compared.
	Compared *Compared `json:"compared,omitempty"`
}

// Compared is what holding a page's rows against what is stored came to.
type Compared struct {
	New     int `json:"new"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
	Missing int `json:"missing"`         // stored in the page's range and not in the page; -1: unknown
	Stale   int `json:"stale"`           // documents to be flagged stale, or no longer so
	Noted   int `json:"noted,omitempty"` // documents to be kept with another fingerprint of their row
	// Stored is what was stored in the page's range; nil: it was not counted.
	Stored *mirror.Totals `json:"stored,omitempty"`
}

// Label is the landing's name for the pages of a part of a crawl.
func Label(part int) string { return fmt.Sprintf("%04d", part) }

// Work reports whether the page has anything to write.
func (s *Summary) Work() bool {
	c := s.Compared
	return s.Quarantined > 0 || c == nil && s.Profile.Rows > 0 ||
		c != nil && (c.New != 0 || c.Changed != 0 || c.Missing != 0 || c.Stale != 0 || c.Noted != 0)
}
