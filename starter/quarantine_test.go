package main_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

// quarantined is what `quarantine list -o json` prints of a row.
type quarantined struct {
	ID, Key, Reason, Run, Page, Document string
}

// TestQuarantine goes from a broken row on the portal to the row itself.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	const owner = "ZEBULON LEAKTEST"
	s := newStack(t, register.Generate(300, 60))
	s.worker()
	s.ok("setup")
	requireOneLine(t, s.starter("quarantine", "list"), failed, "no run has crawled the portal yet; `starter run --wait` makes the first")
	first := s.load()
	require.Equal(t, "run "+first.Run+" has no rows in quarantine\n", s.ok("quarantine", "list"))

	key := s.someKey()
	keyless := s.row(key)
	delete(keyless, "ttxid")
	keyless["ownership_name"] = owner
	require.NoError(t, s.portal.Edit(portalsim.Open(s.row(key)), portalsim.Open(keyless)))
	second := s.load()

	var rows []quarantined
	s.readJSON(&rows, "quarantine", "list")
	byKey := map[string]int{}
	for _, row := range rows {
		require.Equal(t, second.Run, row.Run)
		require.Equal(t, row.Key != key, row.Document == "none", "the doubled key has a document")
		require.NotEmpty(t, row.Reason)
		byKey[row.Key]++
	}
	require.Equal(t, map[string]int{key: 1, "": 1}, byKey)
	list := s.ok("quarantine", "list")
	for _, row := range rows {
		require.Contains(t, list, row.ID)
		require.Contains(t, list, row.Reason)
	}
	require.Contains(t, s.ok("quarantine", "list", "-n", "1"), "and 1 more; -n 2 lists all\n")
	require.Equal(t, "run "+first.Run+" has no rows in quarantine\n", s.ok("quarantine", "list", "--run", first.Run))
	requireOneLine(t, s.starter("quarantine", "list", "--run", "manual-1"), failed, `there is no run "manual-1"; `+"`starter status` lists them")

	// Only asking for the row shows it.
	require.NotContains(t, list+s.ok("quarantine", "list", "-o", "json"), owner)
	for _, row := range rows {
		var shown struct {
			quarantined
			Row map[string]any
		}
		s.readJSON(&shown, "quarantine", "show", row.ID)
		require.Equal(t, row, shown.quarantined)
		text := s.ok("quarantine", "show", row.ID)
		require.Contains(t, text, row.Reason)
		if row.Key == key {
			require.Equal(t, key, shown.Row["ttxid"])
			require.Equal(t, text, s.ok("quarantine", "show", key), "its key names it too")
			require.NotContains(t, text, "document  none\n")
			continue
		}
		require.Equal(t, owner, shown.Row["ownership_name"])
		require.Contains(t, text, `"ownership_name": "`+owner+`"`)
		require.Contains(t, text, "document  none\n")
	}
	requireOneLine(t, s.starter("quarantine", "show", "nothing"), failed, `there is no quarantined row "nothing"; `+"`starter quarantine list` lists them")

	// A key need not name one row.
	require.NoError(t, s.portal.Edit(portalsim.Open(s.row(key))))
	s.load()
	s.readJSON(&rows, "quarantine", "list")
	var ids []string
	for _, row := range rows {
		if row.Key == key {
			ids = append(ids, row.ID)
		}
	}
	require.Len(t, ids, 2)
	requireOneLine(t, s.starter("quarantine", "show", key), failed, `2 quarantined rows have the key "`+key+`": use the id of one, `+strings.Join(ids, " or "))
}

// row is a row of the portal without the columns that all rows share, so that
// it can be opened again.
func (s *stack) row(key string) map[string]any {
	s.t.Helper()
	row := maps.Clone(s.portal.Row(key))
	require.NotEmpty(s.t, row)
	delete(row, "data_as_of")
	delete(row, "data_loaded_at")
	return row
}

// someKey is the key of a row of the portal.
func (s *stack) someKey() string { return s.someKeys(1)[0] }

// someKeys are the keys of n rows of the portal.
func (s *stack) someKeys(n int) []string {
	s.t.Helper()
	var keys []string
	for row := range s.portal.SourceRows() {
		if key, _ := row["ttxid"].(string); key != "" && len(keys) < n {
			keys = append(keys, strings.Clone(key))
		}
	}
	require.Len(s.t, keys, n)
	return keys
}
