package main_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

// What a portal's answers can prove is said before the first run.
func TestWhatThePortalProvesIsSaidBeforehand(t *testing.T) {
	table := register.Generate(300, 1)
	s := newStack(t, table)
	for says, want := range map[portalsim.Says]string{
		portalsim.SaysAll:     "every answer states the master's version, and has it",
		portalsim.SaysNoTruth: "every answer is of one version, and states that it is not out of date",
		portalsim.SaysLegacy:  "the metadata say the same time of the last update before and after",
		portalsim.SaysNothing: "the portal does not say which version it serves, nor when its rows were last updated: " +
			"each run crawls once, removes nothing and ends unproven, and none is skipped, until the portal says more",
	} {
		s.serve(portalsim.Options{Table: table, Says: says})
		mark := "ok    "
		if says == portalsim.SaysNothing {
			mark = "FAILED"
		}
		require.Contains(t, s.starter("doctor").out, mark+"  proof       "+want+"\n")
		require.Regexp(t, `(?m)^proof +`+want, s.ok("dataset", "check"))
		var check struct {
			Proof struct {
				Kind  string
				Never bool
			}
		}
		s.readJSON(&check, "dataset", "check")
		require.Equal(t, says == portalsim.SaysNothing, check.Proof.Never)
		require.Equal(t, says == portalsim.SaysNothing, check.Proof.Kind == "")
	}
}

// serve gives the programs that are started from now on another portal.
func (s *stack) serve(o portalsim.Options) {
	s.t.Helper()
	if o.Updated.IsZero() {
		o.Updated = time.Now().Add(-time.Hour)
	}
	portal, err := portalsim.New(o)
	require.NoError(s.t, err)
	server := httptest.NewServer(portal)
	s.t.Cleanup(server.Close)
	s.portal, s.env["PADRON_PORTAL_URL"] = portal, server.URL
}

func TestAPortalThatStandsStillIsSaidSo(t *testing.T) {
	table := register.Generate(300, 1)
	s := newStack(t, table)
	s.serve(portalsim.Options{Table: table, Updated: time.Now().Add(-21*24*time.Hour - time.Hour)})
	require.Regexp(t, `(?m)^FAILED +published +the portal last published rows at \S+, 21 days ago; that may be 7 days: ask the publisher`, s.starter("doctor").out)
	s.serve(portalsim.Options{Table: table, Updated: time.Now().Add(-5 * time.Hour)})
	require.Regexp(t, `(?m)^ok +published +the portal last published rows at \S+, 5 hours ago$`, s.starter("doctor").out)
	s.serve(portalsim.Options{Table: table, Says: portalsim.SaysNothing})
	require.Regexp(t, `(?m)^ok +published +the portal does not say when it last published rows$`, s.starter("doctor").out)
}
