package main_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/socrata/socratatest"
	"padron/workflows"
)

// TestNoSensitiveValueIsToldOn looks for values of sensitive fields wherever
// people look by default: what the starter prints, the worker's log, metrics
// and histories. The rows that have them come, change, are kept apart and go,
// and the portal breaks off in the middle of them.
func TestNoSensitiveValueIsToldOn(t *testing.T) {
	t.Parallel()
	const owner, home = "ZEBULON CANARYBIRD", "4711 CANARYBIRD LN"
	s := newStack(t, socratatest.Generate(300, 81))
	s.env["PADRON_LOG_LEVEL"] = "debug"
	receiver := s.receive()
	s.brakeOf("50")
	worker := s.worker()
	s.load()
	key := s.someKey()
	sensitive := s.row(key)
	sensitive["ownership_name"], sensitive["mailing_address_1"] = owner, home
	keyless, doubled := s.row(key), s.row(key)
	for _, row := range []map[string]any{keyless, doubled} {
		row["ownership_name"], row["mailing_address_1"] = owner, home
	}
	delete(keyless, "ttxid")
	require.NoError(t, s.portal.Edit(socratatest.Delete(key), socratatest.Open(sensitive), socratatest.Open(doubled), socratatest.Open(keyless)))
	s.portal.Fail(
		socratatest.Fault{Path: "/resource/", Skip: 1, Times: 2, TruncateAfter: 5000},
		socratatest.Fault{Path: "/resource/", Skip: 1, Times: 1, Body: `[{"ownership_name":"` + owner + `"`},
	)
	run := s.load()
	told := map[string]string{
		"run":             s.ok("status", run.Run) + s.ok("status", run.Run, "-o", "json"),
		"changes":         s.ok("changes", "--since", "1d", "--all-fields") + s.ok("changes", "--since", "1d", "--all-fields", "-o", "json"),
		"quarantine list": s.ok("quarantine", "list") + s.ok("quarantine", "list", "-o", "json"),
		"snapshots":       s.ok("snapshots", "show", "latest", "-o", "json"),
		"verify":          s.ok("verify", "--deep", "-o", "json"),
		"metrics":         get(t, worker.health()+"/metrics"),
		"history":         s.history(workflows.MirrorID(s.name, run.Run)) + s.history(workflows.WriteID(s.name)),
	}
	require.Contains(t, told["changes"], "ownership_name: changed (not shown)")
	s.portal.Fail(socratatest.Fault{Path: "/resource/", Status: http.StatusBadRequest, Body: owner, Times: -1})
	r := s.starter("run", "--wait", "--mode", "full")
	told["failed run"] = r.out + r.errors
	s.portal.Heal()
	s.delete(key)
	s.load()
	told["removal"] = s.ok("changes", "--key", key, "--cause", "all", "--all-fields", "-o", "json")
	// What was wrong was told to the receiver: the run that failed over a body
	// with the owner's name, and removals over the brake while the sensitive row
	// is among those that are missing.
	var gone []socratatest.Op
	for row := range s.portal.SourceRows() {
		if id, _ := row["ttxid"].(string); len(gone) < 60 && id != "" {
			gone = append(gone, socratatest.Delete(id))
		}
	}
	require.NoError(t, s.portal.Edit(gone...))
	require.Equal(t, notGreen, s.starter("run", "--wait", "--mode", "full").code)
	require.Equal(t, []string{"schema_changed schema_changed", "recovered schema_changed", "held_removals held_removals"}, receiver.kinds(3))
	told["messages"] = receiver.all()
	told["alerts"] = s.ok("alerts", "--past") + s.ok("alerts", "--past", "-o", "json")
	told["worker's log"] = worker.errors.String() + worker.out.String()
	for where, text := range told {
		require.NotEmpty(t, text, where)
		require.NotContains(t, strings.ToUpper(text), "CANARYBIRD", where)
	}
	require.Contains(t, s.ok("changes", "--key", key, "--sensitive"), owner, "it is told to those who ask")
}
