package mirror

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/changes"
	"padron/internal/lineage"
	"padron/internal/mongodb"
)

// MendInput says for which run, and what Rehash is given.
type MendInput struct {
	RehashInput
	Run  string // run id: events that are written tell it
	Part string // label, without dots and slashes: names its pages of events
	At   time.Time
}

// Mend makes versions and change events of rows agree again, where another hand
// changed them, and returns how many rows it mended. It walks what Rehash walks.
// Documents come first: the run has written anew those that the portal has.
//
//   - A version without its event gets one that tells nothing but
//     changes.CauseRepair: what was told is lost. So does the event of a row's own
//     version that tells other values than the document has.
//   - A version above all events becomes the next after the last of them, and one
//     below events of finished runs is raised to theirs.
//   - A removed document that does not hash to what its lineage says is taken as it
//     is: the portal no longer has it. Its next event says so.
//   - The events of a row that is nowhere are closed with one of kind removed.
//
// What is not Padron's (FindingForeign) stays. A repeated call mends what is left.
func (m *Mirror) Mend(ctx context.Context, in MendInput) (int, error) {
	d := m.newDeep(&in.RehashInput)
	d.mender = &mender{m: m, in: &in, journal: journal{m: m, run: in.Run, part: in.Part, at: in.At, repairs: true}}
	if err := checkPart(in.Part); err != nil {
		return 0, fmt.Errorf("mend: %w", err)
	}
	if _, err := d.walk(ctx); err != nil {
		return 0, fmt.Errorf("mend: %w", err)
	}
	return d.mender.rows, nil
}

// mender writes what a walk found to be mended, a row at a time.
type mender struct {
	m  *Mirror
	in *MendInput

	mu      sync.Mutex // pieces are walked several at once
	journal journal
	rows    int
}

// keyed is all there is of one key.
type keyed struct {
	key       string
	own       lineage.Lineage // zero: no row
	canonical bson.Raw        // of the row
	foreign   bool            // the row is not Padron's
	removed   bool            // the row is in removed
	least     int32           // version that has an event
	events    []keyedEvent    // in order of version
}

// keyedEvent is what is to be known of an event.
type keyedEvent struct {
	version int32
	tells   bool // the document's values
	pending bool // its run goes on
	closes  bool // it says that the row is nowhere
}

// plan is how a row's version and events come to agree: events to be written, as
// versions, events to be deleted, and the version that the row is to have.
func (k *keyed) plan() (write, drop []int32, version int32) {
	k.events = slices.DeleteFunc(k.events, func(e keyedEvent) bool { return e.pending && !e.closes && e.version > k.own.Version })
	last := keyedEvent{version: k.least - 1, tells: k.least > 1} // a first load tells all
	if n := len(k.events); n > 0 {
		last = k.events[n-1]
	}
	if k.own.Version == 0 && k.canonical == nil {
		if len(k.events) > 0 && !last.closes {
			write = []int32{last.version + 1}
		}
		return write, nil, 0
	}
	sound := sha256.Sum256(k.canonical) == k.own.Hash || !k.removed
	version = max(last.version, 1)
	switch {
	case last.version > k.own.Version && !last.tells, last.version >= k.least && !sound:
		version++ // the last event is of another content
	case k.own.Version > last.version && k.own.Version > 0:
		version = max(last.version+1, 1)
	}
	next := k.least
	for _, e := range k.events {
		if e.version < k.least {
			drop = append(drop, e.version)
			continue
		}
		for ; next < e.version; next++ {
			write = append(write, next)
		}
		if next++; e.version == version && !e.tells {
			write = append(write, e.version)
		}
	}
	for ; next <= version; next++ {
		write = append(write, next)
	}
	return write, drop, version
}

// mend writes what the plan of a key says: events first, then the row.
func (w *mender) mend(ctx context.Context, k *keyed) error {
	if k.foreign {
		return nil
	}
	write, drop, version := k.plan()
	hash := k.own.Hash
	if k.removed {
		hash = sha256.Sum256(k.canonical)
	}
	if len(write)+len(drop) == 0 && version == k.own.Version && hash == k.own.Hash {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rows++
	w.journal.start()
	for _, v := range write {
		e := changes.Event{EventID: changes.EventID{Key: k.key, Version: v}, Kinds: []string{changes.KindUpdated}, Cause: changes.CauseRepair}
		if k.removed && v == version || k.canonical == nil {
			e.Kinds = []string{changes.KindRemoved}
		}
		if err := w.journal.add(ctx, &e); err != nil {
			return err
		}
	}
	if err := w.journal.flush(ctx); err != nil {
		return err
	}
	call, cancel := w.m.db.Call(ctx)
	defer cancel()
	for _, v := range drop {
		id := bson.D{{Key: "key", Value: k.key}, {Key: "version", Value: v}}
		if _, err := w.m.db.Collection(mongodb.Changes).DeleteOne(call, bson.D{{Key: "_id", Value: id}}); err != nil {
			return fmt.Errorf("key %q: %w", k.key, err)
		}
	}
	if k.canonical == nil || version == k.own.Version && hash == k.own.Hash {
		return nil
	}
	collection := mongodb.Businesses
	if k.removed {
		collection = mongodb.Removed
	}
	res, err := w.m.db.Collection(collection).UpdateOne(call,
		bson.D{{Key: "_id", Value: k.key}, {Key: "lineage.version", Value: k.own.Version}},
		bson.D{{Key: "$set", Value: bson.D{
			{Key: "lineage.version", Value: version}, {Key: "lineage.hash", Value: bson.Binary{Data: hash[:]}},
		}}})
	if err != nil {
		return fmt.Errorf("key %q: %w", k.key, err)
	}
	if res.MatchedCount == 0 {
		return fmt.Errorf("%w: key %q", mongodb.ErrConflict, k.key)
	}
	return nil
}
