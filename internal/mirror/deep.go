package mirror

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/socrata"
)

// Kinds of findings of Rehash.
const (
	FindingForeign      = "foreign"       // a document that Padron did not write: without a row's _id, or without lineage
	FindingCorrupt      = "corrupt"       // a document that does not hash to what its lineage says
	FindingVersion      = "version"       // a version that a row cannot have
	FindingBoth         = "both"          // a key in businesses and in removed
	FindingEventMissing = "event_missing" // a version without its event
	FindingEventExtra   = "event_extra"   // an event of a version that its row does not have
	FindingEventDiffers = "event_differs" // the event of a row's own version tells other values than the document has
)

// findingKeys is how many keys of a finding are named.
const findingKeys = 20

// RehashInput says what to look at.
type RehashInput struct {
	Ranges []socrata.Range // cut the work into pieces, as in CensusInput
	// FirstLoads are the times of the runs that loaded an empty mirror: rows
	// first seen then have no event of version 1.
	FirstLoads []time.Time
	// Silent reports paths that change without an event; nil: none.
	Silent func(path string) bool
	// Beat, when set, is called from the calling goroutine at least every
	// second with the rows and events read so far.
	Beat func(rows int64)
}

// DeepReport is what Rehash found.
type DeepReport struct {
	Documents int64     `bson:"documents" json:"documents"` // in businesses
	Removed   int64     `bson:"removed" json:"removed"`     // in removed
	Events    int64     `bson:"events" json:"events"`
	Pending   int64     `bson:"pending" json:"pending"` // events above their row's version, of runs that did not finish: no fault
	Findings  []Finding `bson:"findings" json:"findings"`
}

// Finding is a fault and where it is.
type Finding struct {
	Kind  string   `bson:"kind" json:"kind"`
	Count int64    `bson:"count" json:"count"`
	Keys  []string `bson:"keys" json:"keys"` // the first of them
}

// note adds to a finding.
func (r *DeepReport) note(kind string, count int64, keys ...string) {
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Kind == kind })
	if i < 0 {
		i = len(r.Findings)
		r.Findings = append(r.Findings, Finding{Kind: kind, Keys: []string{}})
	}
	f := &r.Findings[i]
	f.Count += count
	f.Keys = append(f.Keys, keys[:min(len(keys), findingKeys-len(f.Keys))]...)
}

func (r *DeepReport) plus(o DeepReport) {
	r.Documents += o.Documents
	r.Removed += o.Removed
	r.Events += o.Events
	r.Pending += o.Pending
	for _, f := range o.Findings {
		r.note(f.Kind, f.Count, f.Keys...)
	}
}

// Rehash looks at every byte that is stored of the rows: each document hashes
// to what its lineage says, each key is in one collection only, each version has
// its event and no event is of a version that is not there, and the event of a
// row's own version tells the document's values. It is a merge of businesses,
// removed and changes in key order: a full scan of all three, on purpose, in
// constant memory. Nothing must write meanwhile.
func (m *Mirror) Rehash(ctx context.Context, in RehashInput) (DeepReport, error) {
	d := &deep{m: m, in: &in, firstLoads: map[int64]bool{}, finished: map[string]bool{}}
	for _, t := range in.FirstLoads {
		d.firstLoads[t.UnixMilli()] = true
	}
	var reports []DeepReport // by piece, so that keys are named in their order
	err := beating(ctx, in.Beat, func(ctx context.Context, beat *pulse) error {
		reports = make([]DeepReport, len(pieces(in.Ranges)))
		return m.eachRange(ctx, in.Ranges, func(ctx context.Context, i int, r socrata.Range) error {
			p := &piece{deep: d, beat: beat, report: &reports[i]}
			return p.walk(ctx, r)
		})
	})
	if err != nil {
		return DeepReport{}, fmt.Errorf("rehash: %w", err)
	}
	var report DeepReport
	for _, r := range reports {
		report.plus(r)
	}
	for collection, own := range map[string]func(bson.RawValue) bool{Businesses: ownKey, Removed: ownKey, Changes: ownEvent} {
		err := m.eachStranger(ctx, collection, own, func(id bson.RawValue) error {
			report.note(FindingForeign, 1, id.String())
			return nil
		})
		if err != nil {
			return DeepReport{}, fmt.Errorf("rehash: %w", err)
		}
	}
	slices.SortFunc(report.Findings, func(a, b Finding) int { return strings.Compare(a.Kind, b.Kind) })
	return report, nil
}

// ownEvent reports whether an _id lies among those of events.
func ownEvent(id bson.RawValue) bool {
	if doc, ok := id.DocumentOK(); ok {
		first, err := doc.IndexErr(0)
		return err == nil && first.Key() == "key" && ownKey(first.Value())
	}
	return false
}

// deep is one Rehash.
type deep struct {
	m          *Mirror
	in         *RehashInput
	firstLoads map[int64]bool // Unix milliseconds

	mu       sync.Mutex
	finished map[string]bool // by run
}

// done reports whether a run finished; a run without a record did, for nothing
// will go on with what it left.
func (d *deep) done(ctx context.Context, run string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done, known := d.finished[run]
	if known {
		return done, nil
	}
	record, err := d.m.Run(ctx, run)
	if err != nil && !errors.Is(err, ErrNoRun) {
		return false, err
	}
	done = err != nil || record.Status == StatusDone
	d.finished[run] = done
	return done, nil
}

// stream is a collection's documents in key order.
type stream struct {
	m      *Mirror
	cursor *mongo.Cursor
	key    string // of the current document; "" at the end
	own    func(bson.Raw) (key string, ok bool)
	strays func(bson.Raw) // gets the documents that are not own
}

func (d *deep) open(ctx context.Context, collection string, filter bson.D) (*stream, error) {
	call, cancel := d.m.call(ctx)
	defer cancel()
	cursor, err := d.m.db.Collection(collection).Find(call, filter,
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(readBatch))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", collection, err)
	}
	return &stream{m: d.m, cursor: cursor}, nil
}

// next goes to the next document that is a row's.
func (s *stream) next(ctx context.Context) error {
	for {
		more, err := s.m.advance(ctx, s.cursor)
		if err != nil {
			return err
		}
		if !more {
			s.key = ""
			return nil
		}
		key, ok := s.own(s.cursor.Current)
		if ok {
			s.key = key
			return nil
		}
		s.strays(s.cursor.Current)
	}
}

// piece is the walk through one range of keys.
type piece struct {
	*deep
	beat   *pulse
	report *DeepReport
	buf    []byte // for canonical documents

	rows    *stream
	removed *stream
	events  *stream
}

func (p *piece) walk(ctx context.Context, r socrata.Range) error {
	for _, o := range []struct {
		to         **stream
		collection string
		filter     bson.D
		own        func(bson.Raw) (string, bool)
	}{
		{&p.rows, Businesses, keysWithin(r), rowKey},
		{&p.removed, Removed, keysWithin(r), rowKey},
		{&p.events, Changes, eventsWithin(r), eventKey},
	} {
		s, err := p.open(ctx, o.collection, o.filter)
		if err != nil {
			return err
		}
		defer p.m.closeCursor(ctx, s.cursor)
		s.own = o.own
		s.strays = func(doc bson.Raw) { p.report.note(FindingForeign, 1, doc.Lookup("_id").String()) }
		if err := s.next(ctx); err != nil {
			return err
		}
		*o.to = s
	}
	for {
		key := ""
		for _, s := range []*stream{p.rows, p.removed, p.events} {
			if s.key != "" && (key == "" || s.key < key) {
				key = s.key
			}
		}
		if key == "" {
			return nil
		}
		if err := p.judge(ctx, key); err != nil {
			return err
		}
		p.beat.add(1)
	}
}

// judge looks at all there is of one key, and goes to the next.
func (p *piece) judge(ctx context.Context, key string) error {
	var (
		lineage   Lineage // zero: no row
		canonical bson.Raw
		isRemoved bool
		err       error
	)
	if p.rows.key == key {
		p.report.Documents++
		lineage, canonical = p.check(key, p.rows.cursor.Current)
		if p.removed.key == key {
			p.report.note(FindingBoth, 1, key)
		}
		if err = p.rows.next(ctx); err != nil {
			return err
		}
	}
	if p.removed.key == key {
		p.report.Removed++
		if canonical == nil {
			lineage, canonical = p.check(key, p.removed.cursor.Current)
			isRemoved = true
		}
		if err = p.removed.next(ctx); err != nil {
			return err
		}
	}
	least := int32(1) // version that has an event
	if p.firstLoads[lineage.FirstSeen.UnixMilli()] {
		least = 2
	}
	expected := least
	for p.events.key == key {
		p.report.Events++
		p.beat.add(1)
		event := p.events.cursor.Current
		version := event.Lookup("_id", "version").Int32()
		switch {
		case version > lineage.Version:
			done, err := p.done(ctx, text(event, "run"))
			if err != nil {
				return err
			}
			if done {
				p.report.note(FindingEventExtra, 1, key)
			} else {
				p.report.Pending++
			}
		case version < least:
			p.report.note(FindingEventExtra, 1, key)
		default:
			if version > expected {
				p.report.note(FindingEventMissing, int64(version-expected), key)
			}
			expected = version + 1
			if version == lineage.Version && !p.tells(event, canonical, isRemoved) {
				p.report.note(FindingEventDiffers, 1, key)
			}
		}
		if err := p.events.next(ctx); err != nil {
			return err
		}
	}
	if expected <= lineage.Version {
		p.report.note(FindingEventMissing, int64(lineage.Version-expected)+1, key)
	}
	return nil
}

// check holds a document to its lineage. The canonical document is valid until
// the next call.
func (p *piece) check(key string, doc bson.Raw) (Lineage, bson.Raw) {
	lineage, err := LineageOf(doc)
	if err == nil {
		p.buf, err = CanonicalOf(p.buf[:0], doc)
	}
	switch {
	case err != nil:
		p.report.note(FindingForeign, 1, key)
		return Lineage{}, bson.Raw{}
	case sha256.Sum256(p.buf) != lineage.Hash:
		p.report.note(FindingCorrupt, 1, key)
	}
	if lineage.Version < 1 {
		p.report.note(FindingVersion, 1, key)
	}
	return lineage, p.buf
}

// tells reports whether the event of a row's own version tells what the row's
// document has.
func (p *piece) tells(event, canonical bson.Raw, isRemoved bool) bool {
	if kind, _ := event.Lookup("kinds", "0").StringValueOK(); (kind == KindRemoved) != isRemoved {
		return false
	}
	fields, ok := event.Lookup("fields").ArrayOK()
	if !ok {
		return false
	}
	values, err := fields.Values()
	if err != nil {
		return false
	}
	for _, v := range values {
		field, ok := v.DocumentOK()
		if !ok {
			return false
		}
		path := text(field, "path")
		from, to := field.Lookup("from"), field.Lookup("to")
		if from.IsZero() && to.IsZero() || p.in.Silent != nil && p.in.Silent(path) {
			continue // not told, or told differently since
		}
		has := canonical.Lookup(strings.Split(path, ".")...)
		if has.Type != to.Type || !bytes.Equal(has.Value, to.Value) {
			return false
		}
	}
	return true
}

func rowKey(doc bson.Raw) (string, bool) {
	id := doc.Lookup("_id")
	return text(doc, "_id"), ownKey(id)
}

func eventKey(doc bson.Raw) (string, bool) {
	id, ok := doc.Lookup("_id").DocumentOK()
	if !ok || !ownKey(id.Lookup("key")) {
		return "", false
	}
	_, ok = id.Lookup("version").Int32OK()
	return text(id, "key"), ok
}
