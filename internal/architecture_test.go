// Package internal_test holds the packages of the repository to the tables of
// docs/ARCHITECTURE.md.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "padron/"

// Every package is in a table, with the packages that it imports: no more, and
// none that it no longer needs.
func TestImportRules(t *testing.T) {
	text, err := os.ReadFile("../docs/ARCHITECTURE.md")
	require.NoError(t, err)
	for _, tc := range []struct{ folder, table string }{
		{"..", "import rules"},
		{"../deploy/dev", "import rules of deploy/dev"},
	} {
		t.Run(tc.table, func(t *testing.T) {
			allowed, imported := rules(t, string(text), tc.table), imports(t, tc.folder)
			for _, name := range slices.Sorted(maps.Keys(imported)) {
				if forTests(name) {
					continue
				}
				may, listed := allowed[name]
				if assert.True(t, listed, "%s is in no table of docs/ARCHITECTURE.md: add it, with what it may import", name) {
					for _, other := range imported[name] {
						assert.Contains(t, may, other, "%s must not import %s: see the import rules in docs/ARCHITECTURE.md", name, other)
					}
					for _, other := range may {
						assert.Contains(t, imported[name], other, "%s no longer imports %s: take it out of docs/ARCHITECTURE.md", name, other)
					}
				}
				delete(allowed, name)
			}
			assert.Empty(t, slices.Sorted(maps.Keys(allowed)), "docs/ARCHITECTURE.md lists packages that do not exist")
		})
	}
}

// forTests reports whether a package exists for tests alone. It has no row of
// its own.
func forTests(name string) bool {
	last := name[strings.LastIndex(name, "/")+1:]
	return last == "testenv" || strings.HasSuffix(last, "test")
}

// rules reads a table: the packages, and what each may import. Whoever may import
// a package stands below it.
func rules(t *testing.T, text, table string) map[string][]string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "<!-- "+table+": begin -->")
	require.True(t, ok, "the table %q is missing", table)
	rest, _, ok = strings.Cut(rest, "<!-- "+table+": end -->")
	require.True(t, ok, "the table %q has no end", table)
	name := regexp.MustCompile("`([^`]+)`")
	all, imported := map[string][]string{}, map[string]string{} // who may import a package
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		names := name.FindAllStringSubmatch(line, -1)
		may := []string{}
		for _, other := range names[1:] {
			may = append(may, other[1])
			imported[other[1]] = names[0][1]
		}
		require.NotContains(t, all, names[0][1], "%s is listed twice", names[0][1])
		assert.Empty(t, imported[names[0][1]], "%s stands below a package that may import it", names[0][1])
		all[names[0][1]] = may
	}
	require.NotEmpty(t, all)
	return all
}

// imports are the packages of the module in a folder, and which packages of the
// repository each imports outside its tests. The files are read here and not by
// `go list`, so that a cached result of the test is known to be old when they
// change.
func imports(t *testing.T, root string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			_, noModule := os.Stat(filepath.Join(path, "go.mod"))
			if path != root && (noModule == nil || e.Name() == "testdata" || e.Name() == "node_modules" || strings.HasPrefix(e.Name(), ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		name := filepath.ToSlash(folder)
		all[name] = slices.Clip(all[name])
		for _, spec := range file.Imports {
			if other, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module); ours && !slices.Contains(all[name], other) {
				all[name] = append(all[name], other)
			}
		}
		return nil
	}))
	return all
}
