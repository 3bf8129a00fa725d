package changes

import (
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Kinds of change events.
const (
	KindOpened   = "opened"   // a key that was never there
	KindClosed   = "closed"   // the business closed
	KindReopened = "reopened" // a closed business is open again
	KindMoved    = "moved"
	KindRenamed  = "renamed"
	KindRemoved  = "removed"  // the portal no longer has the row
	KindReturned = "returned" // the portal has a removed row again
	KindUpdated  = "updated"  // none of these
)

// Kinds lists the kinds of change events that a reader may ask for.
func Kinds() []string {
	return []string{KindOpened, KindClosed, KindReopened, KindMoved, KindRenamed, KindRemoved, KindReturned, KindUpdated}
}

// Causes of change events.
const (
	CauseSource = "source" // the portal's row changed
	CauseRules  = "rules"  // only the spec or a cleaning rule did
	CauseSchema = "schema" // only columns that came to the portal or went
	CauseRepair = "repair" // another hand had changed the document; it is again what Padron wrote
)

// Event is one change of one row. A row at version n has the events up to n,
// but none of version 1 when a first load inserted it. An event above the
// version of its row (in businesses, or else in removed) is of a change that a
// crash prevented; readers must ignore it.
type Event struct {
	EventID `bson:"_id"`
	Kinds   []string      `bson:"kinds" json:"kinds"` // the primary one first
	Cause   string        `bson:"cause" json:"cause"`
	Run     string        `bson:"run" json:"run"`
	At      time.Time     `bson:"at" json:"at"` // the run's time
	Fields  []FieldChange `bson:"fields" json:"fields"`
	Page    string        `bson:"page" json:"page"` // <run>/<part>/<nnnn>
}

// EventID names an event: a row's key and the version that the change led to.
type EventID struct {
	Key     string `bson:"key" json:"key"`
	Version int32  `bson:"version" json:"version"`
}

// Classification is what a change of a row means.
type Classification struct {
	Kinds []string               // the primary one first; none: nothing worth an event
	Cause string                 // CauseSource, CauseRules or CauseSchema; a repair is found by mirror
	Drop  func(path string) bool // paths whose values an event must not hold; nil: none
}

// Classify says what a change of a row's canonical document means. old is nil
// for a new row. sameSpec says that old was made by the same spec and rules.
// It is called from one goroutine per Upsert and must not keep the documents.
type Classify func(old, now bson.Raw, sameSpec bool) (Classification, error)

// PageName names page n of the events of one part of a run.
func PageName(run, part string, n int) string { return fmt.Sprintf("%s/%s/%04d", run, part, n) }

// WithPrimary puts a kind in front of others.
func WithPrimary(kind string, others []string) []string {
	kinds := []string{kind}
	for _, k := range others {
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}
