package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"padron/internal/certificate"
	"padron/internal/mongodb"
)

// Reader reads the records of runs. It is safe for concurrent use.
type Reader struct{ db *mongodb.Database }

// NewReader reads the runs of a dataset's database.
func NewReader(db *mongodb.Database) *Reader { return &Reader{db: db} }

// ErrNoRun says that there is no run of that id, or none of that kind.
var ErrNoRun = errors.New("no such run")

// Run reads the record of a run; ErrNoRun when there is none.
func (r *Reader) Run(ctx context.Context, id string) (Run, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	var run Run
	err := r.db.Collection(mongodb.Runs).FindOne(call, mongodb.ByID(id)).Decode(&run)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Run{}, fmt.Errorf("%w: %s", ErrNoRun, id)
	}
	if err != nil {
		return Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	return run, nil
}

// Runs lists runs that started before the time given (zero: all), newest
// first, at most limit.
func (r *Reader) Runs(ctx context.Context, limit int, before time.Time) ([]Run, error) {
	below := string(allRuns) + "0"
	if !before.IsZero() {
		below = allRuns.entry(before, "")
	}
	runs := []Run{}
	for len(runs) < limit {
		listed, last, err := r.listed(ctx, allRuns, below, limit-len(runs))
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		if last == "" {
			break
		}
		runs, below = append(runs, listed...), last
	}
	return runs, nil
}

// LastGreen is the newest run that mirrored and whose certificate is green;
// ErrNoRun when there is none.
func (r *Reader) LastGreen(ctx context.Context) (Run, error) { return r.newest(ctx, greenRuns) }

// LastDone is the newest run that mirrored to the end, whatever its
// certificate says; ErrNoRun when there is none.
func (r *Reader) LastDone(ctx context.Context) (Run, error) { return r.newest(ctx, doneRuns) }

// NewestCertificate is the newest run of any job that ended with a
// certificate; ErrNoRun when there is none.
func (r *Reader) NewestCertificate(ctx context.Context) (Run, error) {
	return r.newest(ctx, certifiedRuns)
}

// LastDeep is the newest run that ended with a deep check; ErrNoRun when there
// is none.
func (r *Reader) LastDeep(ctx context.Context) (Run, error) { return r.newest(ctx, deepRuns) }

// LastCrawl is the newest run, ended or not, whose crawl the gate let through:
// what the mirror was last written from. ErrNoRun when there is none.
func (r *Reader) LastCrawl(ctx context.Context) (Run, error) { return r.newest(ctx, crawledRuns) }

// LastHistory is the newest run that reconstructs the spec's history, ended or
// not; ErrNoRun when there is none.
func (r *Reader) LastHistory(ctx context.Context) (Run, error) { return r.newest(ctx, historyRuns) }

// LastProof is the newest run that proved that the mirror equals the portal: a
// certificate that is green, or a probe that found the portal as the last green
// run left it. ErrNoRun when there is none.
func (r *Reader) LastProof(ctx context.Context) (Run, error) {
	var proof Run
	for _, list := range []list{certifiedRuns, greenRuns, skippedRuns} {
		run, err := r.newest(ctx, list)
		switch {
		case errors.Is(err, ErrNoRun):
		case err != nil:
			return Run{}, err
		case list == certifiedRuns && run.Certificate.Outcome != certificate.Green:
		case run.Started.After(proof.Started):
			proof = run
		}
	}
	if proof.ID == "" {
		return Run{}, fmt.Errorf("%w: none has proved the mirror yet", ErrNoRun)
	}
	return proof, nil
}

// newest is the newest run of a list.
func (r *Reader) newest(ctx context.Context, list list) (Run, error) {
	for below := string(list) + "0"; ; {
		runs, last, err := r.listed(ctx, list, below, 1)
		if err != nil {
			return Run{}, fmt.Errorf("read newest of %s runs: %w", list, err)
		}
		if len(runs) > 0 {
			return runs[0], nil
		}
		if last == "" {
			return Run{}, fmt.Errorf("%w: there are no %s ones", ErrNoRun, list)
		}
		below = last
	}
}

// FirstLoads lists the times of the runs that loaded an empty mirror: rows that
// were first seen then have no event of their opening. There are several when
// one did not finish.
func (r *Reader) FirstLoads(ctx context.Context) ([]time.Time, error) {
	call, cancel := r.db.Call(ctx)
	defer cancel()
	var runs []struct {
		Started time.Time `bson:"started"`
		Redated time.Time `bson:"redated"`
	}
	cursor, err := r.db.Collection(mongodb.Runs).Find(call, bson.D{{Key: "first_load", Value: true}},
		options.Find().SetProjection(bson.D{{Key: "started", Value: 1}, {Key: "redated", Value: 1}}))
	if err == nil {
		err = cursor.All(call, &runs)
	}
	if err != nil {
		return nil, fmt.Errorf("list first loads: %w", err)
	}
	times := make([]time.Time, len(runs))
	for i, r := range runs {
		if times[i] = r.Started; !r.Redated.IsZero() {
			times[i] = r.Redated // its rows are dated so
		}
	}
	return times, nil
}

// OrNone makes the zero Run of there being none: it turns ErrNoRun into nil.
func OrNone(run Run, err error) (Run, error) {
	if errors.Is(err, ErrNoRun) {
		return Run{}, nil
	}
	return run, err
}
