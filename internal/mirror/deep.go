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

	"padron/internal/certificate"
	"padron/internal/changes"
	"padron/internal/lineage"
	"padron/internal/mongodb"
	"padron/internal/runs"
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
	Ranges []socrata.Range // cut the work into pieces, as in TotalsInput
	// FirstLoads are the times of the runs that loaded an empty mirror: rows
	// first seen then have no event of version 1.
	FirstLoads []time.Time
	// Untracked reports paths that change without an event; nil: none.
	Untracked func(path string) bool
	// Heartbeat, when set, is called from the calling goroutine at least every
	// second with the rows and events read so far.
	Heartbeat func(rows int64)
}

// DeepReport is what Rehash found.
type DeepReport struct {
	Documents int64                 `bson:"documents" json:"documents"` // in businesses
	Removed   int64                 `bson:"removed" json:"removed"`     // in removed
	Events    int64                 `bson:"events" json:"events"`
	Pending   int64                 `bson:"pending" json:"pending"` // events above their row's version, of runs that did not finish: no fault
	Findings  []certificate.Finding `bson:"findings" json:"findings"`
}

// note adds to a finding.
func (r *DeepReport) note(kind string, count int64, keys ...string) {
	i := slices.IndexFunc(r.Findings, func(f certificate.Finding) bool { return f.Kind == kind })
	if i < 0 {
		i = len(r.Findings)
		r.Findings = append(r.Findings, certificate.Finding{Kind: kind, Keys: []string{}})
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

// Rehash checks everything that is stored of the rows: each document has the
// hash in its lineage, each key is in one collection only, each version has its
// event, no event is of a version that does not exist, and the event of a row's
// current version has the document's values. It merges businesses, removed and
// changes in key order: a full scan of all three, on purpose, in constant
// memory. Nothing must write meanwhile.
func (m *Mirror) Rehash(ctx context.Context, in RehashInput) (DeepReport, error) {
	report, err := m.newDeep(&in).walk(ctx)
	if err != nil {
		return DeepReport{}, fmt.Errorf("rehash: %w", err)
	}
	for collection, own := range map[string]func(bson.RawValue) bool{mongodb.Businesses: ownKey, mongodb.Removed: ownKey, mongodb.Changes: ownEvent} {
		err := m.eachStranger(ctx, collection, own, func(id bson.RawValue) error {
			report.note(FindingForeign, 1, id.String())
			return nil
		})
		if err != nil {
			return DeepReport{}, fmt.Errorf("rehash: %w", err)
		}
	}
	slices.SortFunc(report.Findings, func(a, b certificate.Finding) int { return strings.Compare(a.Kind, b.Kind) })
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

func (m *Mirror) newDeep(in *RehashInput) *deep {
	d := &deep{m: m, in: in, firstLoads: map[int64]bool{}, finished: map[string]bool{}}
	for _, t := range in.FirstLoads {
		d.firstLoads[t.UnixMilli()] = true
	}
	return d
}

// walk looks at every key.
func (d *deep) walk(ctx context.Context) (report DeepReport, err error) {
	var reports []DeepReport // by piece, so that keys are named in their order
	err = mongodb.WithHeartbeat(ctx, d.in.Heartbeat, func(ctx context.Context, progress *mongodb.Progress) error {
		reports = make([]DeepReport, len(pieces(d.in.Ranges)))
		return d.m.eachRange(ctx, d.in.Ranges, func(ctx context.Context, i int, r socrata.Range) error {
			p := &piece{deep: d, progress: progress, report: &reports[i]}
			return p.walk(ctx, r)
		})
	})
	for _, r := range reports {
		report.plus(r)
	}
	return report, err
}

// deep is one Rehash or Mend.
type deep struct {
	m          *Mirror
	in         *RehashInput
	mender     *mender        // nil: nothing is written
	firstLoads map[int64]bool // Unix milliseconds

	mu       sync.Mutex
	finished map[string]bool // by run
}

// done reports whether a run finished. A run without a record counts as
// finished: nothing will continue it.
func (d *deep) done(ctx context.Context, run string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done, known := d.finished[run]
	if known {
		return done, nil
	}
	record, err := d.m.runs.Run(ctx, run)
	if err != nil && !errors.Is(err, runs.ErrNoRun) {
		return false, err
	}
	done = err != nil || record.Status == runs.StatusDone
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
	call, cancel := d.m.db.Call(ctx)
	defer cancel()
	cursor, err := d.m.db.Collection(collection).Find(call, filter,
		options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(mongodb.ReadBatch))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", collection, err)
	}
	return &stream{m: d.m, cursor: cursor}, nil
}

// next goes to the next document that is a row's.
func (s *stream) next(ctx context.Context) error {
	for {
		more, err := s.m.db.Advance(ctx, s.cursor)
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
	progress *mongodb.Progress
	report   *DeepReport
	buf      []byte // for canonical documents

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
		{&p.rows, mongodb.Businesses, mongodb.KeysBetween(r.After, r.UpTo), rowKey},
		{&p.removed, mongodb.Removed, mongodb.KeysBetween(r.After, r.UpTo), rowKey},
		{&p.events, mongodb.Changes, eventsWithin(r), eventKey},
	} {
		s, err := p.open(ctx, o.collection, o.filter)
		if err != nil {
			return err
		}
		defer p.m.db.CloseCursor(ctx, s.cursor)
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
		p.progress.Add(1)
	}
}

// judge looks at all there is of one key, and goes to the next.
func (p *piece) judge(ctx context.Context, key string) error {
	k := keyed{key: key}
	if p.rows.key == key {
		p.report.Documents++
		k.own, k.canonical = p.check(key, p.rows.cursor.Current)
		if p.removed.key == key {
			p.report.note(FindingBoth, 1, key)
		}
		if err := p.rows.next(ctx); err != nil {
			return err
		}
	}
	if p.removed.key == key {
		p.report.Removed++
		if k.canonical == nil {
			k.own, k.canonical = p.check(key, p.removed.cursor.Current)
			k.removed = true
		}
		if err := p.removed.next(ctx); err != nil {
			return err
		}
	}
	k.foreign = k.canonical != nil && len(k.canonical) == 0
	k.least = 1
	if p.firstLoads[k.own.FirstSeen.UnixMilli()] {
		k.least = 2
	}
	if err := p.judgeEvents(ctx, &k); err != nil || p.mender == nil {
		return err
	}
	return p.mender.mend(ctx, &k)
}

// judgeEvents looks at the events of a key.
func (p *piece) judgeEvents(ctx context.Context, k *keyed) error {
	expected, above := k.least, int64(0)
	lost := false // the last event says that the row is nowhere
	for p.events.key == k.key {
		p.report.Events++
		p.progress.Add(1)
		event := p.events.cursor.Current
		seen := keyedEvent{
			version: event.Lookup("_id", "version").Int32(),
			tells:   k.canonical != nil && p.tells(event, k.canonical, k.removed), closes: closes(event),
		}
		switch {
		case seen.version > k.own.Version:
			done, err := p.done(ctx, mongodb.Text(event, "run"))
			if err != nil {
				return err
			}
			lost = k.canonical == nil && seen.closes
			if seen.pending = !done; done {
				above++
			} else {
				p.report.Pending++
			}
		case seen.version < k.least:
			p.report.note(FindingEventExtra, 1, k.key)
		default:
			if seen.version > expected {
				p.report.note(FindingEventMissing, int64(seen.version-expected), k.key)
			}
			expected = seen.version + 1
			if seen.version == k.own.Version && !seen.tells {
				p.report.note(FindingEventDiffers, 1, k.key)
			}
		}
		k.events = append(k.events, seen)
		if err := p.events.next(ctx); err != nil {
			return err
		}
	}
	if above > 0 && !lost {
		p.report.note(FindingEventExtra, above, slices.Repeat([]string{k.key}, int(above))...)
	}
	if expected <= k.own.Version {
		p.report.note(FindingEventMissing, int64(k.own.Version-expected)+1, k.key)
	}
	return nil
}

// closes reports whether an event says that a row was lost: Mend writes it where
// a key has events and no document.
func closes(event bson.Raw) bool {
	kind, _ := event.Lookup("kinds", "0").StringValueOK()
	return kind == changes.KindRemoved && mongodb.Text(event, "cause") == changes.CauseRepair
}

// check compares a document with its lineage. The canonical document is valid
// until the next call.
func (p *piece) check(key string, doc bson.Raw) (lineage.Lineage, bson.Raw) {
	own, err := lineage.Of(doc)
	if err == nil {
		p.buf, err = lineage.Canonical(p.buf[:0], doc)
	}
	switch {
	case err != nil:
		p.report.note(FindingForeign, 1, key)
		return lineage.Lineage{}, bson.Raw{}
	case sha256.Sum256(p.buf) != own.Hash:
		p.report.note(FindingCorrupt, 1, key)
	}
	if own.Version < 1 {
		p.report.note(FindingVersion, 1, key)
	}
	return own, p.buf
}

// tells reports whether the event of a row's current version has the values of
// the row's document.
func (p *piece) tells(event, canonical bson.Raw, isRemoved bool) bool {
	if kind, _ := event.Lookup("kinds", "0").StringValueOK(); (kind == changes.KindRemoved) != isRemoved {
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
		path := mongodb.Text(field, "path")
		from, to := field.Lookup("from"), field.Lookup("to")
		if from.IsZero() && to.IsZero() || p.in.Untracked != nil && p.in.Untracked(path) {
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
	return mongodb.Text(doc, "_id"), ownKey(id)
}

func eventKey(doc bson.Raw) (string, bool) {
	id, ok := doc.Lookup("_id").DocumentOK()
	if !ok || !ownKey(id.Lookup("key")) {
		return "", false
	}
	_, ok = id.Lookup("version").Int32OK()
	return mongodb.Text(id, "key"), ok
}

// eventsWithin matches the events of the keys of a range.
func eventsWithin(r socrata.Range) bson.D {
	bounds := bson.D{{Key: "$gt", Value: bson.D{{Key: "key", Value: r.After}, {Key: "version", Value: bson.MaxKey{}}}}}
	if r.UpTo != "" {
		bounds = append(bounds, bson.E{Key: "$lt", Value: bson.D{{Key: "key", Value: r.UpTo}, {Key: "version", Value: bson.MaxKey{}}}})
	}
	return bson.D{{Key: "_id", Value: bounds}}
}
