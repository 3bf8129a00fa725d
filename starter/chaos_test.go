package main_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/mirror"
	"padron/internal/socrata/socratatest"
)

// TestAKilledTemporalIsSurvived kills the Temporal server in the middle of a
// run, with the worker and without it, and starts it again on what it left.
func TestAKilledTemporalIsSurvived(t *testing.T) {
	t.Parallel()
	table := socratatest.Generate(*rows, 20)
	whole := newStack(t, table)
	whole.pages()
	whole.worker()
	whole.load()
	for name, c := range map[string]struct {
		step       string
		workerDies bool
	}{
		"server and worker": {"upsert_page", true},
		"server alone":      {"clean_page", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newTemporalServer(t)
			s := newStackAt(t, table, server.address)
			s.pages()
			worker := s.worker()
			s.ok("run")
			s.haltWithin(worker, c.step)
			server.Kill()
			killed := time.Now()
			if c.workerDies {
				require.NoError(t, worker.cmd.Process.Kill())
				<-worker.done
			} else {
				s.proceed(worker)
			}
			time.Sleep(2 * time.Second) // for those that are left to notice

			server.Start()
			if c.workerDies {
				s.worker()
			}
			run := s.ended()
			require.Equal(t, mirror.OutcomeGreen, run.Certificate.Outcome)
			t.Logf("ended %s after the server was killed", time.Since(killed).Round(time.Second))
			requireSameMirror(t, whole, s)
			require.Contains(t, s.ok("verify", "--deep"), "green: ")
		})
	}
}
