package main_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/cleaning"
	"padron/internal/dataset"
	"padron/internal/lineage"
	"padron/internal/portalsim"
	"padron/internal/testenv"
)

// TestRowsOfTheRegister takes rows with the oddities of the real register through
// everything and accounts for every field of every row: rebuilt from the stored
// document, or in it as an untracked field, or volatile, or ignored with a reason.
func TestRowsOfTheRegister(t *testing.T) {
	t.Parallel()
	for name, rows := range map[string]int{"soda_2017-08_98rows.json": 98, "register_2026-06_91rows.csv": 91} {
		for _, path := range testenv.Files(t, filepath.Join("sf", name)) {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				table, err := portalsim.FromFile(path)
				require.NoError(t, err)
				require.Equal(t, rows, table.Len())
				s := newStack(t, table)
				s.env["PADRON_PAGE_SIZE"] = "40"
				s.worker()
				sum := s.load()
				require.EqualValues(t, rows, sum.Record.Counts.Documents)
				require.Zero(t, sum.Record.Counts.Quarantined)
				fields := requireEveryFieldAccountedFor(t, s)
				t.Logf("%d rows, %d fields accounted for", rows, fields)
			})
		}
	}
}

// requireEveryFieldAccountedFor returns how many values the rows have.
func requireEveryFieldAccountedFor(t *testing.T, s *stack) (fields int) {
	t.Helper()
	spec := s.openSpec()
	cleaner, err := cleaning.New(spec)
	require.NoError(t, err)
	rebuilt, documents := map[string]map[string]any{}, map[string]map[string]any{}
	for found := s.all(t); found.Next(t.Context()); {
		canonical, err := lineage.Canonical(nil, found.Current)
		require.NoError(t, err)
		source, err := cleaner.Source(canonical)
		require.NoError(t, err)
		key := found.Current.Lookup("_id").StringValue()
		rebuilt[key] = map[string]any{}
		for column, value := range source {
			var v any
			require.NoError(t, json.Unmarshal(value, &v), "%s of %s", column, key)
			rebuilt[key][column] = v
		}
		var document map[string]any
		require.NoError(t, json.Unmarshal([]byte(found.Current.String()), &document))
		documents[key] = document
	}
	untracked := untrackedPaths(spec)
	for row := range s.portal.SourceRows() {
		key, _ := row[spec.Key].(string)
		require.Contains(t, rebuilt, key)
		for column, value := range row {
			fields++
			path, isUntracked := untracked[column]
			_, isIgnored := spec.Ignored[column]
			switch {
			case spec.IsVolatile(column), isIgnored:
			case isUntracked:
				require.NotNil(t, at(documents[key], path), "%s of %s", column, key)
			default:
				require.Equal(t, value, rebuilt[key][column], "%s of %s", column, key)
				delete(rebuilt[key], column)
			}
		}
		require.Empty(t, rebuilt[key], "the document of %s says what its row does not", key)
		delete(rebuilt, key)
	}
	require.Empty(t, rebuilt, "documents without a row")
	return fields
}

// untrackedPaths are the paths of untracked fields by source column.
func untrackedPaths(spec *dataset.Spec) map[string]string {
	paths := map[string]string{}
	for _, f := range spec.Fields {
		if slices.Contains(spec.Untracked, f.Path) {
			for _, column := range f.From {
				paths[column] = f.Path
			}
		}
	}
	return paths
}

// at finds the value at a path of names with dots.
func at(document any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, ok := document.(map[string]any)
		if !ok {
			return nil
		}
		document = m[name]
	}
	return document
}
