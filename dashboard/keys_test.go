package dashboard

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/dashboard/i18n"
	"padron/internal/changes"
	"padron/internal/cleaning"
	"padron/internal/runs"
)

// TestCataloguesAreComplete: the catalogues have the same keys and places for
// values, and every key that code and templates use.
func TestCataloguesAreComplete(t *testing.T) {
	t.Parallel()
	catalogues := map[string]map[string]string{}
	for _, lang := range Languages() {
		text, err := fs.ReadFile(i18n.Files(), lang+".json")
		require.NoError(t, err)
		var texts map[string]string
		require.NoError(t, json.Unmarshal(text, &texts))
		catalogues[lang] = texts
	}
	places := regexp.MustCompile(`\{\d\}`)
	english := catalogues["en"]
	for lang, texts := range catalogues {
		for key, text := range english {
			require.NotEmpty(t, strings.TrimSpace(texts[key]), "%s lacks %s", lang, key)
			want, got := places.FindAllString(text, -1), places.FindAllString(texts[key], -1)
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got, "%s %s", lang, key)
		}
		require.Len(t, texts, len(english), lang)
	}
	keys := usedKeys(t)
	require.Greater(t, len(keys), 150)
	for _, key := range keys {
		require.Contains(t, english, key)
	}
}

// usedKeys are the keys in templates and code, and those that are built from
// values.
func usedKeys(t *testing.T) []string {
	t.Helper()
	keys := append(keysInTemplates(t), keysInCode(t)...)
	for _, s := range cleaning.Sectors() {
		keys = append(keys, "sector."+s.Code)
	}
	for _, kind := range changes.Kinds() {
		keys = append(keys, "kind."+kind)
	}
	for _, ending := range runs.Endings() {
		keys = append(keys, "outcome."+string(ending))
	}
	for _, name := range navigation() {
		if name != "" {
			keys = append(keys, "nav."+name)
		}
	}
	for _, status := range []string{"400", "401", "403", "404", "405", "500", "503"} {
		keys = append(keys, "error.title."+status)
	}
	return append(keys,
		"basis.observed", "basis.reconstructed", "basis.survivors", "basis.provisional",
		"cause.source", "cause.rules", "cause.schema", "cause.repair", "outcome.running", "outcome.done",
		"error.nomirror", "error.nosnapshot", "error.busy", "error.replaced", "error.database", "error.internal",
		"error.method", "error.host", "error.token",
		"figure.ages_neighborhood.title", "figure.ages_sector.title", "figure.mix_sector.title", "figure.mix_neighborhood.title",
		"figure.months.title", "figure.closings.title", "note.neighborhood", "note.sector")
}

func keysInTemplates(t *testing.T) []string {
	t.Helper()
	var keys []string
	used := regexp.MustCompile(`\bt "([^"]+)"`)
	require.NoError(t, fs.WalkDir(templateFiles, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := templateFiles.ReadFile(name)
		for _, found := range used.FindAllStringSubmatch(string(text), -1) {
			keys = append(keys, found[1])
		}
		return err
	}))
	return keys
}

// keysInCode are the keys that are written out in calls of the functions that
// take one.
func keysInCode(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	charts, err := filepath.Glob("chart/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, charts)
	var keys []string
	for _, file := range append(files, charts...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				keys = append(keys, keysOfCall(t, call)...)
			}
			return true
		})
	}
	// What ends with a point is only the beginning of a key.
	return slices.DeleteFunc(keys, func(k string) bool { return strings.HasSuffix(k, ".") || strings.Contains(k, "%s") })
}

func keysOfCall(t *testing.T, call *ast.CallExpr) []string {
	t.Helper()
	name := ""
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	var keys []string
	add := func(prefix string, argument int, suffix string) {
		if argument < len(call.Args) {
			if literal, ok := call.Args[argument].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				key, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				if key != "" {
					keys = append(keys, prefix+strings.TrimPrefix(key, "#")+suffix)
				}
			}
		}
	}
	switch name {
	case "T":
		add("", 0, "")
	case "bad":
		add("error.bad.", 2, "")
	case "missing":
		add("error.missing.", 0, "")
	case "figure":
		add("figure.", 3, ".title")
		add("figure.", 3, ".label")
	case "table":
		for i := 1; i < len(call.Args); i++ {
			add("column.", i, "")
		}
	}
	return keys
}
