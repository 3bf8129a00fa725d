package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

// TestMetadataThatPromiseMoreThanTheRowsHave is case 01 of the public reports: the
// portal lists a column that nobody can ask for.
func TestMetadataThatPromiseMoreThanTheRowsHave(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 61))
	s.portal.ListOnly("permit_valuation")
	s.worker()
	const listed = "column permit_valuation is listed by the portal, but denied when it is asked for: it is left out"
	require.Contains(t, s.load().Record.Warnings, listed)
	require.EqualValues(t, 300, s.documents())
	require.Contains(t, s.ok("dataset", "check"), "permit_valuation  listed, not there")
	require.Contains(t, s.ok("alerts"), "permit_valuation")

	require.NoError(t, s.portal.Edit(portalsim.DropColumn("location_end_date")))
	s.portal.ListOnly("location_end_date")
	began := time.Now()
	r := s.starter("run", "--wait")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.errors, "required column location_end_date is listed by the portal, but denied when it is asked for")
	require.Less(t, time.Since(began), soon, "nothing is tried again")
	require.EqualValues(t, 300, s.documents())
}

// TestColumnsThatAreWordsOfTheQuery is case 02: the city adds columns that it calls
// group, union and desc.
func TestColumnsThatAreWordsOfTheQuery(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 62))
	require.NoError(t, s.portal.Edit(portalsim.AddColumn("group", "text"), portalsim.AddColumn("union", "text"), portalsim.AddColumn("desc", "number")))
	s.worker()
	s.load()
	require.EqualValues(t, 300, s.documents())
	require.Regexp(t, `group +new, text`, s.ok("dataset", "check"))
}

// TestABotCheckInFrontOfThePortal is case 14: what a person sees of a run that a bot
// check does not let through, and that three checks only delay one.
func TestABotCheckInFrontOfThePortal(t *testing.T) {
	t.Parallel()
	s := newStack(t, register.Generate(300, 63))
	agents := make(chan string, 1)
	s.portal.OnRequest(func(r *http.Request) {
		select {
		case agents <- r.Header.Get("User-Agent"):
		default:
		}
	})
	s.portal.Fail(portalsim.Fault{Status: http.StatusAccepted, HTML: true, Times: -1})
	s.worker("PADRON_USER_AGENT=padron (data@example.org)")
	s.ok("run")
	var told string
	require.Eventually(t, func() bool {
		told = s.starter("status").out // before the first step there is no mirror to tell of
		return strings.Contains(told, "BotCheck")
	}, soon, time.Second, "status never told")
	require.Contains(t, told, "refused by a bot check in front of the portal (202)")
	require.Contains(t, told, "PADRON_USER_AGENT with a contact in it")
	require.NotContains(t, told, "computing")
	r := s.starter("dataset", "check")
	requireOneLine(t, r, 1, "refused by a bot check in front of the portal (202)", "PADRON_USER_AGENT")
	require.NotEmpty(t, <-agents)
}
