package dashboard

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"padron/internal/mirror"
)

// errBusy says that a request waited for its turn until its time was over.
var errBusy = errors.New("too many readers at once")

const (
	// newestRuns is how many runs are looked at to know whether anything was
	// written.
	newestRuns = 5

	// firstRuns is how many are looked at first: a backfill that is under way
	// has begun before the runs that it makes.
	firstRuns = 50
)

// state is what every page begins with: the newest snapshot and runs. key
// changes whenever something may have been written.
type state struct {
	at          time.Time
	snapshot    mirror.Snapshot // newest observed one; zero: none yet
	runs        []mirror.Run    // newest first
	proof       mirror.Run      // zero: none yet
	certificate mirror.Run      // newest run that ended with one; zero: none
	stale       bool            // the proof is older than the spec allows
	key         string
	// past changes whenever a run has begun or ended, and so may have made or
	// replaced snapshots. What is kept of them outlives the writing of rows.
	past    string
	running []string // ids of runs that had not ended
}

// open opens the mirror, once it is there.
func (s *Server) open(ctx context.Context) (*mirror.Mirror, error) {
	s.mu.Lock()
	m := s.mirror
	s.mu.Unlock()
	if m != nil {
		return m, nil
	}
	opened, err, _ := s.flights.Do("open", func() (any, error) { return s.Open(ctx) })
	if err != nil {
		return nil, err
	}
	m = opened.(*mirror.Mirror)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mirror = m
	return m, nil
}

// now is the state, at most stateFor old.
func (s *Server) now(ctx context.Context, m *mirror.Mirror) (*state, error) {
	s.mu.Lock()
	st := s.state
	s.mu.Unlock()
	if st != nil && time.Since(st.at) < stateFor {
		return st, nil
	}
	// Others wait for the one that looks, who must not give up for them.
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

// look makes the state that follows another (nil: none). Runs that had not ended
// then are looked at again, however many have begun since.
func (s *Server) look(ctx context.Context, m *mirror.Mirror, before *state) (*state, error) {
	st := &state{at: time.Now()}
	limit := newestRuns
	if before == nil {
		limit, before = firstRuns, &state{}
	}
	var err error
	if st.snapshot, err = m.Snapshot(ctx, "latest"); err != nil && !errors.Is(err, mirror.ErrNoSnapshot) {
		return nil, err
	}
	if st.runs, err = m.Runs(ctx, limit, time.Time{}); err != nil {
		return nil, err
	}
	for _, id := range before.running {
		if slices.ContainsFunc(st.runs, func(r mirror.Run) bool { return r.ID == id }) {
			continue
		}
		run, err := m.Run(ctx, id)
		if errors.Is(err, mirror.ErrNoRun) {
			continue
		}
		if err != nil {
			return nil, err
		}
		st.runs = append(st.runs, run)
	}
	if st.proof, err = m.LastProof(ctx); err != nil && !errors.Is(err, mirror.ErrNoRun) {
		return nil, err
	}
	if st.certificate, err = m.NewestCertificate(ctx); err != nil && !errors.Is(err, mirror.ErrNoRun) {
		return nil, err
	}
	st.stale = st.proof.ID == "" || st.at.Sub(st.proof.Started) > s.Spec.Schedule.Freshness
	all, past := sha256.New(), sha256.New()
	fmt.Fprint(past, st.snapshot.ID, st.snapshot.Created.UnixMilli())
	for _, run := range st.runs {
		fmt.Fprint(all, " ", run.ID, run.Updated.UnixMilli())
		fmt.Fprint(past, " ", run.ID, run.Status)
		if run.Status == mirror.StatusRunning {
			st.running = append(st.running, run.ID)
		}
	}
	st.past = hex.EncodeToString(past.Sum(nil)[:12])
	fmt.Fprint(all, st.past, st.proof.ID, st.certificate.ID, st.stale)
	st.key = hex.EncodeToString(all.Sum(nil)[:12])
	return st, nil
}

// turn waits until the request may read the database; done ends its turn.
func (s *Server) turn(ctx context.Context) (done func(), err error) {
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errBusy, ctx.Err())
	}
}

// cached is how many series and lists are kept: those of the newest snapshot are
// about twenty, and a chart of the past reads one for each year.
const cached = 256

// cache keeps what was read and never changes, the least recently used going
// first. What is in it is shared: it must not be written to.
type cache struct {
	mu    sync.Mutex
	order list.List // of *cacheEntry, most recently used first
	by    map[string]*list.Element
}

type cacheEntry struct {
	key   string
	value any
}

func (c *cache) get(key string) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.by[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cacheEntry).value, true
}

func (c *cache) put(key string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]*list.Element{}
	}
	if e, ok := c.by[key]; ok {
		e.Value.(*cacheEntry).value = value
		c.order.MoveToFront(e)
		return
	}
	c.by[key] = c.order.PushFront(&cacheEntry{key, value})
	for c.order.Len() > cached {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.by, last.Value.(*cacheEntry).key)
	}
}

// remember reads a value once for all who ask for it under its key.
func remember[T any](ctx context.Context, s *Server, key string, read func(ctx context.Context) (T, error)) (T, error) {
	if v, ok := s.cache.get(key); ok {
		return v.(T), nil
	}
	ctx = context.WithoutCancel(ctx) // others may wait for it; each call of it has a deadline
	v, err, _ := s.flights.Do("read "+key, func() (any, error) {
		value, err := read(ctx)
		if err == nil {
			s.cache.put(key, value)
		}
		return value, err
	})
	if err != nil {
		var none T
		return none, err
	}
	return v.(T), nil
}

// series reads a series of a snapshot; false when the snapshot has none of that
// name, as it was made by an older version.
func series[T any](r *request, snap *mirror.Snapshot, name string) (T, bool, error) {
	var none T
	if !snap.Has(name) {
		return none, false, nil
	}
	key := fmt.Sprintf("series %s %d %s %s", snap.ID, snap.Created.UnixMilli(), snap.Digest, name)
	rows, err := remember(r.ctx, r.server, key, func(ctx context.Context) (T, error) {
		var rows T
		err := r.mirror.SeriesOf(ctx, snap, name, &rows)
		return rows, err
	})
	return rows, err == nil, err
}
