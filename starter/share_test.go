package main_test

import (
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim/register"
)

// partitions is into how many parts Temporal splits a task queue unless its
// server is told otherwise.
const partitions = 4

// TestWorkersShareALoadAndItsLimit has two processes make one run. The limit on
// page requests is counted where it matters, at the portal: Temporal splits the
// rate among the partitions of the portal's queue, and each lets through, after
// a pause, a second's worth at once, one request at least. So any window of a
// length sees at most the rate times its length, and that allowance on top.
func TestWorkersShareALoadAndItsLimit(t *testing.T) {
	t.Parallel()
	const perSecond, pages = 2, 40
	s := newStack(t, register.Generate(pages*100, 48))
	s.env["PADRON_PAGE_SIZE"], s.env["PADRON_REQUESTS_PER_SECOND"] = "100", "2"
	var (
		mu    sync.Mutex
		asked []time.Time
	)
	s.portal.OnRequest(func(r *http.Request) {
		// Pages are the only requests with both a condition and a large limit.
		if q := r.URL.Query(); strings.HasPrefix(r.URL.Path, "/resource/") && q.Get("$where") != "" && len(q.Get("$limit")) > 2 {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, time.Now())
		}
	})
	one, two := s.worker(), s.worker()
	run := s.load()

	by := map[string]int{}
	for _, e := range s.events(run.Run) {
		if a := e.GetActivityTaskStartedEventAttributes(); a != nil {
			by[worker(a.Identity)]++
		}
	}
	for _, p := range []*process{one, two} {
		require.Greater(t, by[p.identity()], pages/10, "both do a good part of it: %v", by)
	}
	require.Len(t, by, 2)

	mu.Lock()
	defer mu.Unlock()
	require.GreaterOrEqual(t, len(asked), pages)
	burst := partitions * math.Ceil(float64(perSecond)/partitions)
	worst := 0.0
	for i := range asked {
		for j := i; j < len(asked); j++ {
			length := asked[j].Sub(asked[i]).Seconds()
			over := float64(j-i+1) - perSecond*length
			worst = max(worst, over)
		}
	}
	took := asked[len(asked)-1].Sub(asked[0]).Seconds()
	t.Logf("%d page requests in %.1f s, %.1f/s; at most %.1f over the rate in any window, allowed %.0f; steps by worker: %v",
		len(asked), took, float64(len(asked))/took, worst, burst, by)
	// What a busy machine holds up on the way arrives together with what follows.
	require.LessOrEqual(t, worst, burst+perSecond, "more than the rate and its allowance")
	require.Less(t, burst+perSecond, float64(pages)/3, "two limits instead of one would be seen")
}
