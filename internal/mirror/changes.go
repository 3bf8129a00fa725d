package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Collections of what happened to rows.
const (
	Changes = "changes" // one event per row and version
	Removed = "removed" // the last document of rows that the portal no longer has
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
	KindUpdated  = "updated"  // anything else
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
)

// eventsPerPage bounds the events of one page, so that a listing holds no
// more than that many at once.
const eventsPerPage = 500

// Event is one change of one row. A row at version n has the events up to n;
// what a first load inserted has none for version 1. An event above its row's
// version (in businesses, or else in removed) is what a crash left of a change
// that did not happen, and is to be ignored.
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

// Explanation is what a change of a row means.
type Explanation struct {
	Kinds []string               // the primary one first; none: nothing worth an event
	Cause string                 // CauseSource, CauseRules or CauseSchema
	Drop  func(path string) bool // paths whose values an event must not hold; nil: none
}

// Explain says what a change of a row's canonical document means. old is nil
// for a new row. sameSpec says that old was made by the same spec and rules.
// It is called from one goroutine per Upsert and must not keep the documents.
type Explain func(old, now bson.Raw, sameSpec bool) (Explanation, error)

// PageOfEvents names page n of the events of one part of a run.
func PageOfEvents(run, part string, n int) string { return fmt.Sprintf("%s/%s/%04d", run, part, n) }

// journal writes the change events of one call, in pages of eventsPerPage. How
// many pages a part of a run has is in the run's record before their events
// are there. Each call starts a page of its own: what an earlier call for the
// same part wrote stays as it is, and no page grows beyond its bound.
type journal struct {
	m    *Mirror
	run  string
	part string
	at   time.Time

	opened bool
	first  int // number of this call's first page
	events int // of this call
	noted  int // how many pages the run's record speaks of
	bulk   command
}

// start makes ready for the next batch of events.
func (j *journal) start() { j.bulk.start("update", Changes, "updates") }

// add takes an event into the batch.
func (j *journal) add(ctx context.Context, e *Event) error {
	if err := j.open(ctx); err != nil {
		return err
	}
	e.Run, e.At, e.Page = j.run, j.at, PageOfEvents(j.run, j.part, j.first+j.events/eventsPerPage)
	if err := j.bulk.add(func(dst []byte) ([]byte, error) { return appendEventUpsert(dst, e) }); err != nil {
		return fmt.Errorf("event of key %q: %w", e.Key, err)
	}
	j.events++
	return nil
}

// open finds the first page that no earlier call has used.
func (j *journal) open(ctx context.Context) error {
	if j.opened {
		return nil
	}
	call, cancel := j.m.call(ctx)
	defer cancel()
	field := "change_pages." + j.part
	raw, err := j.m.db.Collection(RunRecords).FindOne(call, byID(j.run),
		options.FindOne().SetProjection(bson.D{{Key: field, Value: 1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return fmt.Errorf("%w: %s", ErrNoRun, j.run)
	}
	if err != nil {
		return fmt.Errorf("read change pages of run %s: %w", j.run, err)
	}
	if pages, ok := raw.Lookup("change_pages", j.part).AsInt64OK(); ok {
		j.first = int(pages)
	}
	j.noted, j.opened = j.first, true
	return nil
}

// flush writes the batch. An event that is there already is overwritten: it
// is what a crash left of a change that did not happen.
func (j *journal) flush(ctx context.Context) error {
	if j.bulk.rows == 0 {
		return nil
	}
	if pages := j.first + (j.events-1)/eventsPerPage + 1; pages > j.noted {
		call, cancel := j.m.call(ctx)
		_, err := j.m.db.Collection(RunRecords).UpdateOne(call, byID(j.run),
			bson.D{{Key: "$max", Value: bson.D{{Key: "change_pages." + j.part, Value: int32(pages)}}}})
		cancel()
		if err != nil {
			return fmt.Errorf("record change pages of run %s: %w", j.run, err)
		}
		j.noted = pages
	}
	return j.m.write(ctx, &j.bulk)
}

// appendEventUpsert appends one element of an update command: the event, in
// place of one that is there.
func appendEventUpsert(dst []byte, e *Event) ([]byte, error) {
	start, dst := bsoncore.AppendDocumentStart(dst)
	query, dst := bsoncore.AppendDocumentElementStart(dst, "q")
	dst = appendEventID(dst, e)
	dst, err := bsoncore.AppendDocumentEnd(dst, query)
	if err != nil {
		return dst, err
	}
	event, dst := bsoncore.AppendDocumentElementStart(dst, "u")
	dst = appendEventID(dst, e)
	kinds, dst := bsoncore.AppendArrayElementStart(dst, "kinds")
	for i, kind := range e.Kinds {
		dst = bsoncore.AppendStringElement(dst, position(i), kind)
	}
	if dst, err = bsoncore.AppendArrayEnd(dst, kinds); err != nil {
		return dst, err
	}
	dst = bsoncore.AppendStringElement(dst, "cause", e.Cause)
	dst = bsoncore.AppendStringElement(dst, "run", e.Run)
	dst = bsoncore.AppendDateTimeElement(dst, "at", e.At.UnixMilli())
	fields, dst := bsoncore.AppendArrayElementStart(dst, "fields")
	for i := range e.Fields {
		f := &e.Fields[i]
		field, b := bsoncore.AppendDocumentElementStart(dst, position(i))
		b = bsoncore.AppendStringElement(b, "path", f.Path)
		b = appendValue(b, "from", f.From)
		b = appendValue(b, "to", f.To)
		if dst, err = bsoncore.AppendDocumentEnd(b, field); err != nil {
			return dst, err
		}
	}
	if dst, err = bsoncore.AppendArrayEnd(dst, fields); err != nil {
		return dst, err
	}
	dst = bsoncore.AppendStringElement(dst, "page", e.Page)
	if dst, err = bsoncore.AppendDocumentEnd(dst, event); err != nil {
		return dst, err
	}
	dst = bsoncore.AppendBooleanElement(dst, "upsert", true)
	return bsoncore.AppendDocumentEnd(dst, start)
}

func appendEventID(dst []byte, e *Event) []byte {
	id, dst := bsoncore.AppendDocumentElementStart(dst, "_id")
	dst = bsoncore.AppendStringElement(dst, "key", e.Key)
	dst = bsoncore.AppendInt32Element(dst, "version", e.Version)
	// Cannot fail: the index is from three lines above.
	dst, _ = bsoncore.AppendDocumentEnd(dst, id)
	return dst
}

func appendValue(dst []byte, name string, v bson.RawValue) []byte {
	if v.IsZero() {
		return dst
	}
	dst = bsoncore.AppendHeader(dst, bsoncore.Type(v.Type), name)
	return append(dst, v.Value...)
}

// primary puts a kind in front of others.
func primary(kind string, others []string) []string {
	kinds := []string{kind}
	for _, k := range others {
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}
