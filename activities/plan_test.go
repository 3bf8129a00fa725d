package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/dataset"
	"padron/internal/guard"
	"padron/internal/socrata"
)

// endless is a portal whose table is computed: it answers which key is at an
// offset, of any number of rows, and holds none. The nth row has the key n, and so
// have those of its twins.
type endless struct {
	rows  int64
	twins int64 // rows with the same key, 1 for none

	mu    sync.Mutex
	asked []string // queries, in order
	fail  int      // refuse the query that comes so many from now
}

func newEndless(t *testing.T, rows int64) (*endless, *opened) {
	e := &endless{rows: rows, twins: 1}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	portal, err := socrata.New(socrata.Options{BaseURL: server.URL, ID: "abcd-1234"})
	require.NoError(t, err)
	return e, &opened{spec: &dataset.Spec{Key: "id"}, portal: portal, limit: perSecond(0)}
}

func (e *endless) key(row int64) string { return fmt.Sprintf("%012d", row/e.twins) }

var after = regexp.MustCompile("^`id` > '([0-9]+)'$")

// ServeHTTP answers a query for the key at an offset.
func (e *endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r.URL.RawQuery)
	if e.fail--; e.fail == 0 {
		http.Error(w, `{"code":"permission_denied","error":true,"message":"no"}`, http.StatusForbidden)
		return
	}
	row, err := strconv.ParseInt(r.FormValue("$offset"), 10, 64)
	if err != nil {
		row = 0 // none is asked for
	}
	if m := after.FindStringSubmatch(r.FormValue("$where")); m != nil {
		last, _ := strconv.ParseInt(m[1], 10, 64)
		row += (last + 1) * e.twins
	}
	w.Header().Set("Content-Type", "application/json")
	if row >= e.rows {
		fmt.Fprint(w, "[]")
		return
	}
	fmt.Fprintf(w, `[{"id":%q}]`, e.key(row))
}

// cutting makes attempts at cutting a table, each with a failure in its way, and a
// last one without.
func cutting(t *testing.T, a *Activities, o *opened, e *endless, failures ...int) ([]string, *attempting) {
	t.Helper()
	r := &attempting{t: t}
	var keys []string
	do := func(ctx context.Context) (err error) {
		keys, err = a.cut(ctx, o, e.rows)
		return err
	}
	for _, e.fail = range failures {
		require.Error(t, r.attempt(do))
	}
	require.NoError(t, r.attempt(do))
	return keys, r
}

// TestAPlanGoesOnWhereItFailed cuts registers a hundred and five hundred times as
// large as San Francisco's: each cut is asked for once, whatever fails between,
// and from the key before it.
func TestAPlanGoesOnWhereItFailed(t *testing.T) {
	a := &Activities{PageSize: 50_000, Portal: guard.New(guard.Options{Name: "portal", Down: func(error) bool { return false }})}
	perRange := rowsPerRange(a.PageSize)
	for _, rows := range []int64{36_800_000, 184_000_000} {
		e, o := newEndless(t, rows)
		const first, second = 300, 40
		keys, r := cutting(t, a, o, e, first, second)
		ranges := (rows + perRange - 1) / perRange
		require.Len(t, keys, int(ranges)-1)
		require.Len(t, e.asked, len(keys)+2, "only the two that failed were asked for again")
		require.Equal(t, e.asked[first-1], e.asked[first])
		for _, query := range e.asked {
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+query, http.NoBody)
			require.NoError(t, err)
			offset, _ := strconv.ParseInt(q.FormValue("$offset"), 10, 64)
			require.Less(t, offset, perRange, "an offset is counted from the cut before")
		}
		before := int64(-1)
		for _, key := range keys {
			at, err := strconv.ParseInt(key, 10, 64)
			require.NoError(t, err)
			require.Positive(t, at-before)
			require.LessOrEqual(t, at-before, perRange)
			before = at
		}
		require.LessOrEqual(t, rows-1-before, perRange)
		carries, err := json.Marshal((*r.last.Load()).(carried))
		require.NoError(t, err)
		require.Less(t, len(carries), 512<<10, "a heartbeat stays below what Temporal warns of")
	}
}

// TestCutsOfATableThatIsNotWhatItWas: cuts of another count are void, keys that
// repeat end no range within themselves, and a table that shrank has fewer.
func TestCutsOfATableThatIsNotWhatItWas(t *testing.T) {
	a := &Activities{PageSize: 10, Portal: guard.New(guard.Options{Name: "portal", Down: func(error) bool { return false }})}
	e, o := newEndless(t, 100)
	_, r := cutting(t, a, o, e)
	e.asked, e.rows = nil, 95
	var keys []string
	require.NoError(t, r.attempt(func(ctx context.Context) (err error) {
		keys, err = a.cut(ctx, o, e.rows)
		return err
	}))
	require.Len(t, e.asked, 9, "all were asked for anew")
	require.Equal(t, "000000000008", keys[0])

	e, o = newEndless(t, 100)
	e.twins = 7
	keys, _ = cutting(t, a, o, e)
	for i, key := range keys[1:] {
		require.Greater(t, key, keys[i])
	}

	e, o = newEndless(t, 50)
	r = &attempting{t: t}
	require.NoError(t, r.attempt(func(ctx context.Context) (err error) {
		keys, err = a.cut(ctx, o, 100)
		return err
	}))
	require.Equal(t, []string{"000000000009", "000000000019", "000000000029", "000000000039", "000000000049"}, keys)
}

// TestAStepOfManyRequestsHoldsTheLimit: the start of a step stands for its first
// request, and each further one waits for its turn.
func TestAStepOfManyRequestsHoldsTheLimit(t *testing.T) {
	a := &Activities{PageSize: 10, Portal: guard.New(guard.Options{Name: "portal", Down: func(error) bool { return false }})}
	e, o := newEndless(t, 210)
	const perSec = 100
	o.limit = perSecond(perSec)
	began := time.Now()
	keys, _ := cutting(t, a, o, e)
	require.Len(t, keys, 20)
	require.GreaterOrEqual(t, time.Since(began), time.Duration(len(keys)-1)*time.Second/perSec)
}
