package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"padron/internal/query"
	"padron/internal/runs"
	"padron/internal/statistics"
)

// errBusy says that a request timed out while it waited for its turn.
var errBusy = errors.New("too many readers at once")

const (
	// newestRuns is how many runs are read to know whether anything was
	// written.
	newestRuns = 5

	// firstRuns is how many are read the first time: a backfill that is still
	// running may have begun before many of the newest runs.
	firstRuns = 50
)

// state is what every page begins with: the newest snapshot and runs.
type state struct {
	at          time.Time
	snapshot    statistics.Snapshot // newest observed one; zero: none yet
	runs        []runs.Run          // newest first
	proof       runs.Run            // zero: none yet
	certificate runs.Run            // newest run that ended with one; zero: none
	published   runs.Publication    // what the portal published last
	lists       runs.Run            // that last wrote what lists show; zero: none yet
	stale       bool                // the proof is older than the spec allows
	key         string              // changes whenever something may have been written
	// past changes whenever a run has begun or ended, and so may have made or
	// replaced snapshots. It does not change while a run writes rows, so what
	// is kept under it stays valid then.
	past    string
	running []string // ids of runs that had not ended
}

// apart says that charts and lists are of different runs: one that writes now, or
// did not come to a green end, has written rows since the charts were counted.
func (st *state) apart() bool {
	return st.snapshot.ID != "" && st.lists.ID != st.snapshot.Run && st.snapshot.Created.Before(st.lists.Started)
}

// open opens the mirror, or returns it once it was opened.
func (s *Server) open(ctx context.Context) (*query.Reader, error) {
	s.mu.Lock()
	m := s.reader
	s.mu.Unlock()
	if m != nil {
		return m, nil
	}
	opened, err, _ := s.flights.Do("open", func() (any, error) { return s.Open(ctx) })
	if err != nil {
		return nil, err
	}
	m = opened.(*query.Reader)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader = m
	return m, nil
}

// now is the state, at most stateFor old.
func (s *Server) now(ctx context.Context, m *query.Reader) (*state, error) {
	s.mu.Lock()
	st := s.state
	s.mu.Unlock()
	if st != nil && time.Since(st.at) < stateFor {
		return st, nil
	}
	// Other requests wait for the result, so the end of this one must not
	// cancel it.
	ctx = context.WithoutCancel(ctx)
	found, err, _ := s.flights.Do("state", func() (any, error) { return s.look(ctx, m, st) })
	if err != nil {
		return nil, err
	}
	st = found.(*state)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = st
	return st, nil
}

// look reads the state. before is the previous one, or nil: the runs that had
// not ended then are read again, however many have begun since.
func (s *Server) look(ctx context.Context, m *query.Reader, before *state) (*state, error) {
	st := &state{at: time.Now()}
	limit := newestRuns
	if before == nil {
		limit, before = firstRuns, &state{}
	}
	var err error
	if st.snapshot, err = m.Statistics.Snapshot(ctx, "latest"); err != nil && !errors.Is(err, statistics.ErrNoSnapshot) {
		return nil, err
	}
	if st.runs, err = m.Runs.Runs(ctx, limit, time.Time{}); err != nil {
		return nil, err
	}
	for _, id := range before.running {
		if slices.ContainsFunc(st.runs, func(r runs.Run) bool { return r.ID == id }) {
			continue
		}
		run, err := m.Runs.Run(ctx, id)
		if errors.Is(err, runs.ErrNoRun) {
			continue
		}
		if err != nil {
			return nil, err
		}
		st.runs = append(st.runs, run)
	}
	if st.proof, err = m.Runs.LastProof(ctx); err != nil && !errors.Is(err, runs.ErrNoRun) {
		return nil, err
	}
	if st.certificate, err = m.Runs.NewestCertificate(ctx); err != nil && !errors.Is(err, runs.ErrNoRun) {
		return nil, err
	}
	if st.lists, err = m.Runs.LastCrawl(ctx); err != nil && !errors.Is(err, runs.ErrNoRun) {
		return nil, err
	}
	st.stale = st.proof.ID == "" || st.at.Sub(st.proof.Started) > s.Spec.Schedule.Freshness
	if st.published, err = m.Runs.LastPublication(ctx, s.Spec.Schedule.Standstill); err != nil {
		return nil, err
	}
	all, past := sha256.New(), sha256.New()
	fmt.Fprint(past, st.snapshot.ID, st.snapshot.Created.UnixMilli())
	for _, run := range st.runs {
		fmt.Fprint(all, " ", run.ID, run.Updated.UnixMilli())
		fmt.Fprint(past, " ", run.ID, run.Status)
		if run.Status == runs.StatusRunning {
			st.running = append(st.running, run.ID)
		}
	}
	st.past = hex.EncodeToString(past.Sum(nil)[:12])
	fmt.Fprint(all, st.past, st.proof.ID, st.certificate.ID, st.lists.ID, st.stale, st.published.At.Unix(), st.published.StandsStill())
	st.key = hex.EncodeToString(all.Sum(nil)[:12])
	return st, nil
}

// turn waits until the request may read the database. The caller calls done
// after its last read.
func (s *Server) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errBusy, ctx.Err())
	}
}
