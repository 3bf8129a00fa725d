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

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"golang.org/x/sync/errgroup"

	"padron/internal/changes"
	"padron/internal/landing"
	"padron/internal/mongodb"
	"padron/internal/quarantine"
	"padron/internal/socrata"
)

const (
	// defaultBatchRows and defaultBatchBytes bound one write command. Speed
	// is flat from 1,000 to 5,000 rows of some 800 bytes; smaller batches
	// stop sooner when the context is over and hold less memory.
	defaultBatchRows  = 2000
	defaultBatchBytes = 2 << 20

	// heartbeatEvery is how many rows pass between two calls of Heartbeat; a
	// few milliseconds' worth.
	heartbeatEvery = 1000
)

// UpsertInput is one key range's cleaned pages.
type UpsertInput struct {
	Run  string    // run id, into lineage.run
	Part string    // label of the range within the run, without dots and slashes: names its pages of events
	Spec string    // digest of spec and rules, into lineage.spec
	At   time.Time // the run's time, into lineage.first_seen and changed_at

	// FirstLoad says that the mirror was empty before the run: new rows make no
	// events then.
	FirstLoad bool
	// Classify gives changes their meaning. Compare needs none.
	Classify changes.Classify

	// Range is what the pages cover. Of a range of null keys, only quarantined
	// rows are written.
	Range socrata.Range
	// Pages follow each other in key order.
	Pages []landing.Ref
	// Ordered says that keys ascend strictly in byte order over all pages.
	// When they do not (the portal sorts by another collation), stored rows
	// are looked up by key, and which are missing stays unknown.
	Ordered bool
	// Partial says that the pages are only some rows of the range: stored rows
	// that they lack are not missing, and no page of keys is landed. Partial
	// pages are not Ordered.
	Partial bool
	// Repair has stored documents read whole: one that does not hash to what its
	// lineage claims was changed by another hand, and is replaced like a changed
	// one, with changes.CauseRepair.
	Repair bool

	// Heartbeat, when set, is called from the calling goroutine after every
	// thousand rows.
	Heartbeat func(Progress)
}

// Progress is how far an upsert has come.
type Progress struct {
	Rows int    // read from the pages
	Last string // key of the last of them
}

// UpsertResult counts what one call found and did. After a crash, Inserted and
// Replaced of the repeated call are only what was left to do; the counts of a
// run come from Totals. Rows, Missing, Quarantined and Kept do not depend on
// earlier calls, and
//
//	stored rows in the range afterwards = Rows - Quarantined + Kept + Missing
//
// Compare lands no pages of keys, so it leaves MissingKeys and AllKeys empty.
type UpsertResult struct {
	Rows        int    `json:"rows"`        // records in the pages, quarantined ones included
	Inserted    int    `json:"inserted"`    // new keys
	Replaced    int    `json:"replaced"`    // keys whose hash differs, damaged ones included
	Unchanged   int    `json:"unchanged"`   // keys whose hash is equal: not written
	Missing     int    `json:"missing"`     // stored keys in the range that the pages lack; -1: unknown
	Quarantined int    `json:"quarantined"` // records that could not become documents
	Kept        int    `json:"kept"`        // stored keys that the pages have only in quarantine: their documents stay
	Last        string `json:"last"`        // key of the last record

	Stale int `json:"stale"` // rows of which only quality.stale is to be set or cleared

	MissingKeys landing.Ref `json:"missing_keys,omitzero"` // ordered pages: the missing keys, in byte order; none: zero
	AllKeys     landing.Ref `json:"all_keys,omitzero"`     // unordered pages: all their keys, in byte order; none: zero
}

// Upsert makes the stored rows of a range equal to its pages: new keys are
// inserted, changed ones replaced, unchanged ones not written. Each change is
// an event in changes, written before the row. A new key that is in removed
// continues with the next version. Missing keys are counted and listed, and
// their rows stay. A quarantined key counts as present: its stored document
// stays, and is flagged stale until the row is clean again. Quarantined rows
// are stored in quarantine.
//
// It is a merge join of the pages with the stored keys and hashes, both in key
// order: one pass in constant memory. When a call fails or is cancelled at any
// point, a repeated call leaves the same state as if nothing had happened.
//
// Errors to decide upon: mongodb.ErrConflict (call again); landing.ErrCorrupt,
// landing.ErrNoPage and ErrNoDocument (clean the page again); ErrForeignRow (a
// document in the range is not Padron's); landing.ErrDuplicateKey and
// landing.ErrOrder (the gate should have seen it); runs.ErrNoRun (events need
// the run's record). The database's errors and Classify's are returned too.
func (m *Mirror) Upsert(ctx context.Context, pages landing.Zone, in UpsertInput) (UpsertResult, error) {
	if in.Classify == nil {
		return UpsertResult{}, errors.New("upsert: nothing classifies changes")
	}
	if err := checkPart(in.Part); err != nil {
		return UpsertResult{}, fmt.Errorf("upsert: %w", err)
	}
	return m.apply(ctx, pages, in, true)
}

// Compare counts what Upsert would do and writes nothing.
func (m *Mirror) Compare(ctx context.Context, pages landing.Zone, in UpsertInput) (UpsertResult, error) {
	return m.apply(ctx, pages, in, false)
}

func (m *Mirror) apply(ctx context.Context, pages landing.Zone, in UpsertInput, write bool) (UpsertResult, error) {
	j := &join{m: m, in: in, pages: pages}
	if write {
		var err error
		if j.sink, err = newSink(ctx, m, &j.in); err != nil {
			return j.result, fmt.Errorf("upsert %s: %w", in.Range, err)
		}
	}
	group, walking := errgroup.WithContext(ctx)
	if write {
		if !in.Partial {
			j.keys = landing.NewKeyWriter(ctx, pages, in.Run, in.Part)
			defer j.keys.Abort()
		}
		group.Go(func() error { return j.sink.drain(walking) })
	}
	err := j.run(walking)
	if write {
		// The last batches are written only after a complete walk; after an
		// error the writer just ends. When both fail, the writer's error is the
		// cause.
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

// join walks the pages of a range against its stored rows.
type join struct {
	m      *Mirror
	in     UpsertInput
	pages  landing.Zone
	sink   *sink              // nil: count only
	keys   *landing.KeyWriter // of missing keys, or of all; nil: count only
	result UpsertResult
	totals *Totals // of the stored rows that were walked along; nil: not counted

	last    string          // key of the record before
	hasLast bool            // whether there was one with a key
	clean   bool            // whether any record with that key was clean
	seen    map[string]bool // unordered pages: keys so far, true when clean
}

func (j *join) run(ctx context.Context) error {
	switch {
	case j.in.Range.NullKeys:
		return j.eachRecord(ctx, func(ref landing.Ref, index int, rec *landing.Record) error {
			if rec.Quarantine == "" {
				return fmt.Errorf("%w: clean row with key %q among the rows without key", landing.ErrOrder, rec.Key)
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
func (j *join) eachRecord(ctx context.Context, visit func(landing.Ref, int, *landing.Record) error) error {
	var rec landing.Record
	for _, ref := range j.in.Pages {
		if err := j.eachOf(ctx, ref, &rec, visit); err != nil {
			return fmt.Errorf("page %s: %w", ref.ID, err)
		}
	}
	return nil
}

func (j *join) eachOf(ctx context.Context, ref landing.Ref, rec *landing.Record, visit func(landing.Ref, int, *landing.Record) error) error {
	content, err := j.pages.Open(ctx, ref.ID, ref.SHA256)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // nothing was written that closing could lose
	reader := landing.NewPageReader(content)
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
		if j.result.Rows%heartbeatEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if j.in.Heartbeat != nil {
				j.in.Heartbeat(Progress{Rows: j.result.Rows, Last: j.result.Last})
			}
		}
		if err := visit(ref, reader.Index(), rec); err != nil {
			return err
		}
	}
}

// merge joins ordered pages with the stored rows of the range.
func (j *join) merge(ctx context.Context) error {
	w, err := j.walk(ctx)
	if err != nil {
		return err
	}
	defer w.rows.close(ctx)
	err = j.eachRecord(ctx, func(ref landing.Ref, index int, rec *landing.Record) error {
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

// walk is the stored rows' side of a merge.
type walk struct {
	j    *join
	rows *storedCursor
	cur  stored
	more bool
}

func (j *join) walk(ctx context.Context) (*walk, error) {
	rows, err := j.m.storedRows(ctx, j.in.Range, j.in.Repair)
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
	if w.more && w.j.totals != nil {
		w.j.totals.Documents++
		w.j.totals.Digest.Add(w.cur.key, w.cur.hash)
	}
	return err
}

// meet advances to a record's key and returns the stored row with that key, or
// nil. Stored rows with smaller keys are settled.
func (w *walk) meet(ctx context.Context, rec *landing.Record) (*stored, error) {
	if rec.Key == "" {
		return nil, nil
	}
	j := w.j
	if err := j.checkOrder(rec); err != nil {
		return nil, err
	}
	old, err := w.reach(ctx, rec.Key)
	if err != nil {
		return nil, err
	}
	j.clean = rec.Quarantine == "" || j.clean && j.hasLast && j.last == rec.Key
	j.last, j.hasLast = rec.Key, true
	return old, nil
}

// reach advances to a key and returns the stored row with that key, or nil.
// Stored rows with smaller keys are settled.
func (w *walk) reach(ctx context.Context, key string) (*stored, error) {
	for w.more && w.cur.key < key {
		if err := w.j.leave(ctx, &w.cur); err != nil {
			return nil, err
		}
		if err := w.next(ctx); err != nil {
			return nil, err
		}
	}
	if w.more && w.cur.key == key {
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
	ref, err := j.keys.Commit(ctx)
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

// leave settles a stored row whose key all further records exceed. Until then
// the row stays current, because a quarantined row with the same key may
// follow.
func (j *join) leave(ctx context.Context, cur *stored) error {
	switch {
	case !j.hasLast || j.last != cur.key:
		j.result.Missing++
		if j.keys == nil {
			return nil
		}
		return j.keys.Add(cur.key)
	case !j.clean:
		return j.keep(ctx, cur)
	}
	return nil
}

// keep flags a stored row whose key is in the pages only in quarantine, and
// leaves it as it is otherwise.
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

// checkOrder checks that ordered pages are in order: otherwise stored rows
// would count as missing, and known ones as new.
func (j *join) checkOrder(rec *landing.Record) error {
	r := j.in.Range
	if rec.Key <= r.After && r.After != "" || rec.Key > r.UpTo && r.UpTo != "" {
		return fmt.Errorf("%w: %q is outside %s", landing.ErrOrder, rec.Key, r)
	}
	if !j.hasLast || rec.Key > j.last {
		return nil
	}
	if rec.Key < j.last {
		return fmt.Errorf("%w: %q after %q", landing.ErrOrder, rec.Key, j.last)
	}
	// The same key again: at most one of them may become the document.
	if rec.Quarantine == "" && j.clean {
		return fmt.Errorf("%w: %q", landing.ErrDuplicateKey, rec.Key)
	}
	return nil
}

// decide is the one place that compares a clean record with the stored row
// (nil: there is none).
func (j *join) decide(ctx context.Context, rec *landing.Record, old *stored) error {
	switch {
	case old == nil:
		j.result.Inserted++
	case old.hash == rec.Hash && !old.damaged:
		j.result.Unchanged++
		switch {
		case old.stale:
			j.result.Stale++
		case rec.Row != nil && rec.Document == nil && j.sink != nil:
			return j.sink.note(ctx, rec, old)
		default:
			return nil
		}
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
	case old != nil && old.hash == rec.Hash && !old.damaged:
		_, err := rec.Document.LookupErr("quality")
		return j.sink.flag(ctx, old, false, err == nil)
	default:
		return j.sink.change(ctx, rec, old)
	}
}

// checkDocument makes sure that the document to be stored is the cleaned one.
// The page's own hash can be checked at the page's end only.
func checkDocument(rec *landing.Record) error {
	if sha256.Sum256(rec.Document) != rec.Hash {
		return fmt.Errorf("%w: document of key %q does not hash to what was recorded", landing.ErrCorrupt, rec.Key)
	}
	kind, name, rest, ok := mongodb.ReadHeader(rec.Document[4:])
	if !ok || string(name) != "_id" || kind != bsoncore.TypeString {
		return fmt.Errorf("%w: document of key %q does not begin with _id", landing.ErrCorrupt, rec.Key)
	}
	if id, _, ok := bsoncore.ReadString(rest); !ok || id != rec.Key {
		return fmt.Errorf("%w: document of key %q has another _id", landing.ErrCorrupt, rec.Key)
	}
	return nil
}

func (j *join) quarantine(ctx context.Context, ref landing.Ref, index int, rec *landing.Record) error {
	j.result.Quarantined++
	if j.sink == nil {
		return nil
	}
	return j.sink.quarantine(ctx, quarantine.Row{
		Run: j.in.Run, Page: ref.Label, Index: index, Key: rec.Key,
		Reason: rec.Quarantine, Raw: string(rec.Raw), At: j.in.At.UTC(),
	})
}

// lookup joins pages whose keys are not in byte order: a batch of records at a
// time, whose stored rows are found by key. The keys of a range are held in
// memory to find doubles: some 5 MiB for 50,000 rows.
func (j *join) lookup(ctx context.Context) error {
	j.result.Missing = -1
	j.seen = map[string]bool{}
	batch := make([]landing.Record, 0, mongodb.ReadBatch)
	err := j.eachRecord(ctx, func(ref landing.Ref, index int, rec *landing.Record) error {
		if rec.Quarantine != "" {
			if rec.Key != "" && !j.seen[rec.Key] {
				j.seen[rec.Key] = false
			}
			return j.quarantine(ctx, ref, index, rec)
		}
		if j.seen[rec.Key] {
			return fmt.Errorf("%w: %q", landing.ErrDuplicateKey, rec.Key)
		}
		j.seen[rec.Key] = true
		kept := *rec
		kept.Document = bytes.Clone(rec.Document)
		if batch = append(batch, kept); len(batch) < mongodb.ReadBatch {
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
			if err := j.keys.Add(key); err != nil {
				return err
			}
		}
	}
	for keys := range slices.Chunk(quarantined, mongodb.ReadBatch) {
		found, err := j.m.storedByKey(ctx, keys, j.in.Repair)
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

func (j *join) lookupBatch(ctx context.Context, batch []landing.Record) error {
	keys := make([]string, len(batch))
	for i := range batch {
		keys[i] = batch[i].Key
	}
	found, err := j.m.storedByKey(ctx, keys, j.in.Repair)
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
