package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"padron/dashboard/chart"
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
	return chart.Shared(ctx, &s.flights, "open", func(ctx context.Context) (*query.Reader, error) {
		m, err := s.Open(ctx)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reader = m
		return m, nil
	})
}

// now is the state, at most stateFor old. While readers ask, it is read anew
// before it is that old, so that none of them waits for it.
func (s *Server) now(ctx context.Context, m *query.Reader) (*state, error) {
	s.mu.Lock()
	st := s.state
	s.mu.Unlock()
	look := func(ctx context.Context) (*state, error) {
		next, err := s.look(ctx, m, st)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.state = next
		return next, nil
	}
	switch {
	case st == nil || time.Since(st.at) >= stateFor:
		return chart.Shared(ctx, &s.flights, "state", look)
	case time.Since(st.at) >= stateFor/3:
		chart.Begin(ctx, &s.flights, "state", look)
	}
	return st, nil
}

// look reads the state, all of it at once. before is the previous one, or nil:
// the runs that had not ended then are read again, however many have begun
// since.
func (s *Server) look(ctx context.Context, m *query.Reader, before *state) (*state, error) {
	st := &state{at: time.Now()}
	limit := newestRuns
	if before == nil {
		limit, before = firstRuns, &state{}
	}
	reads, ctx := errgroup.WithContext(ctx)
	read := func(to *runs.Run, newest func(context.Context) (runs.Run, error)) {
		reads.Go(func() (err error) {
			if *to, err = newest(ctx); errors.Is(err, runs.ErrNoRun) {
				return nil
			}
			return err
		})
	}
	read(&st.proof, m.Runs.LastProof)
	read(&st.certificate, m.Runs.NewestCertificate)
	read(&st.lists, m.Runs.LastCrawl)
	reads.Go(func() (err error) {
		if st.snapshot, err = m.Statistics.Snapshot(ctx, "latest"); errors.Is(err, statistics.ErrNoSnapshot) {
			return nil
		}
		return err
	})
	reads.Go(func() (err error) {
		st.published, err = m.Runs.LastPublication(ctx, s.Spec.Schedule.Standstill)
		return err
	})
	reads.Go(func() (err error) {
		st.runs, err = listedRuns(ctx, m, limit, before.running)
		return err
	})
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	st.stale = st.proof.ID == "" || st.at.Sub(st.proof.Started) > s.Spec.Schedule.Freshness
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

// listedRuns are the newest runs, and those of ids that are not among them.
func listedRuns(ctx context.Context, m *query.Reader, limit int, ids []string) ([]runs.Run, error) {
	listed, err := m.Runs.Runs(ctx, limit, time.Time{})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if slices.ContainsFunc(listed, func(r runs.Run) bool { return r.ID == id }) {
			continue
		}
		run, err := m.Runs.Run(ctx, id)
		if errors.Is(err, runs.ErrNoRun) {
			continue
		}
		if err != nil {
			return nil, err
		}
		listed = append(listed, run)
	}
	return listed, nil
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
