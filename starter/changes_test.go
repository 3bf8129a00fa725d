package main_test

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/portalsim"
	"padron/internal/portalsim/register"
)

// change is what `changes -o json` prints of a change.
type change struct {
	Key, Run, Cause, Name string
	Version               int
	At                    time.Time
	Kinds                 []string
	Fields                []struct {
		Path      string
		Sensitive bool
		From, To  any
	}
}

// requireField finds what became of a field.
func (c change) requireField(t *testing.T, path string, from, to any) {
	t.Helper()
	for _, f := range c.Fields {
		if f.Path == path {
			require.Equal(t, []any{from, to}, []any{f.From, f.To}, path)
			return
		}
	}
	require.Failf(t, "no such field", "%s in %v", path, c)
}

func TestChanges(t *testing.T) {
	t.Parallel()
	const owner = "ZEBULON LEAKTEST"
	s := newStack(t, register.Generate(300, 80))
	s.ok("setup")
	require.Equal(t, "no such changes\n", s.ok("changes", "--since", "7d"))
	worker := s.worker()
	s.load()
	require.Equal(t, "no such changes\n", s.ok("changes", "--since", "7d", "--cause", "all"), "a first load is no change")
	require.Equal(t, "[]\n", s.ok("changes", "--since", "7d", "-o", "json"))
	require.Empty(t, s.ok("changes", "--since", "7d", "-o", "ndjson"))

	var open []string
	for row := range s.portal.SourceRows() {
		key, _ := row["ttxid"].(string)
		if row["location_end_date"] == nil && row["dba_end_date"] == nil && row["administratively_closed"] == nil && key != "" {
			open = append(open, key)
		}
	}
	renamed, closed, owned, gone := open[0], open[1], open[2], open[3]
	opened := s.row(open[4])
	opened["ttxid"], opened["dba_name"] = "9999999-01-261", "Brand New Bakery"
	require.NoError(t, s.portal.Edit(
		portalsim.Rename(renamed, "Another Name"), portalsim.Close(closed, time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)),
		portalsim.SetField(owned, "ownership_name", owner), portalsim.Delete(gone), portalsim.Open(opened)))
	run := s.load()
	require.EqualValues(t, 5, run.Record.Counts.Events)

	var all []change
	s.readJSON(&all, "changes", "--since", "7d")
	require.Len(t, all, 5)
	byKey := map[string]change{}
	for _, c := range all {
		require.Equal(t, []any{run.Run, "source"}, []any{c.Run, c.Cause})
		byKey[c.Key] = c
	}
	require.Equal(t, []string{"renamed"}, byKey[renamed].Kinds)
	require.Equal(t, 2, byKey[renamed].Version)
	require.Equal(t, "Another Name", byKey[renamed].Name)
	require.Len(t, byKey[renamed].Fields, 1, "facets and originals are left out")
	require.Equal(t, "closed", byKey[closed].Kinds[0])
	byKey[closed].requireField(t, "dates.location_end_date", nil, "2026-11-03")
	require.Equal(t, []string{"renamed"}, byKey[owned].Kinds)
	require.Equal(t, []string{"removed"}, byKey[gone].Kinds)
	require.NotEmpty(t, byKey[gone].Name, "its last name")
	require.Equal(t, []string{"opened"}, byKey["9999999-01-261"].Kinds)
	byKey["9999999-01-261"].requireField(t, "dba_name", nil, "Brand New Bakery")

	table := s.ok("changes", "--since", "7d")
	require.Equal(t, 6, strings.Count(table, "\n"), table)
	require.Regexp(t, `(?m)^when +key +name now +what +from → to$`, table)
	require.Regexp(t, `(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  `+renamed+` +Another Name +renamed +dba_name: .+ → Another Name$`, table)
	require.Regexp(t, `(?m) `+closed+` .* closed .*dates\.location_end_date: \(none\) → 2026-11-03`, table)
	require.Regexp(t, `(?m) `+owned+` .* renamed +ownership_name: changed \(not shown\)$`, table)

	// Filters, which can be combined.
	var some []change
	s.readJSON(&some, "changes", "--since", "7d", "--kind", "opened", "--kind", "removed")
	require.Len(t, some, 2)
	s.readJSON(&some, "changes", "--key", renamed)
	require.Len(t, some, 1)
	s.readJSON(&some, "changes", "--key", renamed, "--kind", "closed")
	require.Empty(t, some)
	at := run.Record.Started
	s.readJSON(&some, "changes", "--since", at.Add(time.Second).Format(time.RFC3339))
	require.Empty(t, some)
	s.readJSON(&some, "changes", "--since", "7d", "--until", at.Add(-time.Second).Format(time.RFC3339))
	require.Empty(t, some)
	day := at.In(s.openSpec().Location()).Format(time.DateOnly)
	s.readJSON(&some, "changes", "--since", day, "--until", day)
	require.Len(t, some, 5, "the day of --until is included")
	lines := s.ok("changes", "--since", "7d", "-o", "ndjson")
	require.Equal(t, 5, strings.Count(lines, "\n"))
	for line := range strings.Lines(lines) {
		require.NoError(t, json.Unmarshal([]byte(line), new(change)))
	}

	// What may concern a private person is shown to those who ask for it.
	require.NotContains(t, strings.ToUpper(table+lines+s.ok("changes", "--since", "7d", "--all-fields", "-o", "json")), "LEAKTEST")
	require.Contains(t, s.ok("changes", "--since", "7d", "--sensitive"), " → "+owner)

	// A changed rule is no news of the businesses.
	require.NoError(t, worker.signal(syscall.SIGTERM))
	require.Zero(t, worker.exits(stopsWithin))
	s.editSpec("- {path: dba_name, from: [dba_name], type: text, rules: [name], search: true}", "- {path: dba_name, from: [dba_name], type: text, search: true}")
	s.worker()
	ruled := s.load()
	require.Positive(t, ruled.Record.Counts.Events)
	s.readJSON(&some, "changes", "--since", "7d")
	require.Len(t, some, 5)
	s.readJSON(&some, "changes", "--since", "7d", "--cause", "rules")
	require.Len(t, some, int(ruled.Record.Counts.Events))
	s.readJSON(&some, "changes", "--since", "7d", "--cause", "all")
	require.Len(t, some, 5+int(ruled.Record.Counts.Events))
}
