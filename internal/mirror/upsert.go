package mirror

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/errgroup"

	"padron/internal/socrata"
)

const (
	// defaultBatchRows and defaultBatchBytes bound one write command. Speed
	// is flat from 1,000 to 5,000 rows of some 800 bytes; smaller batches
	// stop sooner when the context is over and hold less memory.
	defaultBatchRows  = 2000
	defaultBatchBytes = 2 << 20

	// readBatch is how many stored rows one reply of the cursor holds, and
	// how many keys one lookup asks for. Measured: 1,000 is as fast as more.
	readBatch = 1000

	// beatEvery is how many rows pass between two calls of Beat; a few
	// milliseconds' worth.
	beatEvery = 1000
)

// UpsertInput is one key range's cleaned pages.
type UpsertInput struct {
	Run  string    // run id, into lineage.run
	Part string    // label of the range within the run, without dots and slashes: names its pages of events
	Spec string    // digest of spec and rules, into lineage.spec
	At   time.Time // the run's time, into lineage.first_seen and changed_at

	// FirstLoad says that the mirror was empty before the run: what is new
	// then makes no event.
	FirstLoad bool
	// Explain gives changes their meaning. Compare needs none.
	Explain Explain

	// Range is what the pages cover. Of a range of null keys nothing is
	// read or written but its quarantined rows.
	Range socrata.Range
	// Pages follow each other in key order.
	Pages []PageRef
	// Ordered says that keys ascend strictly in byte order over all pages.
	// When they do not (the portal sorts by another collation), stored rows
	// are looked up by key, and which are missing stays unknown.
	Ordered bool
	// Partial says that the pages are only some rows of the range: nothing is
	// said of stored rows that they lack, and no page of keys is landed. Partial
	// pages are not Ordered.
	Partial bool

	// Beat, when set, is called from the calling goroutine after every
	// thousand rows.
	Beat func(Progress)
}

// PageRef is a landed page, of cleaned rows or of keys.
type PageRef struct {
	ID     string `bson:"id" json:"id"`         // in the landing
	SHA256 string `bson:"sha256" json:"sha256"` // hex; what the page must hash to
	Label  string `bson:"label" json:"label"`   // the page's label, the same for every attempt: names its quarantined rows
}

// Progress is how far an upsert has come.
type Progress struct {
	Rows int    // read from the pages
	Last string // key of the last of them
}

// UpsertResult counts what one call found and did. Inserted and Replaced of a
// call made again after a crash are only what was left to do: a run's own
// counts come from Census. Rows, Missing, Quarantined and Kept do not depend on
// earlier calls, and
//
//	stored rows in the range afterwards = Rows - Quarantined + Kept + Missing
//
// Compare lands no pages of keys, so it leaves MissingKeys and AllKeys empty.
type UpsertResult struct {
	Rows        int    `json:"rows"`        // records in the pages, quarantined ones included
	Inserted    int    `json:"inserted"`    // new keys
	Replaced    int    `json:"replaced"`    // keys whose hash differs
	Unchanged   int    `json:"unchanged"`   // keys whose hash is equal: not written
	Missing     int    `json:"missing"`     // stored keys in the range that the pages lack; -1: unknown
	Quarantined int    `json:"quarantined"` // records that could not become documents
	Kept        int    `json:"kept"`        // stored keys that the pages have only in quarantine: their documents stay
	Last        string `json:"last"`        // key of the last record

	Stale int `json:"stale"` // rows of which only quality.stale is to be set or cleared

	MissingKeys PageRef `json:"missing_keys,omitzero"` // ordered pages: the missing keys, in byte order; none: zero
	AllKeys     PageRef `json:"all_keys,omitzero"`     // unordered pages: all their keys, in byte order; none: zero
}

// Upsert makes the stored rows of a range equal to its pages: new keys are
// inserted, changed ones replaced, unchanged ones not written. Each change is
// an event in changes, written before the row. A new key that is in removed
// goes on from there. Missing keys are counted, listed and left alone; a
// quarantined key counts as present, its stored document stays and is flagged
// stale until the row is clean again. Quarantined rows are kept in quarantine.
//
// It is a merge join of the pages with the stored keys and hashes, both in key
// order: one pass in constant memory. A call that fails or is cancelled at any
// point, made again, ends in the same state as one that was not.
//
// Errors to decide upon: ErrConflict (call again), ErrCorrupt, ErrNoPage and
// ErrNoDocument (clean the page again), ErrForeignRow (a document there is none
// of Padron's), ErrDuplicateKey and ErrOrder (the gate should have
// seen it), ErrNoRun (events need the run's record), and whatever the database
// or Explain answers.
func (m *Mirror) Upsert(ctx context.Context, pages Landing, in UpsertInput) (UpsertResult, error) {
	if in.Explain == nil {
		return UpsertResult{}, errors.New("upsert: nothing explains changes")
	}
	if err := checkPart(in.Part); err != nil {
		return UpsertResult{}, fmt.Errorf("upsert: %w", err)
	}
	return m.apply(ctx, pages, in, true)
}

// Compare counts what Upsert would do and writes nothing.
func (m *Mirror) Compare(ctx context.Context, pages Landing, in UpsertInput) (UpsertResult, error) {
	return m.apply(ctx, pages, in, false)
}

func (m *Mirror) apply(ctx context.Context, pages Landing, in UpsertInput, write bool) (UpsertResult, error) {
	group, walking := errgroup.WithContext(ctx)
	j := &join{m: m, in: in, pages: pages}
	if write {
		if !in.Partial {
			j.keys = newKeyPage(ctx, pages, in.Run, in.Part)
			defer j.keys.abort()
		}
		j.sink = newSink(m, &j.in)
		group.Go(func() error { return j.sink.drain(walking) })
	}
	err := j.run(walking)
	if write {
		// Only a complete walk hands over what it holds; after an error the
		// writer just ends. Its error is the cause when both have one.
		if err == nil {
			err = j.sink.flush(walking)
		}
		close(j.sink.full)
		if werr := group.Wait(); werr != nil {
			err = werr
		}
		if err == nil && j.keys != nil {
			err = j.landKeys(ctx)
		}
	}
	if err != nil {
		return j.result, fmt.Errorf("upsert %s: %w", in.Range, err)
	}
	return j.result, nil
}

// stored is what the mirror holds of a row, as far as the join needs it.
type stored struct {
	key     string
	hash    [HashSize]byte
	version int32
	stale   bool // quality.stale
}

// join walks the pages of a range against its stored rows.
type join struct {
	m      *Mirror
	in     UpsertInput
	pages  Landing
	sink   *sink    // nil: count only
	keys   *keyPage // of missing keys, or of all; nil: count only
	result UpsertResult
	census *Census // of the stored rows that were walked along; nil: not counted

	last    string          // key of the record before
	hasLast bool            // whether there was one with a key
	clean   bool            // whether any record with that key was clean
	seen    map[string]bool // unordered pages: keys so far, true when clean
}

func (j *join) run(ctx context.Context) error {
	switch {
	case j.in.Range.NullKeys:
		return j.eachRecord(ctx, func(ref PageRef, index int, rec *Record) error {
			if rec.Quarantine == "" {
				return fmt.Errorf("%w: clean row with key %q among the rows without key", ErrOrder, rec.Key)
			}
			return j.quarantine(ctx, ref, index, rec)
		})
	case j.in.Ordered:
		return j.merge(ctx)
	default:
		return j.lookup(ctx)
	}
}

// eachRecord reads all pages in order.
func (j *join) eachRecord(ctx context.Context, visit func(PageRef, int, *Record) error) error {
	var rec Record
	for _, ref := range j.in.Pages {
		if err := j.eachOf(ctx, ref, &rec, visit); err != nil {
			return fmt.Errorf("page %s: %w", ref.ID, err)
		}
	}
	return nil
}

func (j *join) eachOf(ctx context.Context, ref PageRef, rec *Record, visit func(PageRef, int, *Record) error) error {
	content, err := j.pages.Open(ctx, ref.ID, ref.SHA256)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // nothing was written that closing could lose
	reader := NewPageReader(content)
	for {
		err := reader.Next(rec)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		j.result.Rows++
		if rec.Key != "" {
			j.result.Last = rec.Key
		}
		if j.result.Rows%beatEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if j.in.Beat != nil {
				j.in.Beat(Progress{Rows: j.result.Rows, Last: j.result.Last})
			}
		}
		if err := visit(ref, reader.Index(), rec); err != nil {
			return err
		}
	}
}

// merge is the join proper: both sides in key order.
func (j *join) merge(ctx context.Context) error {
	w, err := j.walk(ctx)
	if err != nil {
		return err
	}
	defer w.rows.close(ctx)
	err = j.eachRecord(ctx, func(ref PageRef, index int, rec *Record) error {
		old, err := w.meet(ctx, rec)
		switch {
		case err != nil:
			return err
		case rec.Quarantine != "":
			return j.quarantine(ctx, ref, index, rec)
		}
		return j.decide(ctx, rec, old)
	})
	if err != nil {
		return err
	}
	return w.end(ctx)
}

// walk goes along the stored rows of a range while records come.
type walk struct {
	j    *join
	rows *storedCursor
	cur  stored
	more bool
}

func (j *join) walk(ctx context.Context) (*walk, error) {
	rows, err := j.m.storedRows(ctx, j.in.Range)
	if err != nil {
		return nil, err
	}
	w := &walk{j: j, rows: rows}
	if err := w.next(ctx); err != nil {
		rows.close(ctx)
		return nil, err
	}
	return w, nil
}

func (w *walk) next(ctx context.Context) (err error) {
	w.more, err = w.rows.next(ctx, &w.cur)
	if w.more && w.j.census != nil {
		w.j.census.Documents++
		w.j.census.Digest.Add(w.cur.key, w.cur.hash)
	}
	return err
}

// meet goes on to a record's place and returns what is stored of it, nil for
// nothing. Stored rows that no further record can meet are settled.
func (w *walk) meet(ctx context.Context, rec *Record) (*stored, error) {
	if rec.Key == "" {
		return nil, nil
	}
	j := w.j
	if err := j.checkOrder(rec); err != nil {
		return nil, err
	}
	for w.more && w.cur.key < rec.Key {
		if err := j.leave(ctx, &w.cur); err != nil {
			return nil, err
		}
		if err := w.next(ctx); err != nil {
			return nil, err
		}
	}
	j.clean = rec.Quarantine == "" || j.clean && j.hasLast && j.last == rec.Key
	j.last, j.hasLast = rec.Key, true
	if w.more && w.cur.key == rec.Key {
		return &w.cur, nil
	}
	return nil, nil
}

// end settles the stored rows after the last record.
func (w *walk) end(ctx context.Context) error {
	for w.more {
		if err := w.j.leave(ctx, &w.cur); err != nil {
			return err
		}
		if err := w.next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// landKeys lands the page of keys, if there are any.
func (j *join) landKeys(ctx context.Context) error {
	ref, err := j.keys.commit(ctx)
	if err != nil {
		return err
	}
	if j.seen == nil {
		j.result.MissingKeys = ref
	} else {
		j.result.AllKeys = ref
	}
	return nil
}

// leave settles a stored row that no further record can meet. The row stays
// current until a greater key comes, for a quarantined double may follow.
func (j *join) leave(ctx context.Context, cur *stored) error {
	switch {
	case !j.hasLast || j.last != cur.key:
		j.result.Missing++
		if j.keys == nil {
			return nil
		}
		return j.keys.add(cur.key)
	case !j.clean:
		return j.keep(ctx, cur)
	}
	return nil
}

// keep leaves a stored row as it is that came in quarantine only, and sees to
// it that it is flagged.
func (j *join) keep(ctx context.Context, cur *stored) error {
	j.result.Kept++
	if cur.stale {
		return nil
	}
	j.result.Stale++
	if j.sink == nil {
		return nil
	}
	return j.sink.flag(ctx, cur, true, false)
}

// checkOrder holds ordered pages to what they claim: a wrong claim would show
// stored rows as missing and known ones as new.
func (j *join) checkOrder(rec *Record) error {
	r := j.in.Range
	if rec.Key <= r.After && r.After != "" || rec.Key > r.UpTo && r.UpTo != "" {
		return fmt.Errorf("%w: %q is outside %s", ErrOrder, rec.Key, r)
	}
	if !j.hasLast || rec.Key > j.last {
		return nil
	}
	if rec.Key < j.last {
		return fmt.Errorf("%w: %q after %q", ErrOrder, rec.Key, j.last)
	}
	// The same key again: at most one of them may become the document.
	if rec.Quarantine == "" && j.clean {
		return fmt.Errorf("%w: %q", ErrDuplicateKey, rec.Key)
	}
	return nil
}

// decide is the one place where a clean record meets what is stored of it
// (nil: nothing).
func (j *join) decide(ctx context.Context, rec *Record, old *stored) error {
	switch {
	case old == nil:
		j.result.Inserted++
	case old.hash == rec.Hash:
		j.result.Unchanged++
		if !old.stale {
			return nil
		}
		j.result.Stale++
	default:
		j.result.Replaced++
	}
	if j.sink == nil {
		return nil
	}
	if rec.Document == nil {
		return fmt.Errorf("%w: key %q", ErrNoDocument, rec.Key)
	}
	if err := checkDocument(rec); err != nil {
		return err
	}
	switch {
	case old == nil && j.in.FirstLoad:
		return j.sink.load(ctx, rec)
	case old != nil && old.hash == rec.Hash:
		_, err := rec.Document.LookupErr("quality")
		return j.sink.flag(ctx, old, false, err == nil)
	default:
		return j.sink.change(ctx, rec, old)
	}
}

// checkDocument makes sure that what is about to be stored is what was
// cleaned, before the page's own hash is known to be right: that shows only
// at the page's end.
func checkDocument(rec *Record) error {
	if sha256.Sum256(rec.Document) != rec.Hash {
		return fmt.Errorf("%w: document of key %q does not hash to what was recorded", ErrCorrupt, rec.Key)
	}
	kind, name, rest, ok := readHeader(rec.Document[4:])
	if !ok || string(name) != "_id" || kind != bsoncore.TypeString {
		return fmt.Errorf("%w: document of key %q does not begin with _id", ErrCorrupt, rec.Key)
	}
	if id, _, ok := bsoncore.ReadString(rest); !ok || id != rec.Key {
		return fmt.Errorf("%w: document of key %q has another _id", ErrCorrupt, rec.Key)
	}
	return nil
}

func (j *join) quarantine(ctx context.Context, ref PageRef, index int, rec *Record) error {
	j.result.Quarantined++
	if j.sink == nil {
		return nil
	}
	return j.sink.quarantine(ctx, Quarantined{
		Run: j.in.Run, Page: ref.Label, Index: index, Key: rec.Key,
		Reason: rec.Quarantine, Raw: string(rec.Raw), At: j.in.At.UTC(),
	})
}

// lookup is the join for pages whose keys are not in byte order: a batch of
// records at a time, its stored rows found by key. The keys of a range are
// held to find doubles: some 5 MiB for 50,000 rows.
func (j *join) lookup(ctx context.Context) error {
	j.result.Missing = -1
	j.seen = map[string]bool{}
	batch := make([]Record, 0, readBatch)
	err := j.eachRecord(ctx, func(ref PageRef, index int, rec *Record) error {
		if rec.Quarantine != "" {
			if rec.Key != "" && !j.seen[rec.Key] {
				j.seen[rec.Key] = false
			}
			return j.quarantine(ctx, ref, index, rec)
		}
		if j.seen[rec.Key] {
			return fmt.Errorf("%w: %q", ErrDuplicateKey, rec.Key)
		}
		j.seen[rec.Key] = true
		kept := *rec
		kept.Document = bytes.Clone(rec.Document)
		if batch = append(batch, kept); len(batch) < readBatch {
			return nil
		}
		err := j.lookupBatch(ctx, batch)
		batch = batch[:0]
		return err
	})
	if err != nil {
		return err
	}
	if err := j.lookupBatch(ctx, batch); err != nil {
		return err
	}
	var quarantined []string
	for key, clean := range j.seen {
		if !clean {
			quarantined = append(quarantined, key)
		}
	}
	if j.keys != nil {
		for _, key := range slices.Sorted(maps.Keys(j.seen)) {
			if err := j.keys.add(key); err != nil {
				return err
			}
		}
	}
	for keys := range slices.Chunk(quarantined, readBatch) {
		found, err := j.m.storedByKey(ctx, keys)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if cur, ok := found[key]; ok {
				if err := j.keep(ctx, &cur); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (j *join) lookupBatch(ctx context.Context, batch []Record) error {
	keys := make([]string, len(batch))
	for i := range batch {
		keys[i] = batch[i].Key
	}
	found, err := j.m.storedByKey(ctx, keys)
	if err != nil {
		return err
	}
	for i := range batch {
		var old *stored
		if s, ok := found[batch[i].Key]; ok {
			old = &s
		}
		if err := j.decide(ctx, &batch[i], old); err != nil {
			return err
		}
	}
	return nil
}

// storedByKey looks up the stored rows among keys.
func (m *Mirror) storedByKey(ctx context.Context, keys []string) (map[string]stored, error) {
	found := make(map[string]stored, len(keys))
	if len(keys) == 0 {
		return found, nil
	}
	rows, err := m.findStored(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}}, false)
	if err != nil {
		return nil, err
	}
	defer rows.close(ctx)
	for {
		var s stored
		more, err := rows.next(ctx, &s)
		if err != nil {
			return nil, err
		}
		if !more {
			return found, nil
		}
		found[s.key] = s
	}
}

// storedCursor reads keys, hashes and versions of stored rows. It decodes by
// hand: the driver's reflection costs more than the whole rest of the join.
type storedCursor struct {
	m      *Mirror
	cursor *mongo.Cursor
}

// storedRows reads a range in key order. What is inserted meanwhile never
// shows: it lies behind the cursor by then.
func (m *Mirror) storedRows(ctx context.Context, r socrata.Range) (*storedCursor, error) {
	bounds := bson.D{{Key: "$gt", Value: r.After}}
	if r.UpTo != "" {
		bounds = append(bounds, bson.E{Key: "$lte", Value: r.UpTo})
	}
	return m.findStored(ctx, bson.D{{Key: "_id", Value: bounds}}, true)
}

func (m *Mirror) findStored(ctx context.Context, filter bson.D, sorted bool) (*storedCursor, error) {
	opts := options.Find().SetBatchSize(readBatch).SetProjection(bson.D{
		{Key: "lineage.hash", Value: 1}, {Key: "lineage.version", Value: 1}, {Key: "quality.stale", Value: 1},
	})
	if sorted {
		opts.SetSort(bson.D{{Key: "_id", Value: 1}})
	}
	call, cancel := m.call(ctx)
	defer cancel()
	cursor, err := m.db.Collection(Businesses).Find(call, filter, opts)
	if err != nil {
		return nil, fmt.Errorf("read stored rows: %w", err)
	}
	return &storedCursor{m: m, cursor: cursor}, nil
}

func (c *storedCursor) next(ctx context.Context, s *stored) (bool, error) {
	// Only a new batch goes to the server and needs a deadline.
	if c.cursor.RemainingBatchLength() == 0 {
		call, cancel := c.m.call(ctx)
		defer cancel()
		ctx = call
	}
	if !c.cursor.Next(ctx) {
		if err := c.cursor.Err(); err != nil {
			return false, fmt.Errorf("read stored rows: %w", err)
		}
		return false, nil
	}
	return true, s.decode(bsoncore.Document(c.cursor.Current))
}

func (c *storedCursor) close(ctx context.Context) {
	// A cursor that cannot be closed is the server's to time out.
	call, cancel := c.m.call(context.WithoutCancel(ctx))
	defer cancel()
	_ = c.cursor.Close(call)
}

func (s *stored) decode(doc bsoncore.Document) error {
	*s = stored{}
	id, ok := doc.Lookup("_id").StringValueOK()
	if !ok {
		return fmt.Errorf("%w: stored row has an _id that is no string: %s", ErrForeignRow, doc.Lookup("_id"))
	}
	s.key = id
	lineage, ok := doc.Lookup("lineage").DocumentOK()
	if !ok {
		return fmt.Errorf("%w: stored row %q has no lineage", ErrForeignRow, id)
	}
	_, hash, ok := lineage.Lookup("hash").BinaryOK()
	if !ok || len(hash) != HashSize {
		return fmt.Errorf("%w: stored row %q has no hash", ErrForeignRow, id)
	}
	copy(s.hash[:], hash)
	if s.version, ok = lineage.Lookup("version").Int32OK(); !ok {
		return fmt.Errorf("%w: stored row %q has no version", ErrForeignRow, id)
	}
	if quality, ok := doc.Lookup("quality").DocumentOK(); ok {
		s.stale, _ = quality.Lookup("stale").BooleanOK()
	}
	return nil
}
