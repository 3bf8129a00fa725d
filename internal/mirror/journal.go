package mirror

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/changes"
	"padron/internal/lineage"
	"padron/internal/mongodb"
)

// eventsPerPage bounds the events of one page, so that a listing holds no
// more than that many at once.
const eventsPerPage = 500

// journal writes the change events of one call, in pages of eventsPerPage. The
// run's record is told of a page before its events are written. Each call
// starts a page of its own, so what an earlier call for the same part wrote
// stays as it is, and no page grows beyond its bound.
type journal struct {
	m    *Mirror
	run  string
	part string
	at   time.Time
	// repairs says that events of other runs are written anew, whether or not
	// their rows have come to their versions.
	repairs bool

	opened bool
	first  int // number of this call's first page
	events int // of this call
	noted  int // how many pages the run's record speaks of
	bulk   command
}

// start makes ready for the next batch of events.
func (j *journal) start() { j.bulk.start("update", mongodb.Changes, "updates") }

// add takes an event into the batch.
func (j *journal) add(ctx context.Context, e *changes.Event) error {
	if err := j.open(ctx); err != nil {
		return err
	}
	e.Run, e.At, e.Page = j.run, j.at, changes.PageName(j.run, j.part, j.first+j.events/eventsPerPage)
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
	pages, err := j.m.runs.ChangePageCount(ctx, j.run, j.part)
	if err != nil {
		return err
	}
	j.first = pages
	j.noted, j.opened = j.first, true
	return nil
}

// flush writes the batch. An event of the same run that exists already is
// overwritten: it is an earlier attempt's. One of another run is looked at first
// (overwrite).
func (j *journal) flush(ctx context.Context) error {
	if j.bulk.rows == 0 {
		return nil
	}
	if pages := j.first + (j.events-1)/eventsPerPage + 1; pages > j.noted {
		if err := j.m.runs.NoteChangePages(ctx, j.run, j.part, pages); err != nil {
			return err
		}
		j.noted = pages
	}
	err := j.m.write(ctx, &j.bulk)
	if errors.Is(err, mongodb.ErrConflict) {
		return j.overwrite(ctx)
	}
	return err
}

// overwrite writes a batch some of whose events exist already, of another run.
// Where the row is below the event's version, a crash prevented the change, and
// the event is overwritten. Else the row has come to that version by the other
// run: this worker was suspended, say, and has woken late. Nothing that is told
// of the other run is overwritten then, and it is mongodb.ErrConflict.
//
// Which run is the later one is told by versions alone, by no clock.
func (j *journal) overwrite(ctx context.Context) error {
	updates, err := bson.Raw(j.bulk.buf).Lookup("updates").Array().Values()
	if err != nil {
		return fmt.Errorf("events of run %s: %w", j.run, err)
	}
	of, err := j.m.runsOfEvents(ctx, updates)
	if err != nil {
		return err
	}
	var others []string
	for id, run := range of {
		if run != j.run {
			others = append(others, id.Key)
		}
	}
	versions, err := j.m.versions(ctx, others)
	if err != nil {
		return err
	}
	var again command
	again.start("update", mongodb.Changes, "updates")
	for _, u := range updates {
		id, err := eventID(u)
		if err != nil {
			return err
		}
		run, exists := of[id]
		if exists && run != j.run && versions[id.Key] >= id.Version && !j.repairs {
			return fmt.Errorf("%w: run %s has changed key %q since", mongodb.ErrConflict, run, id.Key)
		}
		if !exists {
			run = j.run
		}
		event := u.Document().Lookup("u").Document()
		if err := again.add(func(dst []byte) ([]byte, error) { return appendUpdate(dst, id, run, event, !exists) }); err != nil {
			return fmt.Errorf("event of key %q: %w", id.Key, err)
		}
	}
	return j.m.write(ctx, &again)
}

// eventID is the _id that an element of an update command is about.
func eventID(update bson.RawValue) (changes.EventID, error) {
	var id changes.EventID
	if err := update.Document().Lookup("q", "_id").Unmarshal(&id); err != nil {
		return id, fmt.Errorf("id of an event: %w", err)
	}
	return id, nil
}

// runsOfEvents reads which run the stored ones among events are of.
func (m *Mirror) runsOfEvents(ctx context.Context, updates []bson.RawValue) (map[changes.EventID]string, error) {
	ids := make([]bson.RawValue, len(updates))
	for i, u := range updates {
		ids[i] = u.Document().Lookup("q", "_id")
	}
	call, cancel := m.db.Call(ctx)
	defer cancel()
	var events []struct {
		ID  changes.EventID `bson:"_id"`
		Run string          `bson:"run"`
	}
	cursor, err := m.db.Collection(mongodb.Changes).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetProjection(bson.D{{Key: "run", Value: 1}}))
	if err == nil {
		err = cursor.All(call, &events)
	}
	if err != nil {
		return nil, fmt.Errorf("read whose change events there are: %w", err)
	}
	of := make(map[changes.EventID]string, len(events))
	for _, e := range events {
		of[e.ID] = e.Run
	}
	return of, nil
}

// versions reads the versions of rows, present and removed. Of a row that is in
// both, the present one counts: the other is a copy that a crash left.
func (m *Mirror) versions(ctx context.Context, keys []string) (map[string]int32, error) {
	found := make(map[string]int32, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	for _, collection := range []string{mongodb.Removed, mongodb.Businesses} {
		var rows []struct {
			Key     string          `bson:"_id"`
			Lineage lineage.Lineage `bson:"lineage"`
		}
		call, cancel := m.db.Call(ctx)
		cursor, err := m.db.Collection(collection).Find(call, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}},
			options.Find().SetProjection(bson.D{{Key: "lineage.version", Value: 1}}))
		if err == nil {
			err = cursor.All(call, &rows)
		}
		cancel()
		if err != nil {
			return nil, fmt.Errorf("read versions of %s: %w", collection, err)
		}
		for _, r := range rows {
			found[r.Key] = r.Lineage.Version
		}
	}
	return found, nil
}

// appendUpdate appends one element of an update command: the event in place of
// one of that run, or, with upsert, of none.
func appendUpdate(dst []byte, id changes.EventID, run string, event bson.Raw, upsert bool) ([]byte, error) {
	start, dst := bsoncore.AppendDocumentStart(dst)
	dst, err := appendEventQuery(dst, id, run)
	if err != nil {
		return dst, err
	}
	dst = bsoncore.AppendDocumentElement(dst, "u", bsoncore.Document(event))
	dst = bsoncore.AppendBooleanElement(dst, "upsert", upsert)
	return bsoncore.AppendDocumentEnd(dst, start)
}

// appendEventQuery appends the filter of an update: the event, if it is of that
// run.
func appendEventQuery(dst []byte, id changes.EventID, run string) ([]byte, error) {
	query, dst := bsoncore.AppendDocumentElementStart(dst, "q")
	dst = appendEventID(dst, id)
	dst = bsoncore.AppendStringElement(dst, "run", run)
	return bsoncore.AppendDocumentEnd(dst, query)
}

// appendEventUpsert appends one element of an update command: the event, in
// place of one that the same run has written.
func appendEventUpsert(dst []byte, e *changes.Event) ([]byte, error) {
	start, dst := bsoncore.AppendDocumentStart(dst)
	dst, err := appendEventQuery(dst, e.EventID, e.Run)
	if err != nil {
		return dst, err
	}
	event, dst := bsoncore.AppendDocumentElementStart(dst, "u")
	dst = appendEventID(dst, e.EventID)
	kinds, dst := bsoncore.AppendArrayElementStart(dst, "kinds")
	for i, kind := range e.Kinds {
		dst = bsoncore.AppendStringElement(dst, strconv.Itoa(i), kind)
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
		field, b := bsoncore.AppendDocumentElementStart(dst, strconv.Itoa(i))
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

func appendEventID(dst []byte, id changes.EventID) []byte {
	start, dst := bsoncore.AppendDocumentElementStart(dst, "_id")
	dst = bsoncore.AppendStringElement(dst, "key", id.Key)
	dst = bsoncore.AppendInt32Element(dst, "version", id.Version)
	// Cannot fail: the index is from three lines above.
	dst, _ = bsoncore.AppendDocumentEnd(dst, start)
	return dst
}

func appendValue(dst []byte, name string, v bson.RawValue) []byte {
	if v.IsZero() {
		return dst
	}
	dst = bsoncore.AppendHeader(dst, bsoncore.Type(v.Type), name)
	return append(dst, v.Value...)
}
