package alerts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"padron/internal/certificate"
	"padron/internal/mongodb"
	"padron/internal/runs"
)

// Reader reads the records of conditions. It is safe for concurrent use.
type Reader struct{ db *mongodb.Database }

// NewReader reads the alerts of a dataset's database.
func NewReader(db *mongodb.Database) *Reader { return &Reader{db: db} }

// Store reads and writes the records of conditions. It is safe for concurrent
// use.
type Store struct{ Reader }

// NewStore keeps the alerts of a dataset's database.
func NewStore(db *mongodb.Database) *Store { return &Store{Reader{db: db}} }

// Condition is something that is wrong. It is open from the run that finds it
// to the run that finds that it has ended.
type Condition string

// The conditions.
const (
	ConditionFailed     Condition = "failed"          // a run failed
	ConditionSchema     Condition = "schema_changed"  // the portal's columns no longer fit the spec
	ConditionNotGreen   Condition = "not_green"       // a certificate is red or unproven
	ConditionDamaged    Condition = "damaged"         // a deep check found what another hand changed
	ConditionHeld       Condition = "held_removals"   // removals over the limit wait for approval
	ConditionDeadline   Condition = "deadline_passed" // a run was not done in time
	ConditionStale      Condition = "stale"           // the last proof is too old
	ConditionStandstill Condition = "standstill"      // the portal has published nothing for too long
	ConditionBackfill   Condition = "backfill_failed" // a backfill failed, or some of its windows did
)

// Alert is a condition's record. A message about it is due while Message, which
// tells the present state, is not Sent.
type Alert struct {
	ID      Condition           `bson:"_id" json:"condition"`
	Open    bool                `bson:"open" json:"open"`
	Cause   string              `bson:"cause" json:"cause"`   // of what kind it is: another cause is news, another wording is not
	Reason  string              `bson:"reason" json:"reason"` // in words; of a past one, why it is past
	Next    string              `bson:"next,omitempty" json:"next,omitempty"`
	Run     string              `bson:"run" json:"run"` // the run, or the check, that found it so last
	Job     string              `bson:"job,omitempty" json:"job,omitempty"`
	Status  runs.Status         `bson:"status,omitempty" json:"status,omitempty"`
	Outcome certificate.Outcome `bson:"outcome,omitempty" json:"outcome,omitempty"`
	Counts  runs.Counts         `bson:"counts,omitempty" json:"counts,omitzero"`
	Since   time.Time           `bson:"since" json:"since"`     // when it was found first
	Changed time.Time           `bson:"changed" json:"changed"` // when what the message says was found
	Seen    time.Time           `bson:"seen" json:"seen"`       // when it was found last
	Times   int                 `bson:"times" json:"times"`     // how many runs found it, since it was found first

	Message string    `bson:"message" json:"message"` // id of the message that says how things are
	Sent    string    `bson:"sent,omitempty" json:"sent,omitempty"`
	SentAt  time.Time `bson:"sent_at,omitempty" json:"sent_at,omitzero"`
	// Told says that a receiver knows of the open condition, and so is to hear
	// of its end.
	Told bool `bson:"told,omitempty" json:"told,omitempty"`

	Revision int64 `bson:"revision" json:"-"` // counts the writes, so that none is lost
}

// Due says whether a message is to be sent.
func (a *Alert) Due() bool { return a.Message != a.Sent }

// maxRevisions is how often a write is tried when others write at the same
// time.
const maxRevisions = 5

// All lists the conditions that ever came up, in the order in which they
// changed.
func (r *Reader) All(ctx context.Context) ([]Alert, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	cursor, err := r.db.Collection(mongodb.Alerts).Find(call, bson.D{})
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	alerts := []Alert{}
	if err := cursor.All(call, &alerts); err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	slices.SortFunc(alerts, func(a, b Alert) int {
		if c := a.Changed.Compare(b.Changed); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return alerts, nil
}

// Raise records that a condition was found. The caller sets ID, Cause, Reason,
// Next and what is known of the run. A message becomes due when the condition
// was not open, or had another cause. When the same run finds it again, nothing
// changes.
func (s *Store) Raise(ctx context.Context, found Alert) (Alert, error) {
	return s.revise(ctx, found.ID, func(a *Alert) bool {
		now := time.Now().UTC().Truncate(time.Millisecond)
		switch {
		case a.Open && a.Run == found.Run && a.Cause == found.Cause:
			return false
		case a.Open && a.Cause == found.Cause:
			// What was told is still true, so nobody is told again.
			a.Seen, a.Run, a.Times = now, found.Run, a.Times+1
			a.Reason, a.Next, a.Counts = found.Reason, found.Next, found.Counts
			a.Job, a.Status, a.Outcome = found.Job, found.Status, found.Outcome
			return true
		}
		was := *a
		*a = found
		a.Open, a.Since, a.Changed, a.Seen, a.Times = true, now, now, now, 1
		if was.Open {
			a.Since, a.Times = was.Since, was.Times+1
		}
		a.Sent, a.SentAt, a.Told, a.Revision = was.Sent, was.SentAt, was.Told && was.Open, was.Revision
		a.Message = messageID(s.db.Dataset(), a, "raised")
		return true
	})
}

// Clear records that an open condition has ended, with the reason, status and
// outcome of the run that found out. A message becomes due if somebody was told
// of the condition, unless quiet: then another condition says it better.
func (s *Store) Clear(ctx context.Context, past Alert, quiet bool) (Alert, error) {
	return s.revise(ctx, past.ID, func(a *Alert) bool {
		if !a.Open {
			return false
		}
		now := time.Now().UTC().Truncate(time.Millisecond)
		a.Open, a.Changed, a.Seen = false, now, now
		a.Reason, a.Next, a.Run, a.Job, a.Status, a.Outcome, a.Counts = past.Reason, "", past.Run, past.Job, past.Status, past.Outcome, past.Counts
		a.Message = messageID(s.db.Dataset(), a, "recovered")
		if quiet || !a.Told {
			a.Sent, a.Told = a.Message, false
		}
		return true
	})
}

// Sent records that a receiver took a message. A condition that has changed
// since keeps its newer message due.
func (s *Store) Sent(ctx context.Context, condition Condition, message string) error {
	_, err := s.revise(ctx, condition, func(a *Alert) bool {
		if a.Message != message {
			// The receiver knows of the condition all the same.
			a.Told = true
			if !a.Open && a.Sent == a.Message {
				a.Sent = "" // its end was passed over as nobody had been told
			}
			return true
		}
		a.Sent, a.SentAt, a.Told = message, time.Now().UTC().Truncate(time.Millisecond), a.Open
		return true
	})
	return err
}

// revise changes a condition's record. When another change came in between, it
// is made again on top of that.
func (s *Store) revise(ctx context.Context, condition Condition, change func(*Alert) bool) (Alert, error) {
	alerts := s.db.Collection(mongodb.Alerts)
	for range maxRevisions {
		a := Alert{ID: condition}
		call, cancel := s.db.Call(ctx)
		err := alerts.FindOne(call, mongodb.ByID(string(condition))).Decode(&a)
		cancel()
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return Alert{}, fmt.Errorf("read alert %s: %w", condition, err)
		}
		read := a.Revision
		if !change(&a) {
			return a, nil
		}
		a.ID, a.Revision = condition, read+1
		call, cancel = s.db.Call(ctx)
		if read == 0 {
			_, err = alerts.InsertOne(call, a)
		} else {
			var r *mongo.UpdateResult
			r, err = alerts.ReplaceOne(call, bson.D{{Key: "_id", Value: condition}, {Key: "revision", Value: read}}, a)
			if err == nil && r.MatchedCount == 0 {
				cancel()
				continue
			}
		}
		cancel()
		switch {
		case err == nil:
			return a, nil
		case !mongo.IsDuplicateKeyError(err):
			return Alert{}, fmt.Errorf("write alert %s: %w", condition, err)
		}
	}
	return Alert{}, fmt.Errorf("write alert %s: %w", condition, mongodb.ErrConflict)
}

// messageID is derived from what a message says, so that a repeated attempt
// makes the same one.
func messageID(dataset string, a *Alert, what string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{dataset, string(a.ID), what, a.Run, a.Cause}, "\n")))
	return "msg_" + hex.EncodeToString(sum[:12])
}

// UnrecordedMessage is the id of the message about a condition that could not
// be recorded: the same that its record would have.
func UnrecordedMessage(dataset string, a Alert) string { return messageID(dataset, &a, "raised") }
