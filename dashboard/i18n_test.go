package dashboard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/internal/cleaning"
	"padron/internal/mirror"
)

// TestCataloguesAreComplete holds the catalogues against each other and against
// every key that code and templates name.
func TestCataloguesAreComplete(t *testing.T) {
	t.Parallel()
	catalogues := map[string]*catalogue{}
	for _, lang := range Languages() {
		c, err := loadCatalogue(lang)
		require.NoError(t, err)
		catalogues[lang] = c
	}
	places := regexp.MustCompile(`\{\d\}`)
	english := catalogues["en"].texts
	for lang, c := range catalogues {
		for key, text := range english {
			require.NotEmpty(t, strings.TrimSpace(c.texts[key]), "%s lacks %s", lang, key)
			want, got := places.FindAllString(text, -1), places.FindAllString(c.texts[key], -1)
			slices.Sort(want)
			slices.Sort(got)
			require.Equal(t, want, got, "%s %s", lang, key)
		}
		require.Len(t, c.texts, len(english), lang)
	}
	keys := usedKeys(t)
	require.Greater(t, len(keys), 150)
	for _, key := range keys {
		require.Contains(t, english, key)
	}
}

// usedKeys are the keys in code and templates, and those that are made of values.
func usedKeys(t *testing.T) []string {
	t.Helper()
	var keys []string
	inTemplate := regexp.MustCompile(`\bt "([^"]+)"`)
	require.NoError(t, fs.WalkDir(templateFiles, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := templateFiles.ReadFile(name)
		for _, found := range inTemplate.FindAllStringSubmatch(string(text), -1) {
			keys = append(keys, found[1])
		}
		return err
	}))
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.SelectorExpr:
				name = f.Sel.Name
			case *ast.Ident:
				name = f.Name
			}
			literal := func(i int) string {
				if i < len(call.Args) {
					if lit, ok := call.Args[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
						s, err := strconv.Unquote(lit.Value)
						require.NoError(t, err)
						return s
					}
				}
				return ""
			}
			add := func(prefix, s, suffix string) {
				if s != "" {
					keys = append(keys, prefix+s+suffix)
				}
			}
			switch name {
			case "t":
				add("", literal(0), "")
			case "bad":
				add("error.bad.", literal(2), "")
			case "missing":
				add("error.missing.", literal(0), "")
			case "figure":
				add("figure.", literal(3), ".title")
				add("figure.", literal(3), ".label")
			case "table":
				for i := 1; i < len(call.Args); i++ {
					add("column.", strings.TrimPrefix(literal(i), "#"), "")
				}
			}
			return true
		})
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return strings.HasSuffix(k, ".") || strings.Contains(k, "%s") })
	for _, s := range cleaning.Sectors() {
		keys = append(keys, "sector."+s.Code)
	}
	for _, kind := range mirror.Kinds() {
		keys = append(keys, "kind."+kind)
	}
	for _, ending := range mirror.Endings() {
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
	return append(keys, "basis.observed", "basis.reconstructed", "basis.survivors", "basis.provisional", "cause.source", "cause.rules", "cause.schema",
		"outcome.running", "outcome.done", "error.nomirror", "error.nosnapshot", "error.busy", "error.replaced", "error.database", "error.internal",
		"error.method", "error.host", "error.token", "figure.ages_neighborhood.title", "figure.ages_sector.title", "figure.mix_sector.title", "figure.mix_neighborhood.title",
		"figure.months.title", "figure.closings.title", "note.neighborhood", "note.sector")
}

// TestDatesAreWrittenAsEachLanguageDoes holds days to what readers expect.
func TestDatesAreWrittenAsEachLanguageDoes(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string][]string{"en": {"Sep 1, 2026", "Dec 31, 1999"}, "es": {"1 sept 2026", "31 dic 1999"}} {
		c, err := loadCatalogue(lang)
		require.NoError(t, err)
		require.Len(t, strings.Fields(c.t("date.months")), 12, lang)
		require.Equal(t, want, []string{c.date(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)), c.date(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))})
	}
}
