package statistics

import (
	"errors"
	"slices"
	"time"

	"padron/internal/certificate"
	"padron/internal/socrata"
)

// Basis of a snapshot.
type Basis string

// The bases of a snapshot.
const (
	Observed      Basis = "observed"      // that day's mirror
	Reconstructed Basis = "reconstructed" // from lifecycle dates of a later mirror
)

// Names of a snapshot's series.
const (
	SeriesNeighborhood = "neighborhood" // []Tallied
	SeriesSector       = "sector"       // []Tallied
	SeriesDistrict     = "district"     // []TalliedDistrict
	SeriesCells        = "cells"        // Cells: neighborhood x sector x district
	SeriesMonths       = "months"       // []Month
)

// countsVersion is the version of what an observed snapshot counts and how. Whoever
// changes that raises it by one: counts of another version are not taken over.
const countsVersion = 1

// latest stands for the id of the newest observed snapshot.
const latest = "latest"

// ErrNoSnapshot says that there is no snapshot of that id.
var ErrNoSnapshot = errors.New("no such snapshot")

// ErrReplaced says that a reconstructed snapshot was replaced by a later
// reconstruction after its header was read. Reading the header again shows the
// new one.
var ErrReplaced = errors.New("the snapshot was replaced while it was read")

// Snapshot is the header of a snapshot: what it is of, its totals and which
// series there are. The series lie in parts of their own, so that a page of
// the dashboard reads only what it shows. The header is written last: a
// snapshot that can be read is complete.
type Snapshot struct {
	ID      string              `bson:"_id" json:"id"`      // <as-of date>-<basis>, -<outcome> when that is not green, and -<number> from the second run on
	AsOf    time.Time           `bson:"as_of" json:"as_of"` // midnight UTC standing for the date in the dataset's time zone
	Basis   Basis               `bson:"basis" json:"basis"`
	Version socrata.Version     `bson:"version" json:"version"` // of the crawl it was made from
	Run     string              `bson:"run" json:"run"`
	Spec    string              `bson:"spec" json:"spec"`
	Outcome certificate.Outcome `bson:"outcome" json:"outcome"` // of the run's certificate
	// Documents is the digest of the documents that were counted; empty where it is
	// not known.
	Documents string       `bson:"documents,omitempty" json:"documents,omitempty"`
	Counts    int          `bson:"counts,omitempty" json:"-"` // countsVersion, of an observed one
	Totals    Totals       `bson:"totals" json:"totals"`
	Unclear   int64        `bson:"unclear,omitempty" json:"unclear,omitempty"` // of an observed one: rows whose end cannot be read, in none of its counts
	Series    []SeriesInfo `bson:"series" json:"series"`
	TookMS    int64        `bson:"took_ms,omitempty" json:"took_ms,omitempty"` // of an observed one
	Created   time.Time    `bson:"created" json:"created"`

	// Of a reconstructed one only:
	Digest        string   `bson:"digest,omitempty" json:"digest,omitempty"`                 // of its series; part of their _ids
	Undated       *Undated `bson:"undated,omitempty" json:"undated,omitempty"`               // rows that are in none of its counts
	Provisional   bool     `bson:"provisional,omitempty" json:"provisional,omitempty"`       // so recent that starts are still to come in
	SurvivorsOnly bool     `bson:"survivors_only,omitempty" json:"survivors_only,omitempty"` // of a time of which the dataset knows survivors only: too low
}

// SeriesInfo says that a snapshot has a series, and how long it is.
type SeriesInfo struct {
	Name string `bson:"name" json:"name"`
	Rows int    `bson:"rows" json:"rows"`
}

// part is a series in the collection snapshots.
type part struct {
	ID   string `bson:"_id"`
	Rows any    `bson:"rows"`
}

// partID is the _id of a series: behind those of all headers, which begin with
// a digit, so that headers are a range of their own.
func partID(snapshot, name string) string { return "series/" + snapshot + "/" + name }

// rank is 0 for a snapshot of a green run, 1 for any other.
func (s *Snapshot) rank() int {
	if s.Outcome == certificate.Green {
		return 0
	}
	return 1
}

// partID is the _id of the snapshot's series of that name.
func (s *Snapshot) partID(name string) string {
	if s.Basis == Reconstructed {
		return reconstructedParts(s.AsOf.UTC()) + s.Digest + "/" + name
	}
	return partID(s.ID, name)
}

// aboveHeaders lies between the _ids of headers and of parts: ':' follows '9'.
const aboveHeaders = ":"

// Has says whether the snapshot has a series of that name.
func (s *Snapshot) Has(name string) bool {
	return slices.ContainsFunc(s.Series, func(i SeriesInfo) bool { return i.Name == name })
}
